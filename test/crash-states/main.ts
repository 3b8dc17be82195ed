// `npm run crash-states`: every state that a failure of power may leave of the disk of some workloads, recovered by the
// code that a start runs. Exit status 0: all of them well; 1: not, with the command that replays it; 2: wrong usage.
//   --states N    distinct states, of all workloads together; 20,000
//   --seed S      of which workloads and choices are drawn; 1      --workers W    default: all cores
//   --replay workload/variant/point/choice    one state of that seed, with the steps that lead to it
//   --planted     known bugs instead, each in a scratch copy: passed is caught, within --states
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Campaign, type CampaignOptions, type Tally } from "./campaign.js";
import { tryPlanted } from "./planted.js";
import { replay } from "./replay.js";
import { readSpot, type Spot, spotText } from "./spot.js";
import { workloadNamed } from "./workloads.js";

interface Plan extends CampaignOptions {
  readonly spot: Spot | null;
  readonly isPlanted: boolean;
}

const OPTIONS = {
  states: { type: "string", default: "20000" },
  seed: { type: "string", default: "1" },
  workers: { type: "string", default: String(availableParallelism()) },
  replay: { type: "string" },
  planted: { type: "boolean", default: false },
} as const;

const USAGE =
  "npm run crash-states -- [--states N] [--seed S] [--workers W] [--replay WORKLOAD/VARIANT/POINT/CHOICE | --planted]";

/** A sentence when the arguments make no sense. */
function readPlan(): Plan | string {
  const { values } = parseArgs({ options: OPTIONS });
  const [states, seed, workers] = [values.states, values.seed, values.workers].map((text) =>
    /^\d{1,9}$/.test(text) ? Number(text) : -1,
  ) as [number, number, number];
  if (states < 1) return `--states ${values.states} is not a number from 1`;
  if (seed < 0) return `--seed ${values.seed} is not a whole number`;
  if (workers < 1) return `--workers ${values.workers} is not a number from 1`;
  const spot = values.replay === undefined ? null : readSpot(values.replay);
  if (values.replay !== undefined && (spot === null || workloadNamed(spot.workload) === null))
    return `--replay ${values.replay} names no state such as append/0/12/0.1`;
  if (spot !== null && values.planted) return "--replay and --planted exclude each other";
  return { states, seed, workers, spot, isPlanted: values.planted };
}

function planOrUsage(): Plan | string {
  try {
    return readPlan();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function row(cells: readonly (string | number)[]): string {
  const [name = "", ...numbers] = cells;
  const columns = numbers.map((cell) => cell.toLocaleString("en").padStart(12));
  return `${String(name).padEnd(12)}${columns.join("")}`;
}

/** The exit status. */
async function enumerate(options: CampaignOptions): Promise<number> {
  const campaign = new Campaign(options);
  await campaign.run();
  const cells = ({ name, variants, points, sampled, sums, recoveries }: Tally) => [
    name,
    variants,
    points,
    sampled,
    sums.size,
    recoveries,
  ];
  console.log(row(["workload", "variants", "points", "sampled", "states", "recoveries"]));
  for (const tally of campaign.tallies) console.log(row(cells(tally)));
  const { failure } = campaign;
  if (failure !== null) {
    console.log(`${spotText(failure.spot)}: ${failure.what}`);
    console.log(`npm run crash-states -- --seed ${options.seed} --replay ${spotText(failure.spot)}`);
  }
  const states = campaign.tallies.reduce((sum, { sums }) => sum + sums.size, 0);
  const failed = failure === null ? 0 : 1;
  console.log(`${Math.max(0, states - failed)} passed, ${failed} failed`);
  return failed;
}

const plan = planOrUsage();
if (typeof plan === "string") {
  console.error(`Error: ${plan}`);
  console.error(`Usage: ${USAGE}`);
  process.exitCode = 2;
} else if (plan.isPlanted) {
  process.exitCode = await tryPlanted(plan);
} else if (plan.spot !== null) {
  process.exitCode = await replay(plan.seed, plan.spot);
} else {
  process.exitCode = await enumerate(plan);
}
