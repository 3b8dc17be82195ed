// A chunk of a checkpoint in slices: each is short, whatever one key has, and what goes on between two does not show.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { applyCommand } from "./apply.js";
import type { KvCommand } from "./commands.js";
import { ChunkEncoder } from "./index-checkpoint.js";
import { IndexDecoder } from "./index-decoder.js";
import { KeyIndex, NO_KEY } from "./key-index.js";
import { KvMachine } from "./machine.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { MvccStore, NEVER_COMPACTED } from "./mvcc-store.js";
import { SEAL_BYTES } from "./record-store.js";
import { compact, del, put, range } from "./requests-for-tests.js";
import { FRESH_DIGEST } from "./running-digest.js";

const CHANGES = 60_000;
/** A slice may have so many, which is 2 ms, about. */
const MOST_CHANGES = 20_000;
const MOST_READS = 400;

function storeOf(commands: Iterable<KvCommand>): MvccStore {
  const store = new MvccStore(new MemoryRecordStore(), new KeyIndex(), 1, NEVER_COMPACTED, FRESH_DIGEST);
  for (const command of commands) applyCommand(store, command);
  return store;
}

function* puts(key: string, count: number) {
  for (let i = 0; i < count; i += 1) yield put(key, "");
}

/** The index that the chunk tells of; `between` is called after every slice but the last. */
function encoded(store: MvccStore, base: number, between: (slices: number) => void): KeyIndex {
  const encoder = new ChunkEncoder(store, "", base, 1_000);
  for (let slices = 1; !encoder.step(); slices += 1) between(slices);
  assert.equal(encoder.next, null, "every key is in");
  const index = new KeyIndex();
  const decoder = new IndexDecoder(index);
  decoder.add(encoder.take().subarray(SEAL_BYTES));
  decoder.end();
  return index;
}

function prune(index: KeyIndex, key: string, revision: number): void {
  const id = index.find(key);
  if (id !== NO_KEY) assert.ok(index.prune(key, id, revision, Number.POSITIVE_INFINITY, () => {}));
}

function told(index: KeyIndex) {
  const keys: [string, number, number, number[]][] = [];
  index.visit("", null, (key, id) => {
    const changes: number[] = [];
    index.forEachChange(id, 0, (main, mark) => changes.push(main, mark) > 0);
    keys.push([key, index.created(id), index.version(id), changes]);
    return true;
  });
  return { keys, live: index.live, sum: index.sum };
}

test("a commit pauses within a key of very many changes, and a restart finds every one", async () => {
  const medium = new MemoryMedium();
  const records = new MemoryRecordStore(medium);
  const machine = await KvMachine.open(records);
  for (const command of puts("k", CHANGES)) machine.apply(command);
  let turns = 0;
  records.turn = async () => {
    turns += 1;
  };
  await machine.commit(1, new Uint8Array(0));
  assert.ok(turns >= CHANGES / MOST_CHANGES, `${turns} pauses`);
  const again = await KvMachine.open(new MemoryRecordStore(medium));
  for (const revision of [2, 3, 15_999, 16_002, 31_000, CHANGES, CHANGES + 1]) {
    const answer = await again.query({ kind: "range", request: range("k", { revision }) });
    assert.ok(answer.kind === "range");
    assert.deepEqual(
      answer.response.kvs.map(({ modRevision, version, createRevision }) => [
        modRevision,
        version,
        createRevision,
      ]),
      [[revision, revision - 1, 2]],
    );
  }
  await again.close();
});

