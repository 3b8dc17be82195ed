// One run, of a seed or of a scenario file, told as a line of JSON; with what was asked for beside it: its trace, its
// history, its schedule as a scenario, and what is left of that when it is shrunk.
import { readFileSync } from "node:fs";
import { encodeHistory } from "../../sim/history/json-lines.js";
import { parseScenario, ScenarioFormatError, scenarioText } from "../../sim/scenario-text.js";
import type { Schedule } from "../../sim/schedule.js";
import { CommandFailed } from "../failures.js";
import { outcomeOf, runSchedule, shrunkScenario } from "./seed-outcome.js";
import { tellLines } from "./trace-lines.js";
import { writeText } from "./write-text.js";

export interface SingleRun {
  readonly schedule: Schedule;
  /** `seed 7` or `scenario FILE`. */
  readonly name: string;
  /** Arguments of `npm run sim` that run it again. */
  readonly replay: string;
  readonly isTraced: boolean;
  /** Files that are written, if given. */
  readonly historyFile?: string;
  readonly saveFile?: string;
  readonly shrunkFile?: string;
}

/** The exit status: 0 nothing broke, 1 something did. */
export async function runOne(run: SingleRun, shrinkSeconds: number): Promise<number> {
  const { schedule, name, replay, isTraced } = run;
  const result = await runSchedule(schedule, isTraced ? tellLines(schedule.replicas) : undefined);
  const { reached, ...outcome } = outcomeOf(result);
  if (run.historyFile !== undefined) writeText(run.historyFile, encodeHistory(result.history));
  if (run.saveFile !== undefined)
    writeText(run.saveFile, scenarioText({ schedule, breaks: result.violation }));
  console.log(JSON.stringify(outcome));
  if (outcome.violation === null) {
    if (run.shrunkFile !== undefined) console.error(`${name} breaks nothing: there is nothing to shrink`);
    return 0;
  }
  console.error(`${name} broke: ${outcome.violation}`);
  console.error(`replay it: npm run sim -- ${replay} --trace`);
  if (run.shrunkFile === undefined) return 1;
  // The whole of it first: what is there when somebody does not want to wait.
  writeText(run.shrunkFile, scenarioText({ schedule, breaks: outcome.violation }));
  console.error(`shrinking it, for ${shrinkSeconds} s at most`);
  const { text, summary } = await shrunkScenario(schedule, result, shrinkSeconds);
  writeText(run.shrunkFile, text);
  console.error(summary);
  console.error(`replay what is left: npm run sim -- --scenario ${run.shrunkFile} --trace`);
  return 1;
}

/** Throws `CommandFailed` when there is no scenario to run. */
export function readScenario(path: string): Schedule {
  try {
    return parseScenario(readFileSync(path, "utf8")).schedule;
  } catch (error) {
    if (error instanceof ScenarioFormatError) throw new CommandFailed(`${path}: ${error.message}`);
    throw new CommandFailed(`the scenario cannot be read: ${(error as Error).message}`);
  }
}
