// Tombstones that wait for a checkpoint: which go with it, which wait on, and that the loop is never held for all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Compactor } from "./compactor.js";
import { KeyIndex } from "./key-index.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { MvccStore, NEVER_COMPACTED } from "./mvcc-store.js";
import { FRESH_DIGEST } from "./running-digest.js";

const tombstones = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => ({ main: from + i, sub: 0 }));

function compactor(turn: () => Promise<void>): Compactor {
  const records = new MemoryRecordStore(new MemoryMedium(), turn);
  const store = new MvccStore(records, new KeyIndex(), 1, NEVER_COMPACTED, FRESH_DIGEST);
  return new Compactor(store, records, NEVER_COMPACTED, 0);
}

test("a checkpoint lets go what it covers, in slices; the rest waits, with what came meanwhile", async () => {
  let turns = 0;
  const deferring = compactor(async () => {
    turns += 1;
    if (turns === 1) deferring.defer(tombstones(3, 1_000_000));
  });
  deferring.defer(tombstones(500_000));
  const covered = await deferring.takeDeferred(400_000);
  assert.deepEqual(covered, tombstones(400_000));
  assert.equal(deferring.deferredCount, 100_003);
  assert.equal(turns, 50);
  assert.equal((await deferring.takeDeferred(Number.MAX_SAFE_INTEGER)).length, 100_003);
  assert.equal(deferring.deferredCount, 0);
});

test("many small lists are looked through as few large ones are", async () => {
  let turns = 0;
  const deferring = compactor(async () => {
    turns += 1;
  });
  for (let i = 0; i < 10_000; i += 1) deferring.defer(tombstones(1, i));
  assert.equal((await deferring.takeDeferred(10_000)).length, 10_000);
  assert.equal(turns, 1);
});
