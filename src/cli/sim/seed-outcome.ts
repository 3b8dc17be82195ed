// Runs of the simulator, of a seed or of a schedule, and what is kept of them: plain data, so that a worker can
// send it.
import { drawFirst, drawSchedule, isDefaultProfile } from "../../sim/draw-schedule.js";
import { type RunResult, simulate } from "../../sim/run.js";
import { scenarioText } from "../../sim/scenario-text.js";
import type { Schedule } from "../../sim/schedule.js";
import { shrink } from "../../sim/shrink.js";
import type { TraceSink } from "../../sim/world.js";

export interface RunOutcome extends Omit<RunResult, "history" | "reached"> {
  readonly reached: Readonly<Record<string, number>>;
}

export interface SeedOutcome extends RunOutcome {
  /** Of real time, for the run alone. */
  readonly ms: number;
  /** Of the default profile. */
  readonly isDefault: boolean;
  /** What is left of a seed that broke, if it was shrunk. */
  readonly scenario: ShrunkScenario | null;
}

/** Ticks run when no microtask is left, and without a turn of the event loop, which would cost more than an event. */
const tick = (resolve: () => void): void => process.nextTick(resolve);
const drain = (): Promise<void> => new Promise(tick);

export async function runSchedule(schedule: Schedule, trace?: TraceSink): Promise<RunResult> {
  return simulate({ schedule, drain, ...(trace === undefined ? {} : { trace }) });
}

export interface ShrunkScenario {
  /** The text of a scenario file. */
  readonly text: string;
  /** In one sentence, what is left. */
  readonly summary: string;
}

/** What is left of a schedule that breaks, as `result` says, after so many seconds at most. */
export async function shrunkScenario(
  schedule: Schedule,
  result: RunResult,
  seconds: number,
): Promise<ShrunkScenario> {
  const until = performance.now() + seconds * 1000;
  const shrunk = await shrink(schedule, result, {
    run: runSchedule,
    mayGoOn: () => performance.now() < until,
  });
  const { faults, operations } = shrunk.schedule;
  const size = `${counted(faults.length, "fault")} and ${counted(operations.length, "operation")}`;
  const end = shrunk.isDone ? "" : `, when ${seconds} s were over`;
  return {
    text: scenarioText({ schedule: shrunk.schedule, breaks: shrunk.violation }),
    summary: `shrunk in ${shrunk.runs} runs to ${size}${end}`,
  };
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

export function outcomeOf(result: RunResult): RunOutcome {
  const { history, reached, ...rest } = result;
  return { ...rest, reached: Object.fromEntries(reached) };
}

/** `shrinkSeconds`: so long a seed that breaks is shrunk; 0: not at all. */
export async function runSeed(seed: number, shrinkSeconds = 0): Promise<SeedOutcome> {
  const { schedule, later } = drawFirst(seed);
  const begun = performance.now();
  const result = await simulate({ schedule, later, drain });
  const ms = performance.now() - begun;
  const shrinks = result.violation !== null && shrinkSeconds > 0;
  const scenario = shrinks ? await shrunkScenario(drawSchedule(seed), result, shrinkSeconds) : null;
  return { ...outcomeOf(result), ms, isDefault: isDefaultProfile(schedule), scenario };
}
