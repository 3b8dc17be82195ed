// Makes the schedule of a run that breaks small: what was long before goes, then faults, then operations, then time,
// as long as the same invariant breaks. What is left out changes the luck of all that comes after it, so each attempt
// is made with the luck of a few worlds. Source: delta debugging, Zeller and Hildebrandt, IEEE TSE 2002 (`ddmin`).
import type { RunResult } from "./run.js";
import type { FaultLine, OperationLine, Schedule } from "./schedule.js";

export interface Shrunk {
  readonly schedule: Schedule;
  /** What breaks in it. */
  readonly violation: string;
  /** Runs that it took. */
  readonly runs: number;
  /** False: it was told to stop before there was nothing more to leave out. */
  readonly isDone: boolean;
}

export interface ShrinkOptions {
  run(schedule: Schedule): Promise<RunResult>;
  /** False: what is found so far will do. Asked before each run. */
  mayGoOn(): boolean;
}

/** What breaks in a shorter run may do so a little later. */
const SLACK_MS = 2000;
const LEAST_DURATION_MS = 20;
const BEGIN_MS = 1000;
/** What is kept of the end, first of all: so much, in milliseconds, in so many worlds. */
const WINDOWS_MS = [500, 1000, 2000, 4000, 8000, 16_000, 32_000];
const MOST_WORLDS = 16;
const WORLDS = 3;

/** The invariant that a violation names, without its evidence. */
export function invariantOf(violation: string): string {
  const [, name] = /^([A-Za-z0-9]+): /.exec(violation) ?? [];
  return name ?? violation.replace(/\d+/g, "0");
}

/** `schedule` breaks, as `result` says. */
export async function shrink(schedule: Schedule, result: RunResult, options: ShrinkOptions): Promise<Shrunk> {
  const search = new Search(schedule, result, options);
  await search.cut(SLACK_MS);
  await search.keepTheBeginning();
  await search.keepTheEnd();
  for (let before = -1; before !== search.size; ) {
    before = search.size;
    await search.leaveOut("faults");
    await search.hurry();
    await search.leaveOut("operations");
  }
  await search.shorten();
  await search.cut(0);
  return { ...search.best, runs: search.runs, isDone: search.isDone };
}

class Search {
  readonly #options: ShrinkOptions;
  readonly #invariant: string;
  #schedule: Schedule;
  #result: RunResult;
  runs = 0;
  isDone = true;

  constructor(schedule: Schedule, result: RunResult, options: ShrinkOptions) {
    this.#options = options;
    this.#invariant = invariantOf(result.violation ?? "");
    this.#schedule = schedule;
    this.#result = result;
  }

