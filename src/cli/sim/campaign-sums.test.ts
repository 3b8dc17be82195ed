// The sums of a campaign: extremes, seeds that are too thin to count, and what a full campaign must have reached.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_FAULTS } from "../../sim/all-faults.js";
import { FULL_CAMPAIGN, reachable } from "../../sim/reachable.js";
import { summaryOf } from "./campaign-summary.js";
import { addSeed, noSums, reachedOf, type Sums, shortcomings } from "./campaign-sums.js";
import type { SeedOutcome } from "./seed-outcome.js";

const FAULTS = { kill: 5, pause: 4, loss: 3 };

function outcomeOf(seed: number, differing: Partial<SeedOutcome> = {}): SeedOutcome {
  return {
    seed,
    violation: null,
    hash: "",
    virtualMs: 61_000,
    healedAt: 60_000,
    events: 100,
    operations: 650,
    faults: FAULTS,
    reached: { "lost accept": 2 },
    recoveryMs: 900,
    ms: 100 + seed,
    scenario: null,
    ...differing,
  } as SeedOutcome;
}

function sumsOf(...outcomes: SeedOutcome[]): Sums {
  const sums = noSums();
  for (const outcome of outcomes) addSeed(sums, outcome, null);
  return sums;
}

test("sums and extremes; a seed that broke counts, but not among the least", () => {
  const broken = { violation: "agreement: slot 3", virtualMs: 5000, operations: 7 };
  const sums = sumsOf(
    outcomeOf(1),
    outcomeOf(2, { operations: 700, recoveryMs: 1200 }),
    outcomeOf(3, broken),
  );
  assert.deepEqual(sums.least, { virtualMs: 61_000, operations: 650, faults: 12, kinds: 3 });
  assert.deepEqual(sums.slowest, { seed: 3, ms: 103 });
  assert.deepEqual([sums.seeds, sums.virtualMs, sums.operations], [3, 127_000, 1357]);
  assert.equal(sums.longestRecoveryMs, 1200);
  assert.deepEqual(sums.broken, [{ seed: 3, violation: "agreement: slot 3", scenario: null }]);
  assert.equal(reachedOf(sums).get("fault kill"), 15);
  assert.equal(reachedOf(sums).get("lost accept"), 6);
  assert.deepEqual(shortcomings(sums), []);
  assert.match(summaryOf(sums, "1-3", 2), /^2 passed, 1 failed\nreplay: npm run sim -- --seed 3 --trace$/m);
});

test("a seed that is too thin to count fails the campaign", () => {
  const thin: Partial<SeedOutcome>[] = [
    { virtualMs: 59_999 },
    { operations: 599 },
    { faults: { kill: 4, pause: 3, loss: 2 } },
    { faults: { kill: 9, pause: 3 } },
  ];
  for (const differing of thin) {
    const [line, ...more] = shortcomings(sumsOf(outcomeOf(1), outcomeOf(8, differing)));
    assert.match(line!, /^seed 8 has less than 60 virtual seconds, 600 operations and 10 faults of 3 kinds$/);
    assert.deepEqual(more, []);
  }
});

test("a full campaign must have reached everything, a shorter one need not", () => {
  const faults = Object.fromEntries(ALL_FAULTS.map(({ name }) => [name, 1]));
  const reached = Object.fromEntries(reachable().map((what) => [what, 1]));
  const sums = sumsOf(...Array.from({ length: FULL_CAMPAIGN }, (_, i) => outcomeOf(i, { faults, reached })));
  assert.deepEqual(shortcomings(sums), []);
  delete sums.reached["lost accept"];
  assert.deepEqual(shortcomings(sums), ["never reached: lost accept"]);
  sums.seeds = FULL_CAMPAIGN - 1;
  assert.deepEqual(shortcomings(sums), []);
});
