// `npm run grid`: 3 replicas x 4 parts, each good or damaged, in all 4,096 combinations, for the log and for snapshots.
// Exit status 0: what had a good copy left came back, all else stayed safely unavailable; 1: not; 2: wrong usage.
//   --log, --snapshots    one of both; both, unless given          --workers W    default: all cores
//   --replay GRID/N       one combination, by its number
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Campaign, type Tally } from "./campaign.js";
import { COMBINATIONS, mapOf } from "./combination.js";
import { GRIDS, type GridKind, gridNamed } from "./grid.js";

interface Plan {
  readonly grids: readonly GridKind[];
  readonly workers: number;
  readonly replay: { readonly grid: GridKind; readonly combination: number } | null;
}

const OPTIONS = {
  log: { type: "boolean", default: false },
  snapshots: { type: "boolean", default: false },
  workers: { type: "string", default: String(availableParallelism()) },
  replay: { type: "string" },
} as const;

const USAGE = "npm run grid -- [--log] [--snapshots] [--workers W] | --replay GRID/N";

/** A sentence when the arguments make no sense. */
function planOrUsage(): Plan | string {
  try {
    return readPlan();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function readPlan(): Plan | string {
  const { values } = parseArgs({ options: OPTIONS });
  if (!/^[1-9]\d{0,3}$/.test(values.workers)) return `--workers ${values.workers} is not a number from 1`;
  const workers = Number(values.workers);
  const isBoth = values.log === values.snapshots;
  const grids = GRIDS.filter(({ group }) => isBoth || values[group]);
  if (values.replay === undefined) return { grids, workers, replay: null };
  const match = /^([a-z-]+)\/(\d{1,4})$/.exec(values.replay);
  const grid = match === null ? null : gridNamed(match[1]!);
  const combination = Number(match?.[2]);
  if (grid === null || combination >= COMBINATIONS)
    return `--replay ${values.replay} names no combination such as log/1911`;
  return { grids, workers, replay: { grid, combination } };
}

function row(cells: readonly (string | number)[]): string {
  const [name = "", ...numbers] = cells;
  const columns = numbers.map((cell) => cell.toLocaleString("en").padStart(13));
  return `${String(name).padEnd(18)}${columns.join("")}`;
}

/** The exit status. */
async function tryAll({ grids, workers }: Plan): Promise<number> {
  const campaign = new Campaign(grids, workers);
  await campaign.run();
  console.log(row(["grid", "recoverable", "lost", "recovered", "unavailable", "wrong"]));
  const cells = ({ grid, recoverable, lost, recovered, unavailable, wrong }: Tally) => [
    grid.name,
    recoverable,
    lost,
    recovered,
    unavailable,
    wrong,
  ];
  for (const tally of campaign.tallies) console.log(row(cells(tally)));
  let passed = 0;
  let failed = 0;
  for (const { grid, recovered, unavailable, wrong, shown } of campaign.tallies) {
    passed += recovered + unavailable;
    failed += wrong;
    for (const { combination, what } of shown) {
      console.log(`${grid.name}, ${mapOf(combination)}: ${what}`);
      console.log(`npm run grid -- --replay ${grid.name}/${combination}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function tryOne(grid: GridKind, combination: number): Promise<number> {
  const outcome = await (await grid.make()).try(combination);
  console.log(
    `${grid.name}, ${mapOf(combination)}: ${outcome.kind === "wrong" ? outcome.what : outcome.kind}`,
  );
  return outcome.kind === "wrong" ? 1 : 0;
}

const plan = planOrUsage();
if (typeof plan === "string") {
  console.error(`Error: ${plan}`);
  console.error(`Usage: ${USAGE}`);
  process.exitCode = 2;
} else if (plan.replay !== null) {
  process.exitCode = await tryOne(plan.replay.grid, plan.replay.combination);
} else {
  process.exitCode = await tryAll(plan);
}
