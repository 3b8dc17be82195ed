// `npm run mutants`: plants known bugs one at a time in scratch copies, and runs the same campaign on each; a bug is
// caught when the campaign breaks, which passes without it. Exit status 0: all caught; 1: not all; 2: wrong usage.
//   --only M10,F4 or --quickest N     the latter: of the list in quickest.ts; default: all
//   --seeds A-B      default 1-100, for the quickest 1-5
//   --walks N        random walks of the core before them, default 1500
//   --workers N      default: all cores    --limit S    seconds for each, default 300
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { Mutant } from "./mutant.js";
import { MUTANTS } from "./mutants.js";
import { QUICKEST } from "./quickest.js";
import { type Campaign, tryOut, type Verdict } from "./trial.js";

/** More of a violation is evidence; the seed replays all of it. */
const SHOWN = 150;

interface Plan {
  readonly campaign: Campaign;
  readonly workers: number;
  readonly limit: number;
  readonly mutants: readonly Mutant[];
}

const only = { type: "string", default: "" } as const;
const OPTIONS = {
  seeds: { type: "string" },
  walks: { type: "string", default: "1500" },
  workers: { type: "string", default: String(availableParallelism()) },
  only,
  quickest: { type: "string", default: "0" },
  limit: { type: "string", default: "300" },
} as const;

/** A sentence when the arguments make no sense. */
function readPlan(): Plan | string {
  const { values } = parseArgs({ options: OPTIONS });
  // The quickest are caught by a walk, or by the first seeds.
  const { seeds = Number(values.quickest) > 0 ? "1-5" : "1-100" } = values;
  const [, firstSeed, lastSeed] = (/^(\d{1,9})-(\d{1,9})$/.exec(seeds) ?? []).map(Number);
  if (firstSeed === undefined || lastSeed === undefined || lastSeed < firstSeed)
    return `--seeds ${seeds} is not a range of seeds such as 1-100`;
  const [workers, limit, walks] = [Number(values.workers), Number(values.limit), Number(values.walks)];
  if (!Number.isInteger(workers) || workers < 1) return `--workers ${values.workers} is not a number from 1`;
  if (!Number.isInteger(walks) || walks < 0) return `--walks ${values.walks} is not a number from 0`;
  if (!(limit > 0)) return `--limit ${values.limit} is not a number of seconds`;
  const mutants = chosen(values.only, Number(values.quickest));
  if (typeof mutants === "string") return mutants;
  return { campaign: { walks, firstSeed, lastSeed }, workers, limit, mutants };
}

function chosen(wanted: string, quickest: number): readonly Mutant[] | string {
  if (!Number.isInteger(quickest) || quickest < 0 || quickest > QUICKEST.length)
    return `--quickest takes a number up to ${QUICKEST.length}`;
  if (quickest > 0) return MUTANTS.filter(({ name }) => QUICKEST.slice(0, quickest).includes(name));
  const names = wanted.split(",").filter((name) => name !== "");
  // M13 names M13 and all its variants.
  const isMeant = (name: string, mutant: string) => mutant === name || mutant.startsWith(`${name} `);
  const unknown = names.find((name) => !MUTANTS.some((mutant) => isMeant(name, mutant.name)));
  if (unknown !== undefined) return `there is no planted bug ${unknown}`;
  return MUTANTS.filter((mutant) => names.length === 0 || names.some((name) => isMeant(name, mutant.name)));
}

function planOrUsage(): Plan | string {
  try {
    return readPlan();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function shown({ by, violation, trouble }: Verdict): string {
  if (violation === null) return `not caught: ${trouble ?? "everything passed"}`;
  return `${by}: ${violation.replace(/\s+/g, " ").slice(0, SHOWN)}`;
}

function tell({ name, what }: Mutant, verdict: Verdict): void {
  const mark = verdict.violation === null ? "MISSED" : "caught";
  console.log(`${mark} ${name.padEnd(12)} ${inSeconds(verdict.seconds)}  ${what}\n  ${shown(verdict)}`);
}

function inSeconds(seconds: number): string {
  return `${seconds.toFixed(1).padStart(5)} s`;
}

/** The exit status. */
async function runAll({ campaign, workers, limit, mutants }: Plan): Promise<number> {
  const { walks, firstSeed, lastSeed } = campaign;
  // Without a bug all of it is run to its end.
  const sound = await tryOut(null, campaign, Math.max(limit, (lastSeed - firstSeed + 1) * 30));
  if (sound.violation !== null || sound.trouble !== null) {
    console.log(`without any planted bug: ${sound.trouble ?? shown(sound)}`);
    return 1;
  }
  const all = `${walks} walks and seeds ${firstSeed}-${lastSeed}`;
  console.log(`without any planted bug: ${all} pass, ${inSeconds(sound.seconds).trim()}`);
  const waiting = [...mutants];
  const verdicts: Verdict[] = [];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const verdict = await tryOut(mutant, campaign, limit);
      verdicts.push(verdict);
      tell(mutant, verdict);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  const caught = verdicts.filter(({ violation }) => violation !== null).length;
  const times = verdicts.map(({ seconds }) => seconds).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  console.log(`median ${inSeconds(median).trim()}, longest ${inSeconds(times.at(-1) ?? 0).trim()}`);
  console.log(`${caught} passed, ${mutants.length - caught} failed`);
  return caught === mutants.length ? 0 : 1;
}

const USAGE =
  "npm run mutants -- [--only NAMES | --quickest N] [--seeds A-B] [--walks N] [--workers W] [--limit SECONDS]";

const plan = planOrUsage();
if (typeof plan === "string") {
  console.error(`Error: ${plan}\nUsage: ${USAGE}`);
  process.exitCode = 2;
} else {
  process.exitCode = await runAll(plan);
}