test("between two pauses few changes are written, and few records are read", () => {
  const store = storeOf([...puts("a", CHANGES), ...puts("b", CHANGES)]);
  for (let i = 0; i < 900; i += 1) applyCommand(store, put(`c${i}`, ""));
  const base = store.revision;
  // Of a key that is changed since, its last record up to the base is read.
  for (let i = 0; i < 900; i += 1) applyCommand(store, put(`c${i}`, ""));
  const most = { changes: 0, reads: 0 };
  let changes = 0;
  let reads = 0;
  const { index } = store;
  const forEachChange = index.forEachChange.bind(index);
  index.forEachChange = (id, from, visit) =>
    forEachChange(id, from, (main, mark) => {
      changes += 1;
      return visit(main, mark);
    });
  const read = store.read.bind(store);
  store.read = (main, sub) => {
    reads += 1;
    return read(main, sub);
  };
  const look = () => {
    most.changes = Math.max(most.changes, changes);
    most.reads = Math.max(most.reads, reads);
    changes = 0;
    reads = 0;
  };
  const found = encoded(store, base, look);
  look();
  assert.ok(most.changes <= MOST_CHANGES, `${most.changes} changes`);
  assert.ok(most.reads <= MOST_READS, `${most.reads} records`);
  assert.equal(found.size, 902);
});

describe("between two slices of a key", () => {
  const BASE = CHANGES + 1;
  const inSlices = (end: KvCommand[], base: number, between: (store: MvccStore, slices: number) => void) => {
    const store = storeOf([...puts("k", CHANGES), ...end, put("z", "")]);
    let slices = 1;
    const expected = encoded(store, base, () => {
      slices += 1;
    });
    assert.ok(slices > 3, `${slices} slices`);
    const found = encoded(store, base, (count) => between(store, count));
    return { expected, found };
  };

  test("it changes: what comes after the base is left out", () => {
    const { expected, found } = inSlices([], BASE + 1, (store, slices) => {
      applyCommand(store, slices === 2 ? del("k") : put("k", ""));
      applyCommand(store, put(`k${slices}`, ""));
    });
    assert.deepEqual(told(found), told(expected));
  });

  // Before, within and after what the first slice wrote; up to the base; and above it, which leaves nothing to write.
  for (const revision of [2, 10_000, 17_000, 50_000, BASE, BASE + 1]) {
    for (const slice of [1, 2]) {
      test(`a compaction at ${revision} comes after slice ${slice}: a restart carries it out as well`, () => {
        const { expected, found } = inSlices([], BASE, (store, slices) => {
          if (slices !== slice) return;
          applyCommand(store, put("k", ""));
          applyCommand(store, put("k", ""));
          prune(store.index, "k", revision === BASE + 1 ? store.revision : revision);
        });
        for (const index of [expected, found]) prune(index, "k", Math.min(revision, BASE));
        assert.deepEqual(told(found), told(expected));
      });
    }
  }

  test("a compaction takes it away, and it comes to be anew: a deleted key is told of", () => {
    for (const isAnew of [false, true]) {
      const { expected, found } = inSlices([del("k")], BASE + 1, (store, slices) => {
        if (slices !== 1) return;
        prune(store.index, "k", store.revision);
        assert.equal(store.index.find("k"), NO_KEY);
        // Another key may have its number, too.
        applyCommand(store, put("other", ""));
        if (isAnew) applyCommand(store, put("k", ""));
      });
      for (const index of [expected, found]) prune(index, "k", BASE + 1);
      assert.deepEqual(told(found), told(expected));
    }
  });
});

test("a compaction drops changes in slices, of one key and of many", async () => {
  const records = new MemoryRecordStore();
  const machine = await KvMachine.open(records);
  for (const command of puts("k", CHANGES)) machine.apply(command);
  for (let i = 0; i < CHANGES; i += 1) machine.apply(put(`m${i % 600}`, ""));
  machine.apply(compact(2 * CHANGES + 1));
  let most = 0;
  let all = 0;
  const remove = records.remove.bind(records);
  records.remove = (revisions) => {
    most = Math.max(most, revisions.length);
    all += revisions.length;
    return remove(revisions);
  };
  await machine.commit(1, new Uint8Array(0));
  await machine.settled();
  assert.equal(all, 2 * CHANGES - 601);
  assert.ok(most <= MOST_CHANGES, `${most} changes`);
  await machine.close();
});
