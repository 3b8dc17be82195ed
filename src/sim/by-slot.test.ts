// A list of slots does what a Map of them does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.js";
import { BySlot } from "./by-slot.js";

test("something for each slot: as a Map, in the order of the slots", () => {
  const random = new Random(1);
  const list = new BySlot<number>();
  const map = new Map<number, number>();
  for (let step = 0; step < 2000; step += 1) {
    const slot = 1 + random.below(60);
    const value = random.below(5);
    if (random.next() < 0.6) {
      list.set(slot, value);
      map.set(slot, value);
    } else {
      list.delete(slot);
      map.delete(slot);
    }
    assert.equal(list.get(slot), map.get(slot));
    assert.equal(list.has(slot), map.has(slot));
    assert.equal(list.size, map.size);
    assert.deepEqual(
      [...list],
      [...map].sort(([a], [b]) => a - b),
    );
  }
  list.clear();
  assert.deepEqual([list.size, list.get(1), [...list]], [0, undefined, []]);
  assert.equal(list.get(1_000_000), undefined);
});
