// `npm run sim`: seeded runs of a whole simulated cluster, a line of JSON each, or a summary of many on all cores.
// Exit status 0: nothing broke; 1: something did, with the command that replays it; 2: wrong usage.
import { availableParallelism } from "node:os";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { CommandFailed } from "../failures.js";
import { Campaign } from "./campaign.js";
import { checkFile } from "./check-file.js";
import { runTraced } from "./traced.js";

interface Options {
  readonly seed?: number;
  readonly seeds?: readonly [number, number];
  readonly hours?: number;
  readonly check?: string;
  readonly history?: string;
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

function hours(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError("not a number of hours above 0");
  return number;
}

const program = new Command("npm run sim --")
  .description(
    "Runs a cluster of five replicas in a simulated world with faults; one seed is one run, always the same",
  )
  .option("--seed <n>", "one run, told as a line of JSON", wholeNumber)
  .option("--trace", "with --seed: a line for every event, in a column for each replica")
  .option("--seeds <a-b>", "all seeds from a to b, on all cores", seedRange)
  .option("--hours <h>", "fresh seeds for so many hours, on all cores", hours)
  .option("--history <file>", "with --seed: writes what clients asked and were told, as JSON lines")
  .option("--check <file>", "checks whether a history, JSON lines, is linearizable")
  .option("--workers <n>", "how many run at a time", wholeNumber, availableParallelism())
  .exitOverride()
  .configureOutput({ writeErr: () => {} });

async function main(): Promise<number> {
  program.parse(process.argv);
  const options = program.opts<Options>();
  const { seed, seeds, trace = false, history, check } = options;
  const chosen = [seed, seeds, options.hours, check].filter((one) => one !== undefined).length;
  const isForOne = trace || history !== undefined;
  if (chosen !== 1 || options.workers < 1 || (isForOne && seed === undefined)) {
    const usage = "give one of --seed N [--trace] [--history FILE], --seeds A-B, --hours H and --check FILE";
    throw new CommanderError(2, "synod.usage", usage);
  }
  if (check !== undefined) return checkFile(check);
  if (seed !== undefined) return runTraced(seed, trace, history);
  const until =
    options.hours === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.hours * 3_600_000;
  // Seeds of a night are fresh: they follow from the moment at which it begins.
  const [first, last] = seeds ?? [Math.floor(Date.now() / 1000) * 1000, Number.MAX_SAFE_INTEGER];
  return new Campaign(first, last, until, options.workers).run();
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
