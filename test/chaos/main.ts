// `npm run chaos -- --cycles N`: kills real processes under load, on a disk that loses what was not synced, and checks
// after each restart that nothing acknowledged is lost. Exit status 0: all is there; 1: not; 2: wrong usage.
//   --cycles N      default 60      --seed S      of what is drawn, not of when things happen; default: any
//   --folder DIR    where its folder is made, on a real file system; default: the system's for temporary files
//   --small-log     with a log of small files of which little is kept, so that snapshots are sent
//   --quick-scrub   with a scrub that reads everything every two seconds
//   --planted BUG   with a bug planted, to see it found: no-sync, no-log-sync, no-directory-sync, no-birth-sync,
//                   failed-read-ends
import { randomInt } from "node:crypto";
import { appendFileSync, existsSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Random } from "../../src/base/random.js";
import { Campaign, campaignFolder } from "./campaign.js";
import { checkDisk } from "./disk-check.js";
import { compileLossyDisk, Unsuitable } from "./lossy-disk.js";
import { type Changes, PLANTS, programWith } from "./planted.js";

const OPTIONS = {
  cycles: { type: "string", default: "60" },
  seed: { type: "string" },
  folder: { type: "string", default: tmpdir() },
  planted: { type: "string" },
  "small-log": { type: "boolean", default: false },
  "quick-scrub": { type: "boolean", default: false },
} as const;
/** tmpfs and ramfs: nothing there survives anything, and syncs cost nothing. */
const IN_MEMORY = [0x01021994, 0x858458f6];
const SHOWN = 20;

interface Plan extends Changes {
  readonly cycles: number;
  readonly seed: number;
  readonly parent: string;
}

/** Throws an `Error` when the arguments make no sense. */
function readPlan(): Plan {
  const { values } = parseArgs({ options: OPTIONS });
  const cycles = Number(values.cycles);
  if (!Number.isInteger(cycles) || cycles < 1)
    throw new Error(`--cycles ${values.cycles} is not a number from 1`);
  const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`--seed ${values.seed} is not a number from 0`);
  const planted = values.planted ?? null;
  if (planted !== null && !Object.hasOwn(PLANTS, planted)) {
    throw new Error(`--planted takes one of ${Object.keys(PLANTS).join(", ")}`);
  }
  const parent = resolve(values.folder);
  if (!existsSync(parent)) throw new Error(`${parent} does not exist: give a folder on a disk with --folder`);
  if (IN_MEMORY.includes(statfsSync(parent).type)) {
    throw new Error(`${parent} is a file system in memory: give a folder on a disk with --folder`);
  }
  const hasQuickScrub = values["quick-scrub"];
  return { cycles, seed, parent, planted, hasSmallLog: values["small-log"], hasQuickScrub };
}

/** The exit status. */
async function run(plan: Plan): Promise<number> {
  const { cycles, seed, parent, planted } = plan;
  const { folder, remove } = campaignFolder(parent);
  console.log(`seed ${seed}, in ${folder}${planted === null ? "" : `; planted: ${PLANTS[planted]!.what}`}`);
  let wrong: readonly string[] = [];
  let isKept = true;
  try {
    const library = compileLossyDisk(folder);
    wrong = (await checkDisk(folder, library)).map(
      (sentence) => `the lossy disk is not as it should be: ${sentence}`,
    );
    const program = programWith(plan, folder);
    const campaign = await Campaign.open(
      { cycles, random: new Random(seed), folder, program, library },
      console.log,
    );
    endWith(campaign, remove);
    if (wrong.length === 0) wrong = await campaign.run();
    for (const line of campaign.lines()) console.log(line);
    isKept = wrong.length > 0;
    const lost = wrong.filter((sentence) => sentence.startsWith("lost: ")).length;
    console.log(`lost: ${lost}${wrong.length > lost ? `; otherwise wrong: ${wrong.length - lost}` : ""}`);
    appendFileSync(join(folder, "chaos.log"), `${wrong.join("\n")}\n`);
    for (const sentence of wrong.slice(0, SHOWN)) console.log(sentence);
    if (isKept) console.log(`data directories and logs are kept in ${folder}`);
    // In the words of Node's test runner too, from which `.ci/run` sums up.
    const [passed, failed] = [campaign.tally.cycles, isKept ? 1 : 0];
    console.log(`\npass ${passed}\nfail ${failed}\n${passed} passed, ${failed} failed`);
    return failed;
  } catch (error) {
    if (!(error instanceof Unsuitable)) throw error;
    isKept = false;
    console.error(`Error: ${error.message}`);
    return 1;
  } finally {
    if (!isKept) remove();
  }
}

/** Interrupted, it leaves no process and no file behind. */
function endWith(campaign: Campaign, remove: () => void): void {
  process.once("exit", () => campaign.killNow());
  const end = async (signal: string, status: number): Promise<void> => {
    console.log(`ended by ${signal}`);
    await campaign.kill();
    remove();
    process.exit(status);
  };
  process.once("SIGINT", () => void end("SIGINT", 130));
  process.once("SIGTERM", () => void end("SIGTERM", 143));
}

const USAGE =
  "npm run chaos -- [--cycles N] [--seed S] [--folder DIR] [--small-log] [--quick-scrub] [--planted BUG]";

try {
  const plan = readPlan();
  process.exitCode = await run(plan);
} catch (error) {
  console.error(`Error: ${(error as Error).message}\nUsage: ${USAGE}`);
  process.exitCode = 2;
}
