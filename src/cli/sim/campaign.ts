// Many seeds on all cores, with a line of progress and a summary. It can be stopped at any moment: what a signal or a
// kill leaves is the state in its file, from which the next campaign goes on.
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { type CampaignState, writeState } from "./campaign-state.js";
import { summaryOf } from "./campaign-summary.js";
import { addSeed, shortcomings } from "./campaign-sums.js";
import type { SeedOutcome } from "./seed-outcome.js";
import type { SeedOrder } from "./worker.js";
import { writeText } from "./write-text.js";

const PROGRESS_MS = 10_000;
/** After a kill the seeds of so long are run again. */
const STATE_MS = 250;
/** A seed makes much that lives for a moment only: with room for it the collector has little to do. */
const YOUNG = { maxYoungGenerationSizeMb: 192 };
/**
 * An event goes through many short functions: V8 is let inline more of them than it would, and a seed takes a twentieth
 * less. It holds for the whole process.
 */
const INLINES_MORE = "--max-inlined-bytecode-size-cumulative=1400";
/** So many of the first violations are shrunk, each for so long. */
const SHRUNK_VIOLATIONS = 3;
const SHRINK_SECONDS = 60;
/** As shells have it for a process that SIGINT ended. */
const INTERRUPTED = 130;

export interface CampaignOptions {
  readonly state: CampaignState;
  /** Where the state is kept; null: nowhere. */
  readonly stateFile: string | null;
  /** How long it runs at most, over all sittings. */
  readonly seconds: number;
  readonly workers: number;
  /** Where scenarios of seeds that broke are written. */
  readonly failures: string;
}

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #state: CampaignState;
  readonly #running: Set<number>;
  /** Those before `next` that no worker has: given back by an earlier sitting. */
  readonly #again: number[];
  readonly #workers: Set<Worker>;
  /** Real and CPU time of earlier sittings, and when this one began. */
  readonly #before: { readonly seconds: number; readonly cpuSeconds: number };
  readonly #begun: number;
  #isStopped: boolean;

  constructor(options: CampaignOptions) {
    const { state } = options;
    this.#options = options;
    this.#state = state;
    this.#running = new Set();
    this.#again = [...state.open];
    this.#workers = new Set();
    this.#before = { seconds: state.sums.seconds, cpuSeconds: state.sums.cpuSeconds };
    this.#begun = performance.now();
    this.#isStopped = false;
  }

  /** The exit status. */
  async run(): Promise<number> {
    setFlagsFromString(INLINES_MORE);
    const { stateFile } = this.#options;
    const { sums } = this.#state;
    if (sums.seeds > 0) console.log(`goes on after ${sums.seeds} seeds, of ${stateFile}`);
    // At once, so that a file that cannot be written is told before anything has run.
    this.#save();
    const timers = [
      setInterval(() => this.#tellProgress(), PROGRESS_MS),
      setInterval(() => this.#save(), STATE_MS),
    ];
    const stop = () => this.#stop();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
    try {
      await Promise.all(Array.from({ length: this.#options.workers }, () => this.#work()));
    } finally {
      for (const timer of timers) clearInterval(timer);
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
    }
    this.#save();
    console.log(summaryOf(sums, this.#seeds, this.#options.workers));
    if (sums.broken.length > 0 || shortcomings(sums).length > 0) return 1;
    if (!this.#isStopped) return 0;
    console.log(stateFile === null ? "stopped" : `stopped; the same command goes on from ${stateFile}`);
    return INTERRUPTED;
  }

  /** Ends it with what is there: the workers' seeds are begun anew in the next sitting. */
  #stop(): void {
    this.#isStopped = true;
    for (const worker of this.#workers) void worker.terminate();
  }

  get #seeds(): string {
    const { first, last, next } = this.#state;
    return `${first}-${last ?? Math.max(first, next - 1)}`;
  }

  #seconds(): number {
    return this.#before.seconds + (performance.now() - this.#begun) / 1000;
  }

  /** Null: no seed is left, or no time. */
  #take(): number | null {
    if (this.#isStopped || this.#seconds() >= this.#options.seconds) return null;
    const again = this.#again.shift();
    if (again !== undefined) return again;
    const state = this.#state;
    if (state.next > (state.last ?? Number.MAX_SAFE_INTEGER)) return null;
    state.next += 1;
    return state.next - 1;
  }

  /** One worker, until no seed is left. */
  #work(): Promise<void> {
    const first = this.#take();
    if (first === null) return Promise.resolve();
    const worker = new Worker(new URL("./worker.js", import.meta.url), { resourceLimits: YOUNG });
    this.#workers.add(worker);
    return new Promise((resolve, reject) => {
      let seed = first;
      worker.on("message", (outcome: SeedOutcome) => {
        this.#running.delete(seed);
        this.#add(outcome);
        const next = this.#take();
        if (next === null) {
          void worker.terminate();
          return;
        }
        seed = next;
        this.#order(worker, seed);
      });
      worker.on("error", (error) => {
        reject(new Error(`seed ${seed}: the simulator itself failed`, { cause: error }));
      });
      worker.on("exit", () => {
        this.#workers.delete(worker);
        resolve();
      });
      this.#order(worker, seed);
    });
  }

  #order(worker: Worker, seed: number): void {
    this.#running.add(seed);
    const shrinks = this.#state.sums.broken.length < SHRUNK_VIOLATIONS;
    const order: SeedOrder = { seed, shrinkSeconds: shrinks ? SHRINK_SECONDS : 0 };
    worker.postMessage(order);
  }

  #add(outcome: SeedOutcome): void {
    const { seed, violation, scenario } = outcome;
    const file = scenario === null ? null : join(this.#options.failures, `seed-${seed}.scenario`);
    if (violation !== null) console.log(`seed ${seed} broke: ${violation}`);
    if (scenario !== null && file !== null) {
      writeText(file, scenario.text);
      console.log(`${scenario.summary}: ${file}`);
    }
    addSeed(this.#state.sums, outcome, file);
  }

  /** Times grow until now, and what runs is begun anew by who goes on from here. */
  #save(): void {
    const state = this.#state;
    const { user, system } = process.cpuUsage();
    state.sums.seconds = this.#seconds();
    state.sums.cpuSeconds = this.#before.cpuSeconds + (user + system) / 1e6;
    state.open = [...this.#running, ...this.#again];
    if (this.#options.stateFile !== null) writeState(this.#options.stateFile, state);
  }

  #tellProgress(): void {
    const { sums, last, first } = this.#state;
    const seconds = (performance.now() - this.#begun) / 1000;
    const of = last === null ? "" : ` of ${last - first + 1}`;
    const left = last === null ? `, ${Math.round(this.#options.seconds - this.#seconds())} s left` : "";
    console.log(
      `${Math.round(seconds)} s: ${sums.seeds}${of} seeds, ${sums.broken.length} broke, ` +
        `${(sums.virtualMs / 3_600_000).toFixed(1)} virtual hours${left}`,
    );
  }
}
