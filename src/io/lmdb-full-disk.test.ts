// What a commit says when the disk fills up under it: a transaction of lmdb that is large has no room then, and a small
// one after it has.
import assert from "node:assert/strict";
import fs from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isNoSpace } from "../base/no-space.js";
import { type CheckpointChunk, type RecordBatch, SEAL_BYTES, seal } from "../kv/record-store.js";
import { KEY_BYTES, mainOf, TAG_CHUNK } from "./lmdb-keys.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";

/** What lmdb says of a write that was cut short. */
const EIO = 5;

type Write = (key: Uint8Array, ...more: unknown[]) => Promise<unknown>;
type Methods = Record<"put" | "remove", Write>;

async function inScratch(task: (directory: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "synod-lmdb-full-"));
  try {
    await task(join(root, "store"));
  } finally {
    await rm(root, { recursive: true });
  }
}

/** The store, and where its database has its methods: lmdb gives them to a class that it makes for each. */
async function open(directory: string): Promise<{ store: LmdbRecordStore; methods: Methods }> {
  const { assign } = Object;
  let methods: Methods | undefined;
  Object.assign = (target: object, ...sources: object[]) => {
    if (sources.some((source) => "put" in source && "remove" in source)) methods = target as Methods;
    return assign(target, ...sources);
  };
  try {
    const store = await LmdbRecordStore.open(directory);
    assert.ok(methods);
    return { store, methods };
  } finally {
    Object.assign = assign;
  }
}

/** Runs `task` while writes of such keys fail, as they do in a transaction that finds the disk full. */
async function withoutRoom(
  methods: Methods,
  name: keyof Methods,
  isFor: (key: Uint8Array) => boolean,
  task: () => Promise<void>,
  code = 28,
): Promise<void> {
  const write = methods[name];
  methods[name] = function (this: unknown, key, ...more) {
    if (!isFor(key)) return write.call(this, key, ...more);
    const commitError = Promise.reject(Object.assign(new Error("no space left on device"), { code }));
    commitError.catch(() => {});
    return Promise.reject(Object.assign(new Error("Commit failed"), { commitError }));
  };
  try {
    await task();
  } finally {
    methods[name] = write;
  }
}

const record = (main: number) => ({ main, sub: 0, sealed: seal(new Uint8Array(SEAL_BYTES + 1), main, 0) });
const chunk = (generation: number): CheckpointChunk => {
  return { generation, number: 0, sealed: seal(new Uint8Array(SEAL_BYTES + 1), generation, 0) };
};
const batch = (head: string, revision: number, more: Partial<RecordBatch>): RecordBatch => ({
  head: Buffer.from(head),
  revision,
  append: [],
  remove: [],
  chunks: [],
  keepGenerations: [],
  ...more,
});
const headOf = (store: LmdbRecordStore): string => Buffer.from(store.head() ?? []).toString();

test("records of which only the first ones have no room are not committed, nor loaded", () =>
  inScratch(async (directory) => {
    const { store, methods } = await open(directory);
    const append = Array.from({ length: 1_001 }, (_, i) => record(i + 2));
    const isFor = (key: Uint8Array) => key.length === KEY_BYTES && mainOf(key) < 1_002;
    await withoutRoom(methods, "put", isFor, async () => {
      await assert.rejects(store.commit(batch("first", 1_002, { append })), isNoSpace);
      const replacement = await store.replacement();
      await assert.rejects(replacement.load(append), isNoSpace);
      await replacement.abandon();
    });
    assert.equal(store.head(), undefined);
    await store.commit(batch("second", 1_002, { append }));
    assert.deepEqual([headOf(store), store.scan(2, 0, 2_000).length], ["second", 1_001]);
    await store.close();
  }));

test("a head is not written when a chunk that it names has no room", () =>
  inScratch(async (directory) => {
    const { store, methods } = await open(directory);
    await store.commit(batch("first", 1, { chunks: [chunk(1)], keepGenerations: [1] }));
    const second = batch("second", 1, { chunks: [chunk(2)], keepGenerations: [2] });
    const isFor = (key: Uint8Array) => key[0] === TAG_CHUNK;
    await withoutRoom(methods, "put", isFor, () => assert.rejects(store.commit(second), isNoSpace));
    await store.close();
    const { store: next } = await open(directory);
    assert.deepEqual([headOf(next), next.chunk(1, 0)?.length], ["first", 1]);
    await next.commit(second);
    assert.deepEqual([headOf(next), next.chunk(2, 0)?.length], ["second", 1]);
    await next.close();
  }));

