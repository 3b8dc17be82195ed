// What a campaign knows of the seeds that it has run: sums, extremes, and what broke. Plain data, so that it can be
// kept in a file and continued from there.
import { ALL_FAULTS } from "../../sim/all-faults.js";
import { FULL_CAMPAIGN, reachable } from "../../sim/reachable.js";
import type { SeedOutcome } from "./seed-outcome.js";

/** A seed with less of anything proves too little to count. */
export const LEAST = { virtualMs: 60_000, operations: 600, faults: 10, kinds: 3 } as const;

export interface Broken {
  readonly seed: number;
  readonly violation: string;
  /** The file with what is left of it; null: it was not shrunk. */
  readonly scenario: string | null;
}

export interface Sums {
  seeds: number;
  virtualMs: number;
  events: number;
  operations: number;
  /** Of real time, over all sittings. */
  seconds: number;
  cpuSeconds: number;
  /** Seeds of the default profile: how many, virtual time, and real time of the runs alone. */
  readonly byDefault: { seeds: number; virtualMs: number; ms: number };
  /** Of a seed that broke nothing; null: there is none yet. */
  least: { virtualMs: number; operations: number; faults: number; kinds: number } | null;
  longestRecoveryMs: number;
  slowest: { seed: number; ms: number } | null;
  readonly faults: Record<string, number>;
  readonly reached: Record<string, number>;
  readonly broken: Broken[];
  /** Seeds that broke nothing, and have less of something than `LEAST`. */
  readonly thin: number[];
}

export function noSums(): Sums {
  return {
    seeds: 0,
    virtualMs: 0,
    events: 0,
    operations: 0,
    seconds: 0,
    cpuSeconds: 0,
    byDefault: { seeds: 0, virtualMs: 0, ms: 0 },
    least: null,
    longestRecoveryMs: 0,
    slowest: null,
    faults: {},
    reached: {},
    broken: [],
    thin: [],
  };
}

/** `scenario`: the file with what is left of a seed that broke. */
export function addSeed(sums: Sums, outcome: SeedOutcome, scenario: string | null): void {
  const { seed, violation, virtualMs, events, operations, recoveryMs, ms } = outcome;
  sums.seeds += 1;
  sums.virtualMs += virtualMs;
  sums.events += events;
  sums.operations += operations;
  if (outcome.isDefault) {
    sums.byDefault.seeds += 1;
    sums.byDefault.virtualMs += virtualMs;
    sums.byDefault.ms += ms;
  }
  addCounts(sums.faults, outcome.faults);
  addCounts(sums.reached, outcome.reached);
  if (sums.slowest === null || ms > sums.slowest.ms) sums.slowest = { seed, ms };
  if (violation !== null) {
    sums.broken.push({ seed, violation, scenario });
    return;
  }
  sums.longestRecoveryMs = Math.max(sums.longestRecoveryMs, recoveryMs);
  const counts = Object.values(outcome.faults);
  const faults = counts.reduce((all, one) => all + one, 0);
  const own = { virtualMs, operations, faults, kinds: counts.length };
  const names = ["virtualMs", "operations", "faults", "kinds"] as const;
  if (names.some((name) => own[name] < LEAST[name])) sums.thin.push(seed);
  const before = sums.least ?? own;
  sums.least = {
    virtualMs: Math.min(before.virtualMs, virtualMs),
    operations: Math.min(before.operations, operations),
    faults: Math.min(before.faults, faults),
    kinds: Math.min(before.kinds, counts.length),
  };
}

function addCounts(to: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(counts)) to[name] = (to[name] ?? 0) + times;
}

/** How often each of what a full campaign must reach was reached. */
export function reachedOf({ faults, reached }: Sums): Map<string, number> {
  const kinds = new Map(ALL_FAULTS.map(({ name }) => [`fault ${name}`, faults[name] ?? 0]));
  return new Map(reachable().map((what) => [what, kinds.get(what) ?? reached[what] ?? 0]));
}

/** What makes the campaign fail, beside seeds that broke; a short one need not reach everything. */
export function shortcomings(sums: Sums): string[] {
  const thin = sums.thin.map((seed) => {
    const { virtualMs, operations, faults, kinds } = LEAST;
    const least = `${virtualMs / 1000} virtual seconds, ${operations} operations and ${faults} faults of ${kinds} kinds`;
    return `seed ${seed} has less than ${least}`;
  });
  if (sums.seeds < FULL_CAMPAIGN) return thin;
  const unreached = [...reachedOf(sums)].filter(([, times]) => times === 0);
  return [...thin, ...unreached.map(([what]) => `never reached: ${what}`)];
}
