// It must answer as a Map does, whatever was set and deleted in whatever order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.js";
import { ByBallot } from "./by-ballot.js";

test("a ByBallot answers as a Map does", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = new Random(seed);
    const ballot = () => 1 + random.below(4);
    const first = ballot();
    let own = new ByBallot(first, "first");
    const map = new Map([[first, "first"]]);
    for (let i = 0; i < 20; i += 1) {
      const at = ballot();
      if (random.next() < 0.6) {
        own.set(at, `${i}`);
        map.set(at, `${i}`);
      } else {
        own.delete(at);
        map.delete(at);
      }
      const before = own;
      if (random.next() < 0.2) {
        own = own.copy();
        before.set(9, "of the original alone");
      }
      const sorted = [...map].sort(([a], [b]) => a - b);
      assert.deepEqual(
        [...own].sort(([a], [b]) => a - b),
        sorted,
      );
      const told: [number, string][] = [];
      own.forEach((value, key) => {
        told.push([key, value]);
      });
      assert.deepEqual(
        told.sort(([a], [b]) => a - b),
        sorted,
      );
      assert.equal(own.size, map.size);
      for (let key = 1; key <= 5; key += 1) {
        assert.equal(own.get(key), map.get(key));
        assert.equal(own.has(key), map.has(key));
        const below = [...map.keys()].filter((one) => one < key);
        assert.equal(own.highest(key), Math.max(0, ...below));
      }
      assert.equal(own.highest(), Math.max(0, ...map.keys()));
    }
  }
});
