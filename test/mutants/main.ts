// `npm run mutants`: plants known bugs one at a time in scratch copies, and runs the same seeds on each; a bug is
// caught when a seed breaks that passes without it. Exit status 0: all caught; 1: not all; 2: wrong usage.
//   --seeds A-B  default 1-40     --workers N  default: all cores
//   --only M10,F4                 --limit S    seconds for each, default 300
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { MUTANTS } from "./mutants.js";
import { tryOut, type Verdict } from "./trial.js";

/** More of a violation is evidence; the seed replays all of it. */
const SHOWN = 150;

interface Plan {
  readonly first: number;
  readonly last: number;
  readonly workers: number;
  readonly limit: number;
  readonly mutants: typeof MUTANTS;
}

function readPlan(): Plan | string {
  const only = { type: "string", default: "" } as const;
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1-40" },
      workers: { type: "string", default: String(availableParallelism()) },
      only,
      limit: { type: "string", default: "300" },
    },
  });
  const [, first, last] = (/^(\d{1,9})-(\d{1,9})$/.exec(values.seeds) ?? []).map(Number);
  if (first === undefined || last === undefined || last < first)
    return `--seeds ${values.seeds} is not a range of seeds such as 1-40`;
  const [workers, limit] = [Number(values.workers), Number(values.limit)];
  if (!Number.isInteger(workers) || workers < 1) return `--workers ${values.workers} is not a number from 1`;
  if (!(limit > 0)) return `--limit ${values.limit} is not a number of seconds`;
  const names = values.only.split(",").filter((name) => name !== "");
  // M13 names M13 and all its variants.
  const isMeant = (name: string, mutant: string) => mutant === name || mutant.startsWith(`${name} `);
  const unknown = names.find((name) => !MUTANTS.some((mutant) => isMeant(name, mutant.name)));
  if (unknown !== undefined) return `there is no planted bug ${unknown}`;
  const mutants = MUTANTS.filter(
    (mutant) => names.length === 0 || names.some((name) => isMeant(name, mutant.name)),
  );
  return { first, last, workers, limit, mutants };
}

function planOrUsage(): Plan | string {
  try {
    return readPlan();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function shown(verdict: Verdict): string {
  if (verdict.violation === null) return `not caught: ${verdict.trouble ?? "every seed passed"}`;
  return `seed ${verdict.seed}: ${verdict.violation.replace(/\s+/g, " ").slice(0, SHOWN)}`;
}

function tell(name: string, what: string, verdict: Verdict): void {
  const mark = verdict.violation === null ? "MISSED" : "caught";
  console.log(
    `${mark} ${name.padEnd(12)} ${verdict.seconds.toFixed(0).padStart(4)} s  ${what}\n  ${shown(verdict)}`,
  );
}

/** The exit status. */
async function runAll({ first, last, workers, limit, mutants }: Plan): Promise<number> {
  const seeds = last - first + 1;
  // Without a bug every seed is run to its end.
  const sound = await tryOut(null, first, last, Math.max(limit, seeds * 30));
  if (sound.violation !== null || sound.trouble !== null) {
    console.log(`without any planted bug: ${sound.trouble ?? shown(sound)}`);
    return 1;
  }
  console.log(`without any planted bug: seeds ${first}-${last} pass, ${sound.seconds.toFixed(0)} s`);
  const waiting = [...mutants];
  let caught = 0;
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const verdict = await tryOut(mutant, first, last, limit);
      if (verdict.violation !== null) caught += 1;
      tell(mutant.name, mutant.what, verdict);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  console.log(`${caught} passed, ${mutants.length - caught} failed`);
  return caught === mutants.length ? 0 : 1;
}

const plan = planOrUsage();
if (typeof plan === "string") {
  console.error(`Error: ${plan}`);
  process.exitCode = 2;
} else {
  process.exitCode = await runAll(plan);
}