  get best(): { schedule: Schedule; violation: string } {
    return { schedule: this.#schedule, violation: this.#result.violation! };
  }

  get size(): number {
    return this.#schedule.faults.length + this.#schedule.operations.length;
  }

  /** True: `change` breaks the same in one of so many worlds, and is the best now. */
  async #isKept(change: Partial<Schedule>, worlds = WORLDS): Promise<boolean> {
    for (let world = 0; world < worlds; world += 1) {
      if (!this.#options.mayGoOn()) {
        this.isDone = false;
        return false;
      }
      this.runs += 1;
      const schedule = { ...this.#schedule, ...change, seed: this.#schedule.seed + world };
      const result = await this.#options.run(schedule);
      if (result.violation === null || invariantOf(result.violation) !== this.#invariant) continue;
      this.#schedule = schedule;
      this.#result = result;
      return true;
    }
    return false;
  }

  /** What would come after the violation goes. */
  async cut(slack: number): Promise<void> {
    const { healedAt, virtualMs } = this.#result;
    const over = Math.ceil(healedAt ?? virtualMs);
    const isBefore = ({ at }: { readonly at: number }) => at <= over;
    const faults = this.#schedule.faults.filter(isBefore);
    const operations = this.#schedule.operations.filter(isBefore);
    const short = { faults, operations, goesOn: 0 };
    // A history is checked at the end, be there a healing or none.
    if (await this.#isKept({ ...short, end: over + slack, healing: null }, 1)) return;
    if (healedAt !== null) await this.#isKept({ ...short, end: over }, 1);
  }

  /** What is only found at the end of a run, as a wrong history is, may have been there early. */
  async keepTheBeginning(): Promise<void> {
    const { end, healing } = this.#schedule;
    if (healing === null && this.#result.virtualMs < end) return;
    for (const window of WINDOWS_MS) {
      const over = BEGIN_MS + window;
      if (over >= end) return;
      const early = <Line extends { readonly at: number }>(lines: readonly Line[]): Line[] =>
        lines.filter(({ at }) => at <= over);
      const faults = early(this.#schedule.faults);
      const operations = early(this.#schedule.operations);
      if (await this.#isKept({ faults, operations, end: over, goesOn: 0, healing: null }, 1)) return;
    }
  }

  /** Only what came last before the violation, as if it were the beginning. */
  async keepTheEnd(): Promise<void> {
    const { faults, operations, end } = this.#schedule;
    const over = Math.ceil(this.#result.healedAt ?? this.#result.virtualMs);
    for (const window of WINDOWS_MS) {
      const ms = over - window - BEGIN_MS;
      if (ms <= 0) return;
      const late = <Line extends { readonly at: number }>(lines: readonly Line[]): Line[] =>
        lines.filter(({ at }) => at >= over - window).map((line) => ({ ...line, at: line.at - ms }));
      const change = { faults: late(faults), operations: late(operations), end: end - ms };
      if (await this.#isKept(change, MOST_WORLDS)) return;
    }
  }

  /** `ddmin`: leaves out ever smaller pieces of one list. */
  async leaveOut(list: "faults" | "operations"): Promise<void> {
    let pieces = 1;
    for (;;) {
      const lines: readonly (FaultLine | OperationLine)[] = this.#schedule[list];
      if (lines.length === 0) return;
      const isSmaller = await this.#withoutOne(list, lines, pieces);
      if (!this.isDone) return;
      if (isSmaller) pieces = Math.max(1, Math.min(pieces - 1, this.#schedule[list].length));
      else if (pieces >= lines.length) return;
      else pieces = Math.min(lines.length, pieces * 2);
    }
  }

  /** Tries to do without each of so many pieces, the last first: what comes late is most often not needed. */
  async #withoutOne(
    list: "faults" | "operations",
    lines: readonly (FaultLine | OperationLine)[],
    pieces: number,
  ): Promise<boolean> {
    const left = [...lines];
    const length = Math.ceil(lines.length / pieces);
    // Much at a time is worth more attempts.
    const worlds = Math.max(WORLDS, Math.floor(MOST_WORLDS / pieces));
    let isSmaller = false;
    for (let from = length * (Math.ceil(lines.length / length) - 1); from >= 0; from -= length) {
      const piece = left.splice(from, length);
      if (await this.#isKept({ [list]: [...left] }, worlds)) isSmaller = true;
      else left.splice(from, 0, ...piece);
      if (!this.isDone) return isSmaller;
    }
    return isSmaller;
  }

  /** Time in which nothing is begun goes. */
  async hurry(): Promise<void> {
    for (let at = this.#schedule.end; at > 0; ) {
      const times = [...this.#schedule.faults, ...this.#schedule.operations].map((line) => line.at);
      const before = Math.max(0, ...times.filter((time) => time < at));
      const gap = at - before;
      for (const part of [1, 0.5]) {
        const ms = Math.floor(gap * part) - 1;
        if (ms > 100 && (await this.#isKept(this.#earlier(before, ms)))) break;
      }
      at = before;
    }
  }

  /** Everything after `time` comes so much earlier. */
  #earlier(time: number, ms: number): Partial<Schedule> {
    const move = <Line extends { readonly at: number }>(line: Line): Line =>
      line.at > time ? { ...line, at: line.at - ms } : line;
    const { faults, operations, end } = this.#schedule;
    return { faults: faults.map(move), operations: operations.map(move), end: end - ms };
  }

  /** Faults end early. */
  async shorten(): Promise<void> {
    for (const index of this.#schedule.faults.keys()) {
      for (let isShorter = true; isShorter; ) {
        const { faults } = this.#schedule;
        const duration = Math.floor(faults[index]!.duration / 2);
        if (duration < LEAST_DURATION_MS) break;
        const shorter = faults.map((line, i) => (i === index ? { ...line, duration } : line));
        isShorter = await this.#isKept({ faults: shorter });
      }
    }
  }
}
