// What a campaign keeps of one seed: plain data, so that a worker can send it.
import { drawSchedule } from "../../sim/draw-schedule.js";
import { type RunResult, simulate } from "../../sim/run.js";
import type { Schedule } from "../../sim/schedule.js";
import type { TraceSink } from "../../sim/world.js";

export interface SeedOutcome extends Omit<RunResult, "history" | "reached"> {
  readonly reached: Readonly<Record<string, number>>;
}

/** Ticks run when no microtask is left, and without a turn of the event loop, which would cost more than an event. */
const drain = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

export function runSchedule(schedule: Schedule, trace?: TraceSink): Promise<RunResult> {
  return simulate({ schedule, drain, ...(trace === undefined ? {} : { trace }) });
}

export function runResult(seed: number, trace?: TraceSink): Promise<RunResult> {
  return runSchedule(drawSchedule(seed), trace);
}

export function outcomeOf(result: RunResult): SeedOutcome {
  const { history, reached, ...rest } = result;
  return { ...rest, reached: Object.fromEntries(reached) };
}

export async function runSeed(seed: number): Promise<SeedOutcome> {
  return outcomeOf(await runResult(seed));
}
