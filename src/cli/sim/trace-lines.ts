// The trace of a run on a terminal: a line for every event, in a column for each replica.
import type { TraceSink } from "../../sim/world.js";

const COLUMN = 26;

/** Replica 0 is the world itself. */
export function tellLines(replicas: number): TraceSink {
  return (at, id, text) => {
    const shown = Array.from(text, (character) => (character < " " ? "." : character)).join("");
    const time = (at / 1000).toFixed(6).padStart(10);
    if (id === 0) {
      console.log(`${time} ${"-".repeat(8)} ${shown}`);
      return;
    }
    const before = "|".padEnd(COLUMN).repeat(id - 1);
    const after = "|".padEnd(COLUMN).repeat(replicas - id);
    const isShort = shown.length < COLUMN;
    console.log(`${time} ${before}${isShort ? shown.padEnd(COLUMN) + after.trimEnd() : shown}`);
  };
}
