// Runs in a scratch copy, and does not know what is planted there: seeds from the first to the last argument, until
// one breaks. Its last line is what it found, as JSON: `{ seed, violation }`, the violation null when all passed.
import { runSeed } from "../../src/cli/sim/seed-outcome.js";

const [first = 1, last = 0] = process.argv.slice(2).map(Number);
let found: { seed: number; violation: string | null } = { seed: last, violation: null };
for (let seed = first; seed <= last && found.violation === null; seed += 1) {
  const { violation } = await runSeed(seed);
  if (violation !== null) found = { seed, violation };
}
console.log(JSON.stringify(found));
