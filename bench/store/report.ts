// The figures of one run as lines of text, Synod's beside etcd's where etcd has them.
import { median } from "../median.js";
import type { Phase, StoreFigures } from "./measure.js";

const MB = 1e6;

type Row = readonly [name: string, unit: string, digits: number, read: (figures: StoreFigures) => number];

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const sum = (bytes: ReadonlyMap<string, number>): number => total([...bytes.values()]);
const most = (values: readonly number[]): number => Math.max(...values);

function phaseRows(name: string, read: (figures: StoreFigures) => readonly Phase[]): Row[] {
  const middle = (of: (phase: Phase) => number) => (figures: StoreFigures) => median(read(figures).map(of));
  const longest = ({ longest: seconds }: Phase): number => seconds * 1000;
  return [
    [`${name}: puts`, "/s", 0, middle(({ perSecond }) => perSecond)],
    [`${name}: put, p99.9`, "ms", 1, middle(({ p999 }) => p999)],
    [`${name}: event loop late, p99.9`, "ms", 1, middle(({ delay }) => delay * 1000)],
    [`${name}: event loop late, most`, "ms", 1, (figures) => most(read(figures).map(longest))],
    [`${name}: puts that failed`, "", 0, (figures) => total(read(figures).map(({ failed }) => failed))],
  ];
}

const ROWS: readonly Row[] = [
  ["fill", "s", 1, ({ fillSeconds }) => fillSeconds],
  ["bring back one that missed all", "s", 2, ({ catchUpSeconds }) => catchUpSeconds],
  ["restart after kill -9, median of 3", "s", 2, ({ restartSeconds }) => median(restartSeconds)],
  ["restart after kill -9, longest", "s", 2, ({ restartSeconds }) => most(restartSeconds)],
  ["memory steady, anonymous", "MB", 0, ({ steady }) => most(steady.map((one) => one.anonymous)) / MB],
  ["memory steady, file-backed", "MB", 0, ({ steady }) => most(steady.map((one) => one.file)) / MB],
  ["memory after restart, anonymous", "MB", 0, (f) => most(f.restarted.map((one) => one.anonymous)) / MB],
  ["memory after restart, file-backed", "MB", 0, (f) => most(f.restarted.map((one) => one.file)) / MB],
  ["memory peak, anonymous", "MB", 0, ({ peak }) => peak.anonymous / MB],
  ["memory peak, file-backed", "MB", 0, ({ peak }) => peak.file / MB],
  ["memory peak, both at once", "MB", 0, ({ peak }) => peak.both / MB],
  ["on disk, filled", "MB", 0, ({ diskAfterFill }) => sum(diskAfterFill) / MB],
  ["on disk, at the end", "MB", 0, ({ diskAtEnd }) => sum(diskAtEnd) / MB],
  ["snapshot", "MB", 0, ({ snapshotBytes }) => snapshotBytes / MB],
  ["disk written per put and member, on a quiet machine", "bytes", 0, ({ writtenPerPut }) => writtenPerPut],
  ...phaseRows("100 in flight, before", ({ full }) => [full.before]),
  ...phaseRows("100 in flight, during a snapshot", ({ full }) => [full.during]),
  ...phaseRows("100 in flight, after", ({ full }) => [full.after]),
  ...phaseRows("paced, without a snapshot, median of 3", ({ paced }) => paced.without),
  ...phaseRows("paced, during a snapshot, median of 3", ({ paced }) => paced.during),
];

/** `etcd` null: it was not measured. */
export function report(synod: StoreFigures, etcd: StoreFigures | null): string[] {
  const lines = [
    `${"".padEnd(58)}${"Synod".padStart(9)}${etcd === null ? "" : `${"etcd".padStart(9)}  ratio`}`,
  ];
  for (const [name, unit, digits, read] of ROWS) {
    const own = read(synod);
    let line = `${`${name}${unit === "" ? "" : ` (${unit})`}`.padEnd(58)}${shown(own, digits)}`;
    if (etcd !== null) {
      const other = read(etcd);
      line += shown(other, digits) + (other > 0 ? (own / other).toFixed(2).padStart(7) : "");
    }
    lines.push(line);
  }
  const systems = [["Synod", synod] as const, ...(etcd === null ? [] : [["etcd", etcd] as const])];
  for (const [name, figures] of systems) {
    const how = figures.isCaughtUpBySnapshot ? "a snapshot" : "the log";
    const files = [...figures.diskAtEnd].map(([file, bytes]) => `${file} ${(bytes / MB).toFixed(0)}`);
    lines.push(`${name}: brought back from ${how}; on disk at the end, MB: ${files.join(", ")}`);
  }
  return lines;
}

function shown(value: number, digits: number): string {
  return (Number.isNaN(value) ? "-" : value.toFixed(digits)).padStart(9);
}
