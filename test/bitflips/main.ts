// `npm run bitflips -- --flips N --seed S`: N single-bit flips in the stores of a cluster of three. Exit status 1 when
// one was answered wrongly, or a replica did not serve again by itself; 2: wrong usage.
import { parseArgs } from "node:util";
import { Flips } from "./flips.js";

const OPTIONS = {
  flips: { type: "string", default: "1000" },
  seed: { type: "string", default: "1" },
} as const;

/** Throws an `Error` when the arguments make no sense. */
function readPlan(): { wanted: number; seed: number } {
  const { values } = parseArgs({ options: OPTIONS });
  const wanted = Number(values.flips);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(wanted) || wanted < 1) {
    throw new Error(`--flips ${values.flips} is not a number from 1`);
  }
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed} is not a whole number`);
  return { wanted, seed };
}

function planOrExit(): { wanted: number; seed: number } {
  try {
    return readPlan();
  } catch (error) {
    console.error(`Error: ${(error as Error).message}\nUsage: npm run bitflips -- [--flips N] [--seed S]`);
    process.exit(2);
  }
}

const { wanted, seed } = planOrExit();
const flips = await Flips.start(seed);
try {
  while (flips.counts.flips < wanted) {
    await flips.flip();
    if (flips.counts.flips % 50 === 0) console.error(JSON.stringify(flips.counts));
    if (flips.counts.refused > 0) break;
  }
} finally {
  await flips.close();
}
for (const text of [...flips.ends, ...flips.complaints]) console.error(text);
console.log(JSON.stringify(flips.counts));
process.exitCode = flips.counts.wrong + flips.counts.refused > 0 ? 1 : 0;