test("a commit that is durable is one, though what it makes needless has no room to go: that goes with the next", () =>
  inScratch(async (directory) => {
    const { store, methods } = await open(directory);
    const append = Array.from({ length: 1_001 }, (_, i) => record(i + 2));
    await store.commit(batch("first", 1_002, { append, chunks: [chunk(1)], keepGenerations: [1] }));
    const second = batch("second", 1_002, { remove: append, chunks: [chunk(2)], keepGenerations: [2] });
    const found = () => [headOf(store), store.scan(2, 0, 2_000).length, store.chunk(1, 0)?.length];
    await withoutRoom(
      methods,
      "remove",
      (key) => key[0] === TAG_CHUNK,
      () => store.commit(second),
    );
    assert.deepEqual(found(), ["second", 0, 1]);
    await store.commit(batch("third", 2_000, { append: [record(2_000)], keepGenerations: [2] }));
    assert.deepEqual(found(), ["third", 1, undefined]);
    const fourth = batch("fourth", 2_000, { remove: [record(2_000)], keepGenerations: [2] });
    await withoutRoom(
      methods,
      "remove",
      (key) => key.length === KEY_BYTES,
      () => store.commit(fourth),
    );
    assert.deepEqual(found(), ["fourth", 1, undefined]);
    await store.commit(batch("fifth", 2_001, { append: [record(2_001)], keepGenerations: [2] }));
    assert.deepEqual(found(), ["fifth", 1, undefined]);
    assert.equal(store.read(2_000, 0), undefined);
    await store.close();
  }));

test("what a state had no room to remove is not removed from the one that replaces it", () =>
  inScratch(async (directory) => {
    const { store, methods } = await open(directory);
    await store.commit(batch("first", 2, { append: [record(2)] }));
    const isRecord = (key: Uint8Array) => key.length === KEY_BYTES;
    const second = batch("second", 2, { remove: [record(2)] });
    await withoutRoom(methods, "remove", isRecord, () => store.commit(second));
    const replacement = await store.replacement();
    await replacement.load([record(2)]);
    store.adopt(replacement);
    await store.commit(batch("third", 2, {}));
    assert.deepEqual([headOf(store), store.read(2, 0)?.length], ["third", 1]);
    await store.close();
  }));

test("of two states that were replaced one after the other, without room to remove the first, none is left", () =>
  inScratch(async (directory) => {
    const { store, methods } = await open(directory);
    const large = Array.from({ length: 1_000 }, (_, i) => {
      return { main: i + 2, sub: 0, sealed: seal(new Uint8Array(SEAL_BYTES + 1_000), i + 2, 0) };
    });
    await store.commit(batch("first", 1_001, { append: large }));
    // Three records to a page, where pages are full.
    const states = () => store.size().inUse / 1_365_000;
    const replace = async () => {
      const replacement = await store.replacement();
      await replacement.load(large);
      store.adopt(replacement);
    };
    await replace();
    const isRecord = (key: Uint8Array) => key.length === KEY_BYTES;
    await withoutRoom(methods, "remove", isRecord, () => store.commit(batch("second", 1_001, {})));
    assert.ok(states() > 2, `${states()} states: the first is still there`);
    await replace();
    await store.commit(batch("third", 1_001, {}));
    assert.deepEqual([headOf(store), store.scan(2, 0, 2_000).length], ["third", 1_000]);
    assert.ok(states() < 2, `${states()} states are in use`);
    await store.close();
  }));

test("a short write of what goes after a commit is a full disk by the bytes of the commit, as in the commit", () =>
  inScratch(async (directory) => {
    const { store, methods } = await open(directory);
    await store.commit(batch("first", 1, { chunks: [chunk(1)], keepGenerations: [1] }));
    const { statfs } = fs.promises;
    // 1.2 MB: room for next to nothing, and not for 1 MB.
    Object.assign(fs.promises, { statfs: async () => ({ bavail: 300, bsize: 4096 }) });
    syncBuiltinESMExports();
    try {
      const large = { main: 2, sub: 0, sealed: seal(new Uint8Array(1_000_000), 2, 0) };
      const second = batch("second", 2, { append: [large], keepGenerations: [] });
      const isChunk = (key: Uint8Array) => key[0] === TAG_CHUNK;
      await withoutRoom(methods, "remove", isChunk, () => store.commit(second), EIO);
      assert.equal(headOf(store), "second");
    } finally {
      Object.assign(fs.promises, { statfs });
      syncBuiltinESMExports();
    }
    await store.close();
  }));
