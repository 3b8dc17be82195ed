// The seeded generator: the same numbers for a seed, spread evenly.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "./random.js";

test("one seed gives one sequence, and another seed another", () => {
  const take = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => random.next());
  };
  assert.deepEqual(take(7), take(7));
  assert.notDeepEqual(take(7), take(8));
  assert.notDeepEqual(take(7), take(7 + 2 ** 32));
  assert.notDeepEqual(take(-7), take(7));
});

test("a copy goes on alike and apart", () => {
  const random = new Random(3);
  random.next();
  const copy = random.copy();
  assert.equal(copy.next(), random.next());
  copy.next();
  assert.notDeepEqual(copy.state, random.state);
});

test("below gives every number of its range about as often", () => {
  const random = new Random(1);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i += 1) counts[random.below(10)]! += 1;
  for (const count of counts) assert.ok(count > 850 && count < 1150, `${counts}`);
});
