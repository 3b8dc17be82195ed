// The end of a campaign as text: what ran and how fast, what broke and how to see it again, what was reached.
import { FULL_CAMPAIGN } from "../../sim/reachable.js";
import { reachedOf, type Sums, shortcomings } from "./campaign-sums.js";

/** More are not shown one by one. */
const SHOWN_VIOLATIONS = 20;
const SHOWN_RAREST = 5;

export function summaryOf(sums: Sums, seeds: string, workers: number): string {
  const { cpuSeconds, virtualMs, least } = sums;
  const perMinute = virtualMs / 3_600_000 / (cpuSeconds / 60);
  const passed = sums.seeds - sums.broken.length;
  const lines = [
    `seeds ${seeds}: ${sums.seeds} in ${sums.seconds.toFixed(0)} s on ${workers} workers`,
    `virtual hours per CPU minute: ${perMinute.toFixed(1)} (${(perMinute * 60).toFixed(0)} times real time)`,
    ...byDefault(sums),
    `events: ${sums.events}, ${Math.round(sums.events / cpuSeconds)} per CPU second`,
    `operations: ${sums.operations}`,
  ];
  if (least !== null) {
    const { operations, faults, kinds } = least;
    const time = (least.virtualMs / 1000).toFixed(0);
    lines.push(
      `least of a seed: ${time} virtual seconds, ${operations} operations, ${faults} faults of ${kinds} kinds`,
      `longest recovery of a healed core: ${Math.round(sums.longestRecoveryMs)} virtual ms`,
    );
  }
  if (sums.slowest !== null) {
    lines.push(`slowest: seed ${sums.slowest.seed}, ${Math.round(sums.slowest.ms)} ms`);
  }
  return [
    ...lines,
    `faults: ${counted(Object.entries(sums.faults).sort(([a], [b]) => (a < b ? -1 : 1)))}`,
    ...reachability(sums),
    ...shortcomings(sums),
    `${passed} passed, ${sums.broken.length} failed`,
    ...sums.broken.slice(0, SHOWN_VIOLATIONS).flatMap(replays),
  ].join("\n");
}

/** Without busy clients and long values. Where a worker has a core to itself it is that of one core. */
function byDefault({ byDefault: { seeds, virtualMs, ms } }: Sums): string[] {
  if (seeds === 0) return [];
  return [`default profile, ${seeds} seeds: ${(virtualMs / ms).toFixed(0)} times real time for each worker`];
}

function reachability(sums: Sums): string[] {
  const all = [...reachedOf(sums)].sort(([, a], [, b]) => a - b);
  const reached = all.filter(([, times]) => times > 0);
  const isShort = sums.seeds < FULL_CAMPAIGN ? `; from ${FULL_CAMPAIGN} seeds on all must be` : "";
  return [
    `reached: ${reached.length} of ${all.length}${isShort}`,
    `reached least: ${counted(reached.slice(0, SHOWN_RAREST))}`,
  ];
}

function counted(counts: readonly (readonly [string, number])[]): string {
  return counts.map(([name, times]) => `${name} ${times}`).join(", ") || "nothing";
}

function replays({ seed, scenario }: Sums["broken"][number]): string[] {
  const whole = `replay: npm run sim -- --seed ${seed} --trace`;
  if (scenario === null) return [whole];
  return [whole, `replay what is left of it: npm run sim -- --scenario ${scenario} --trace`];
}
