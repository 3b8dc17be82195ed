// Digests: the same for the same, different for what states differ in: order, length, high bits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_DIGEST, mixBytes, mixNumber } from "./digest.js";

test("a digest depends on every number, its order and its high bits", () => {
  const seen = new Set<number>();
  const numbers = [0, 1, 2, 255, 256, 65536, 65537, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 53 - 1];
  for (const a of numbers) for (const b of numbers) seen.add(mixNumber(mixNumber(EMPTY_DIGEST, a), b));
  assert.equal(seen.size, numbers.length ** 2);
  for (const digest of seen) assert.ok(Number.isInteger(digest) && digest >= 0 && digest < 2 ** 32);
});

test("a digest of bytes depends on every byte and on the length", () => {
  const all = [[], [0], [0, 0], [1], [1, 0], [0, 1]].map((bytes) =>
    mixBytes(EMPTY_DIGEST, Uint8Array.from(bytes)),
  );
  assert.equal(new Set(all).size, all.length);
  assert.equal(mixBytes(EMPTY_DIGEST, Uint8Array.of(7, 8)), mixBytes(EMPTY_DIGEST, Uint8Array.of(7, 8)));
});
