// Runs the seeds that the campaign sends, one after the other, and sends back what came of each.
import { parentPort } from "node:worker_threads";
import { runSeed } from "./seed-outcome.js";

export interface SeedOrder {
  readonly seed: number;
  /** How long to shrink it if it breaks; 0: not at all. */
  readonly shrinkSeconds: number;
}

const port = parentPort;
if (port === null) throw new Error("worker.ts is started by a campaign");
port.on("message", ({ seed, shrinkSeconds }: SeedOrder) => {
  runSeed(seed, shrinkSeconds).then(
    (outcome) => port.postMessage(outcome),
    // A throw outside of any replica is a fault of the simulator: the campaign must end and show it.
    (error: Error) => {
      throw error;
    },
  );
});
