// Walks over the whole state: keys of very many changes make no slice of the index long, and what is missed is found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { KvMachine } from "./machine.js";
import { MemoryRecordStore } from "./memory-record-store.js";
import { StoreCorrupt } from "./record-store.js";
import { compact, del, put } from "./requests-for-tests.js";

const CHANGES = 150_000;

/** Three keys that change in turn, one of which is gone at the compaction; pauses are counted. */
async function busy() {
  const records = new MemoryRecordStore();
  const machine = await KvMachine.open(records);
  for (let i = 0; i < CHANGES; i += 1) machine.apply(put(`k${i % 3}`, ""));
  machine.apply(del("k1"));
  machine.apply(compact(CHANGES / 3));
  await machine.commit(1, new Uint8Array(0));
  const turns = { count: 0 };
  records.turn = async () => {
    turns.count += 1;
  };
  return { machine, records, turns };
}

test("the index of a few keys with very many changes is looked at in slices, and is complete", async () => {
  const { machine, turns } = await busy();
  let atLastRecords = 0;
  let atLast = 0;
  for await (const _ of machine.snapshot()) {
    atLastRecords = atLast;
    atLast = turns.count;
  }
  // The last frame comes after the index, whose one slice would be one pause, as the last records have.
  assert.ok(atLast - atLastRecords > 2, `${atLast - atLastRecords} pauses`);
});

test("one record that a walk misses is told, wherever it was", async () => {
  const { machine, records } = await busy();
  const visit = records.visit.bind(records);
  // What the compaction leaves of a key, the first and last ones of a slice of the index, and the tombstone.
  for (const missed of [CHANGES / 3, CHANGES / 3 + 2, 71_000, 114_000, 114_010, CHANGES + 1, CHANGES + 2]) {
    records.visit = (main, sub, take) => {
      visit(main, sub, (at, part, body) => at === missed || take(at, part, body));
    };
    await assert.rejects(async () => {
      for await (const _ of machine.snapshot());
    }, StoreCorrupt);
  }
});
