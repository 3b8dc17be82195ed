// Runs the variants that the campaign sends, one after the other, and sends back what came of each.
import { parentPort } from "node:worker_threads";
import { Unit, type UnitOptions, type UnitResult } from "./unit.js";
import { workloadNamed } from "./workloads.js";

export interface UnitOrder extends UnitOptions {
  readonly workload: string;
}

export interface UnitAnswer extends UnitResult {
  readonly workload: string;
}

const port = parentPort;
if (port === null) throw new Error("worker.ts is started by a campaign");
let running: Unit | null = null;

port.on("message", async ({ workload: name, ...options }: UnitOrder) => {
  running = new Unit(workloadNamed(name)!, options);
  const answer: UnitAnswer = { workload: name, ...(await running.run()) };
  port.postMessage(answer);
});

// An assertion of the code that recovers may throw where nobody waits for it.
process.on("uncaughtException", (error) => {
  if (running === null) throw error;
  const failure = { spot: running.spot, what: `${error.name}: ${error.message}` };
  const answer: UnitAnswer = {
    workload: running.spot.workload,
    points: 0,
    sampled: 0,
    recoveries: 0,
    sums: new Float64Array(0),
    failure,
  };
  port.postMessage(answer);
});
