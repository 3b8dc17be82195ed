// `npm run sim`: seeded runs of a whole simulated cluster, a line of JSON each, or a summary of many on all cores.
// Exit status 0: nothing broke; 1: something did, with the command that replays it; 2: wrong usage.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { drawSchedule } from "../../sim/draw-schedule.js";
import { CommandFailed } from "../failures.js";
import { Campaign, type CampaignOptions } from "./campaign.js";
import { newState, readState } from "./campaign-state.js";
import { checkFile } from "./check-file.js";
import { readScenario, runOne, type SingleRun } from "./single-run.js";

const MOST_HOURS = 10_000;

/** How long one run is shrunk on demand. */
const SHRINK_SECONDS = 120;

interface Options {
  readonly seed?: number;
  readonly scenario?: string;
  readonly seeds?: readonly [number, number];
  readonly hours?: number;
  readonly check?: string;
  readonly history?: string;
  readonly save?: string;
  readonly shrink?: string | true;
  readonly failures: string;
  readonly state?: string | true;
  readonly workers: number;
  readonly trace?: boolean;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError("not a whole number");
  return number;
}

function seedRange(text: string): readonly [number, number] {
  const [first, last, ...more] = text.split("-").map(wholeNumber);
  if (first === undefined || last === undefined || more.length > 0 || last < first) {
    throw new InvalidArgumentError("not a range of seeds such as 1-300");
  }
  return [first, last];
}

function workerCount(text: string): number {
  const count = wholeNumber(text);
  if (count < 1) throw new InvalidArgumentError("not a number from 1");
  return count;
}

function hours(text: string): number {
  const number = Number(text);
  if (!(number > 0) || number > MOST_HOURS) {
    throw new InvalidArgumentError(`not a number of hours above 0, and up to ${MOST_HOURS}`);
  }
  return number;
}

const program = new Command("npm run sim --")
  .description(
    "Runs a cluster of five replicas in a simulated world with faults; one seed is one run, always the same",
  )
  .option("--seed <n>", "one run, told as a line of JSON", wholeNumber)
  .option("--scenario <file>", "one run, of what is written in a file")
  .option("--trace", "of one run: a line for every event, in a column for each replica")
  .option("--history <file>", "of one run: writes what clients asked and were told, as JSON lines")
  .option("--save <file>", "of one run: writes its faults and operations as a scenario")
  .option(
    "--shrink [file]",
    "of one run that breaks: leaves out what can be, and writes the rest as a scenario",
  )
  .option("--seeds <a-b>", "all seeds from a to b, on all cores", seedRange)
  .option("--hours <h>", "fresh seeds for so many hours, on all cores", hours)
  .option("--state [file]", "of many: goes on from where the same command was stopped or killed")
  .option("--failures <directory>", "where scenarios of seeds that broke are written", "sim-failures")
  .option("--check <file>", "checks whether a history, JSON lines, is linearizable")
  .option("--workers <n>", "how many run at a time", workerCount, availableParallelism())
  .exitOverride()
  .configureOutput({ writeErr: () => {} });

const USAGE =
  "give one of --seed N, --scenario FILE (each with --trace, --history FILE, --save FILE, --shrink [FILE]), " +
  "--seeds A-B, --hours H (each with --state [FILE]) and --check FILE";

async function main(): Promise<number> {
  program.parse(process.argv);
  const options = program.opts<Options>();
  const { seed, scenario, seeds, check } = options;
  const chosen = [seed, scenario, seeds, options.hours, check].filter((one) => one !== undefined).length;
  const isOfOne = [options.trace, options.history, options.save, options.shrink].some(
    (one) => one !== undefined,
  );
  const isOne = seed !== undefined || scenario !== undefined;
  const isMany = seeds !== undefined || options.hours !== undefined;
  const isMixed = (isOfOne && !isOne) || (options.state !== undefined && !isMany);
  if (chosen !== 1 || isMixed) throw new CommanderError(2, "synod.usage", USAGE);
  if (check !== undefined) return checkFile(check);
  return isOne ? runOne(singleRun(options), SHRINK_SECONDS) : new Campaign(campaignOf(options)).run();
}

function campaignOf({ seeds, hours: time, state, workers, failures }: Options): CampaignOptions {
  // Seeds of a night are fresh: they follow from the moment at which it begins.
  const [first, last] = seeds ?? [Math.floor(Date.now() / 1000) * 1000, null];
  const stateFile = state === undefined ? null : state === true ? join(failures, "campaign.json") : state;
  const kept = stateFile === null ? null : readState(stateFile, seeds ?? null);
  const seconds = time === undefined ? Number.POSITIVE_INFINITY : time * 3600;
  return { state: kept ?? newState(first, last), stateFile, seconds, workers, failures };
}

function singleRun({ seed, scenario, trace, history, save, shrink, failures }: Options): SingleRun {
  const files = {
    ...(history === undefined ? {} : { historyFile: history }),
    ...(save === undefined ? {} : { saveFile: save }),
  };
  const shrunk = (name: string) =>
    shrink === undefined ? {} : { shrunkFile: shrink === true ? join(failures, name) : shrink };
  const isTraced = trace === true;
  if (seed !== undefined) {
    const names = { name: `seed ${seed}`, replay: `--seed ${seed}` };
    return { schedule: drawSchedule(seed), ...names, isTraced, ...files, ...shrunk(`seed-${seed}.scenario`) };
  }
  const path = scenario!;
  const names = { name: path, replay: `--scenario ${path}` };
  return { schedule: readScenario(path), ...names, isTraced, ...files, ...shrunk("shrunk.scenario") };
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof CommandFailed) {
    console.error(`Error: ${error.message}`);
    process.exit(1);
  }
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode !== 0) {
    console.error(`Error: ${error.message.replace(/^error: /, "")}`);
    console.error(`Usage: ${program.name()} ${program.usage()}`);
  } else if (error.code !== "commander.helpDisplayed") {
    console.error(error.message);
  }
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
