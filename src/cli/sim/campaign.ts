// Many seeds on all cores, with a line of progress and a summary: what ran, what broke, what was reached.
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { FULL_CAMPAIGN, reachable } from "../../sim/reachable.js";
import type { SeedOutcome } from "./seed-outcome.js";
import type { SeedOrder } from "./worker.js";
import { writeText } from "./write-text.js";

const PROGRESS_MS = 10_000;
/** More are not shown one by one. */
const SHOWN_VIOLATIONS = 20;

/** A seed makes much that lives for a moment only: with room for it the collector has little to do. */
const YOUNG = { maxYoungGenerationSizeMb: 192 };
/** So many of the first violations are shrunk, each for so long. */
const SHRUNK_VIOLATIONS = 3;
const SHRINK_SECONDS = 60;

export interface CampaignOptions {
  readonly first: number;
  readonly last: number;
  /** No seed begins after it, in milliseconds since 1970. */
  readonly until: number;
  readonly workers: number;
  /** Where scenarios of seeds that broke are written. */
  readonly failures: string;
}

export class Campaign {
  readonly #last: number;
  readonly #until: number;
  readonly #workers: number;
  readonly #first: number;
  readonly #failures: string;
  #next: number;
  #seeds = 0;
  #virtualMs = 0;
  #events = 0;
  #leastMs = Number.POSITIVE_INFINITY;
  #leastOperations = Number.POSITIVE_INFINITY;
  #leastFaults = Number.POSITIVE_INFINITY;
  #leastKinds = Number.POSITIVE_INFINITY;
  #longestRecoveryMs = 0;
  readonly #faults = new Map<string, number>();
  readonly #reached = new Map<string, number>();
  readonly #violations: SeedOutcome[] = [];

  constructor({ first, last, until, workers, failures }: CampaignOptions) {
    this.#first = first;
    this.#last = last;
    this.#until = until;
    this.#workers = Math.min(workers, last - first + 1);
    this.#failures = failures;
    this.#next = first;
  }

  /** The exit status. */
  async run(): Promise<number> {
    const begun = performance.now();
    const cpuBegun = process.cpuUsage();
    const progress = setInterval(() => this.#tellProgress(begun), PROGRESS_MS);
    try {
      await Promise.all(Array.from({ length: this.#workers }, () => this.#work()));
    } finally {
      clearInterval(progress);
    }
    const { user, system } = process.cpuUsage(cpuBegun);
    this.#summarise((performance.now() - begun) / 1000, (user + system) / 1e6);
    return this.#violations.length === 0 && this.#unreached.length === 0 ? 0 : 1;
  }

  /** What a full campaign must have reached and this one has not; a shorter one need not. */
  get #unreached(): string[] {
    if (this.#seeds < FULL_CAMPAIGN) return [];
    const isReached = (what: string) =>
      this.#reached.has(what) || this.#faults.has(what.replace(/^fault /, ""));
    return reachable().filter((what) => !isReached(what));
  }

  /** One worker, until no seed is left. */
  #work(): Promise<void> {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { resourceLimits: YOUNG });
    return new Promise((resolve, reject) => {
      const next = () => {
        if (this.#next > this.#last || Date.now() > this.#until) {
          worker.terminate().then(() => resolve(), reject);
          return;
        }
        const shrinks = this.#violations.length < SHRUNK_VIOLATIONS;
        const order: SeedOrder = { seed: this.#next, shrinkSeconds: shrinks ? SHRINK_SECONDS : 0 };
        worker.postMessage(order);
        this.#next += 1;
      };
      worker.on("message", (outcome: SeedOutcome) => {
        this.#take(outcome);
        next();
      });
      worker.on("error", reject);
      next();
    });
  }

  #take(outcome: SeedOutcome): void {
    this.#seeds += 1;
    this.#virtualMs += outcome.virtualMs;
    this.#events += outcome.events;
    const counts = Object.values(outcome.faults);
    for (const [name, times] of Object.entries(outcome.faults)) add(this.#faults, name, times);
    for (const [what, times] of Object.entries(outcome.reached)) add(this.#reached, what, times);
    if (outcome.violation !== null) {
      this.#takeViolation(outcome);
      return;
    }
    this.#leastMs = Math.min(this.#leastMs, outcome.virtualMs);
    this.#leastOperations = Math.min(this.#leastOperations, outcome.operations);
    this.#leastFaults = Math.min(this.#leastFaults, sum(counts));
    this.#leastKinds = Math.min(this.#leastKinds, counts.length);
    this.#longestRecoveryMs = Math.max(this.#longestRecoveryMs, outcome.recoveryMs);
  }

  #takeViolation(outcome: SeedOutcome): void {
    const { seed, violation, scenario } = outcome;
    this.#violations.push(outcome);
    console.log(`seed ${seed} broke: ${violation}`);
    if (scenario === null) return;
    writeText(this.#scenarioFile(seed), scenario.text);
    console.log(`${scenario.summary}: ${this.#scenarioFile(seed)}`);
  }

  #scenarioFile(seed: number): string {
    return join(this.#failures, `seed-${seed}.scenario`);
  }

  #tellProgress(begun: number): void {
    const seconds = Math.round((performance.now() - begun) / 1000);
    console.log(
      `${seconds} s: ${this.#seeds} seeds, up to ${this.#next - 1}, ${this.#violations.length} broke`,
    );
  }

  #summarise(seconds: number, cpuSeconds: number): void {
    const hoursPerMinute = this.#virtualMs / 3_600_000 / (cpuSeconds / 60);
    console.log(
      [
        `seeds ${this.#first}-${this.#next - 1}: ${this.#seeds} in ${seconds.toFixed(0)} s on ${this.#workers} workers`,
        `virtual hours per CPU minute: ${hoursPerMinute.toFixed(1)} (${(hoursPerMinute * 60).toFixed(0)} times real time)`,
        `events: ${this.#events}, ${Math.round(this.#events / cpuSeconds)} per CPU second`,
        `least of a seed: ${(this.#leastMs / 1000).toFixed(0)} virtual seconds, ${this.#leastOperations} operations, ${this.#leastFaults} faults of ${this.#leastKinds} kinds`,
        `longest recovery of a healed core: ${Math.round(this.#longestRecoveryMs)} virtual ms`,
        `faults: ${told(this.#faults)}`,
        `reached: ${told(this.#reached)}`,
        ...this.#unreached.map((what) => `never reached: ${what}`),
        `${this.#seeds - this.#violations.length} passed, ${this.#violations.length} failed`,
      ].join("\n"),
    );
    for (const { seed, scenario } of this.#violations.slice(0, SHOWN_VIOLATIONS)) {
      console.log(`replay: npm run sim -- --seed ${seed} --trace`);
      if (scenario !== null) {
        console.log(`replay what is left: npm run sim -- --scenario ${this.#scenarioFile(seed)} --trace`);
      }
    }
  }
}

function add(counts: Map<string, number>, name: string, times: number): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, one) => all + one, 0);
}

function told(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, times]) => `${name} ${times}`)
    .join(", ");
}
