// The index from its checkpoint: what was encoded, and nothing out of its order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkEncoder } from "./index-checkpoint.js";
import { IndexDecoder } from "./index-decoder.js";
import { KeyIndex } from "./key-index.js";
import { MemoryRecordStore } from "./memory-record-store.js";
import { MvccStore, NEVER_COMPACTED } from "./mvcc-store.js";
import { SEAL_BYTES, StoreCorrupt } from "./record-store.js";
import { FRESH_DIGEST } from "./running-digest.js";

const KEYS = 1000;
const IN_CHUNK = 300;
const keyOf = (i: number): string => `key-${String(i).padStart(4, "0")}`;

/** Every third key has two changes more, every seventh is deleted. */
function filled(): { index: KeyIndex; chunks: Uint8Array[] } {
  const index = new KeyIndex();
  let main = 1;
  for (let i = 0; i < KEYS; i += 1) {
    // Not in their order.
    const key = keyOf((i * 37) % KEYS);
    for (let change = 0; change < (i % 3 === 0 ? 3 : 1); change += 1) {
      main += 1;
      index.put(key, main, i % 5);
    }
    if (i % 7 > 0) continue;
    main += 1;
    index.delete(index.find(key), main, 0);
  }
  const store = new MvccStore(new MemoryRecordStore(), index, main, NEVER_COMPACTED, FRESH_DIGEST, 0);
  const chunks: Uint8Array[] = [];
  for (let next: string | null = ""; next !== null; ) {
    const encoder: ChunkEncoder = new ChunkEncoder(store, next, main, IN_CHUNK);
    while (!encoder.step());
    chunks.push(encoder.take().subarray(SEAL_BYTES));
    next = encoder.next;
  }
  return { index, chunks };
}

function decoded(chunks: readonly Uint8Array[]): KeyIndex {
  const index = new KeyIndex();
  const decoder = new IndexDecoder(index);
  for (const chunk of chunks) decoder.add(chunk);
  decoder.end();
  return index;
}

function contentOf(index: KeyIndex): unknown[] {
  const all: unknown[] = [index.live, index.sum, index.size];
  index.visit("", null, (key, id) => {
    const changes: number[] = [];
    index.forEachChange(id, 0, (main, mark) => changes.push(main, mark) > 0);
    all.push([key, index.created(id), index.version(id), changes]);
    return true;
  });
  return all;
}

test("what comes of it is the same, and takes changes like any other", () => {
  const { index, chunks } = filled();
  const restored = decoded(chunks);
  assert.deepEqual(contentOf(restored), contentOf(index));
  for (const one of [index, restored]) {
    one.put("before", 9_000, 0);
    one.put(keyOf(5), 9_001, 0);
    one.put(`${keyOf(500)}-after`, 9_002, 0);
    one.delete(one.find(keyOf(6)), 9_003, 0);
  }
  assert.deepEqual(contentOf(restored), contentOf(index));
});

test("of no chunks, or of an empty one, an index without keys", () => {
  assert.deepEqual(contentOf(decoded([])), [0, 0, 0]);
  assert.deepEqual(contentOf(decoded([new Uint8Array(0)])), [0, 0, 0]);
});

test("keys out of their order, or twice, and a chunk that is cut off", () => {
  const { chunks } = filled();
  const [first, second, third] = chunks as [Uint8Array, Uint8Array, Uint8Array];
  for (const wrong of [[second, first], [first, first], [first, third, second], [first.subarray(0, -3)]]) {
    assert.throws(() => decoded(wrong), StoreCorrupt);
  }
});
