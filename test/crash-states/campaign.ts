// Variant after variant of every workload, on several threads, until each has had its share of states, or one fails.
import { Worker } from "node:worker_threads";
import type { Failure } from "./unit.js";
import type { UnitAnswer, UnitOrder } from "./worker.js";
import { sharesOf, WORKLOADS } from "./workloads.js";

export interface CampaignOptions {
  readonly states: number;
  readonly seed: number;
  readonly workers: number;
}

/** What was done of one workload. */
export interface Tally {
  readonly name: string;
  readonly share: number;
  /** Variants given out, and how many of those that came back last had no state that was new. */
  variants: number;
  stale: number;
  points: number;
  /** Points of which not every choice was tried. */
  sampled: number;
  recoveries: number;
  /** Of the distinct states. */
  readonly sums: Set<number>;
}

/** Choices that are tried at one point: the more, the more states there are to be. */
const LEAST_OF_POINT = 64;
const MOST_OF_POINT = 1024;
const STATES_FOR_EACH = 500;
/** So many variants in a row without a state that is new: the workload has no more. */
const PATIENCE = 50;

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #mostOfPoint: number;
  readonly tallies: readonly Tally[];
  failure: Failure | null;

  constructor(options: CampaignOptions) {
    const shares = sharesOf(options.states);
    this.#options = options;
    this.#mostOfPoint = Math.min(
      MOST_OF_POINT,
      Math.max(LEAST_OF_POINT, Math.floor(options.states / STATES_FOR_EACH)),
    );
    this.tallies = WORKLOADS.map(({ name }) => ({
      name,
      share: shares.get(name)!,
      variants: 0,
      stale: 0,
      points: 0,
      sampled: 0,
      recoveries: 0,
      sums: new Set<number>(),
    }));
    this.failure = null;
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#work()));
  }

  /** Of the workload that has the least of its share, and may have more; null: there are as many as there are to be. */
  #next(): UnitOrder | null {
    let next: Tally | null = null;
    let all = 0;
    const done = ({ sums, share }: Tally) => sums.size / share;
    for (const tally of this.tallies) {
      all += tally.sums.size;
      if (tally.stale < PATIENCE && (next === null || done(tally) < done(next))) next = tally;
    }
    if (next === null || all >= this.#options.states || this.failure !== null) return null;
    next.variants += 1;
    return {
      workload: next.name,
      seed: this.#options.seed,
      variant: next.variants - 1,
      mostOfPoint: this.#mostOfPoint,
      most: next.share,
    };
  }

  #work(): Promise<void> {
    const worker = new Worker(new URL("./worker.js", import.meta.url));
    return new Promise((resolve, reject) => {
      const go = () => {
        const order = this.#next();
        if (order === null) worker.terminate().then(() => resolve(), reject);
        else worker.postMessage(order);
      };
      worker.on("error", reject);
      worker.on("message", (answer: UnitAnswer) => {
        this.#count(answer);
        go();
      });
      go();
    });
  }

  #count({ workload, points, sampled, recoveries, sums, failure }: UnitAnswer): void {
    const tally = this.tallies.find(({ name }) => name === workload)!;
    tally.points += points;
    tally.sampled += sampled;
    tally.recoveries += recoveries;
    const { size } = tally.sums;
    for (const sum of sums) tally.sums.add(sum);
    tally.stale = tally.sums.size > size ? 0 : tally.stale + 1;
    this.failure ??= failure;
  }
}
