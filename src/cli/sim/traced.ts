// One seed, told: a line of JSON, and with a trace a line for every event, in a column for each replica.
import { writeFileSync } from "node:fs";
import { encodeHistory } from "../../sim/history/json-lines.js";
import { outcomeOf, runResult } from "./seed-outcome.js";

const COLUMN = 26;
const REPLICAS = 5;

/** The exit status. `historyFile`: where what clients asked and were told is written. */
export async function runTraced(seed: number, isTraced: boolean, historyFile?: string): Promise<number> {
  const result = await runResult(seed, isTraced ? tellLine : undefined);
  const { reached, ...outcome } = outcomeOf(result);
  if (historyFile !== undefined) writeFileSync(historyFile, encodeHistory(result.history));
  console.log(JSON.stringify(outcome));
  if (outcome.violation === null) return 0;
  console.error(`seed ${seed} broke: ${outcome.violation}`);
  console.error(`replay it: npm run sim -- --seed ${seed} --trace`);
  return 1;
}

/** Replica 0 is the world itself. */
function tellLine(at: number, id: number, text: string): void {
  const shown = Array.from(text, (character) => (character < " " ? "." : character)).join("");
  const time = (at / 1000).toFixed(6).padStart(10);
  if (id === 0) {
    console.log(`${time} ${"-".repeat(8)} ${shown}`);
    return;
  }
  const before = "|".padEnd(COLUMN).repeat(id - 1);
  const after = "|".padEnd(COLUMN).repeat(REPLICAS - id);
  const isShort = shown.length < COLUMN;
  console.log(`${time} ${before}${isShort ? shown.padEnd(COLUMN) + after.trimEnd() : shown}`);
}
