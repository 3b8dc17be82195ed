// Tries the combinations that the campaign sends, one lot after the other, and sends back what came of each.
import { parentPort } from "node:worker_threads";
import { lostParts } from "./combination.js";
import { type Grid, gridNamed } from "./grid.js";
import type { Outcome } from "./trial.js";

export interface Lot {
  readonly grid: string;
  readonly combinations: readonly number[];
}

export interface Try {
  readonly combination: number;
  /** Each part has a good copy somewhere. */
  readonly isRecoverable: boolean;
  readonly outcome: Outcome;
}

export interface LotAnswer {
  readonly grid: string;
  readonly tries: readonly Try[];
}

const port = parentPort;
if (port === null) throw new Error("worker.ts is started by a campaign");
const grids = new Map<string, Promise<Grid>>();

/** What escapes from a replica where nobody waits for it is wrong, too. */
let escaped: string | null = null;
process.on("uncaughtException", (error) => {
  escaped = `${error.name}: ${error.message}`;
});

port.on("message", async ({ grid: name, combinations }: Lot) => {
  if (!grids.has(name)) grids.set(name, gridNamed(name)!.make());
  const grid = await grids.get(name)!;
  const tries: Try[] = [];
  for (const combination of combinations) {
    escaped = null;
    const found = await grid.try(combination);
    const outcome: Outcome = escaped === null ? found : { kind: "wrong", what: escaped };
    const isRecoverable = lostParts(grid.effect(combination)).length === 0;
    tries.push({ combination, isRecoverable, outcome });
  }
  const answer: LotAnswer = { grid: name, tries };
  port.postMessage(answer);
});
