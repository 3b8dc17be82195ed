// The copies of the promise as files: what they say comes back, of the older format too, and of two that differ the
// manifest of one is taken whole.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../base/crc32.js";
import { LAST_SLOT } from "../paxos/ballot.js";
import { decodePromise, encodePromise, isBehind, newestOf, type PromiseState } from "./promise-file.js";

const state = (numbers: Partial<PromiseState>): PromiseState => ({
  promised: 0,
  lowest: 0,
  highest: 0,
  compactedUpTo: 0,
  sequence: 0,
  ...numbers,
});

test("every number comes back, the largest too", () => {
  const large = state({
    promised: LAST_SLOT,
    lowest: 2 ** 32 - 2,
    highest: 2 ** 32 - 1,
    compactedUpTo: LAST_SLOT - 1,
    sequence: 2 ** 40 + 1,
  });
  for (const one of [state({}), large]) assert.deepEqual(decodePromise(encodePromise(one), "promise-a"), one);
});

/** The bytes of `format`, as a version wrote them that knew nothing of what came later. */
function ofFormat(format: number, known: PromiseState): Uint8Array {
  const bytes = encodePromise(known);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, format, true);
  view.setUint32(4, crc32(bytes, 0, 8), true);
  return bytes;
}

test("format 1 is read: nothing is compacted; a newer one is refused, in a sentence", () => {
  const old = state({ promised: 65537 * 2 ** 20, lowest: 3, highest: 9 });
  assert.deepEqual(decodePromise(ofFormat(1, old), "promise-b"), old);
  assert.throws(() => decodePromise(ofFormat(3, old), "promise-b"), /promise-b has format 3.*knows 2: start/);
});

test("a flipped bit anywhere makes a copy unreadable", () => {
  const bytes = encodePromise(state({ promised: 7, lowest: 2, highest: 4, compactedUpTo: 90, sequence: 33 }));
  for (let bit = 0; bit < 64 * 8; bit += 1) {
    const copy = bytes.slice();
    copy[bit >> 3]! ^= 1 << (bit % 8);
    assert.equal(decodePromise(copy, "promise-a"), null);
  }
});

const older = state({ promised: 9, lowest: 2, highest: 5, compactedUpTo: 40, sequence: 300 });

test("of two copies the higher promise counts, and the newer manifest, never a mixture", () => {
  const newer = [
    state({ promised: 7, lowest: 4, highest: 5, compactedUpTo: 70, sequence: 500 }),
    state({ promised: 7, lowest: 2, highest: 5, compactedUpTo: 41, sequence: 300 }),
    state({ promised: 7, lowest: 2, highest: 6, compactedUpTo: 40, sequence: 300 }),
    state({ promised: 7, lowest: 3, highest: 5, compactedUpTo: 40, sequence: 350 }),
  ];
  for (const copy of newer) {
    const expected = { ...copy, promised: 9 };
    assert.deepEqual(newestOf([older, copy]), expected);
    assert.deepEqual(newestOf([copy, older]), expected);
    assert.deepEqual([isBehind(older, expected), isBehind(copy, expected)], [true, true]);
    assert.equal(isBehind(expected, expected), false);
  }
  assert.deepEqual(newestOf([null, older]), older);
  assert.deepEqual(newestOf([older, null]), older);
  assert.equal(isBehind(null, older), true);
  assert.equal(isBehind({ ...older, promised: 8 }, older), true);
});
