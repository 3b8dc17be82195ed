// The record store on lmdb keeps the contract of record stores, also when its process is killed.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { open } from "lmdb";
import { KvMachine } from "../kv/machine.js";
import { type RecordStore, seal } from "../kv/record-store.js";
import { type RecordStoreUnderTest, recordStoreContract } from "../kv/record-store-contract.js";
import { put } from "../kv/requests-for-tests.js";
import { recordKey } from "./lmdb-keys.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";
import { UNWATCHED } from "./store-watch.js";

/** A crash is a copy of the files as they are: what lmdb has not flushed does not count there (`safeRestore`). */
async function make(): Promise<RecordStoreUnderTest> {
  const root = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
  let directory = join(root, "0");
  let life = 0;
  let current = await LmdbRecordStore.open(directory);
  /** Closings of stores that crashed, once what they were doing is done. */
  const closed: Promise<void>[] = [];
  let underWay: Promise<void> = Promise.resolve();
  const watchCommits = (store: LmdbRecordStore): void => {
    const commit = store.commit.bind(store);
    store.commit = (batch) => {
      underWay = commit(batch);
      return underWay;
    };
  };
  watchCommits(current);
  const openAgain = async (): Promise<RecordStore> => {
    current = await LmdbRecordStore.open(directory);
    watchCommits(current);
    return current;
  };
  return {
    store: current,
    async reopen() {
      await current.close();
      return openAgain();
    },
    async crash() {
      life += 1;
      const next = join(root, String(life));
      cpSync(directory, next, { recursive: true });
      const crashed = current;
      closed.push(underWay.then(() => crashed.close()));
      directory = next;
      return openAgain();
    },
    async damage({ main, sub }) {
      const sealed = current.read(main, sub);
      assert.ok(sealed);
      await current.close();
      const file = join(directory, "data.mdb");
      const bytes = await readFile(file);
      let found = 0;
      // Pages that are free again hold older copies: every copy is damaged.
      for (let at = bytes.indexOf(sealed); at >= 0; at = bytes.indexOf(sealed, at + 1)) {
        bytes[at + sealed.length - 1]! ^= 0x10;
        found += 1;
      }
      assert.ok(found > 0, "the record is found in the file");
      await writeFile(file, bytes);
      return openAgain();
    },
    async dispose() {
      await Promise.all([...closed, current.close()]);
      await rm(root, { recursive: true });
    },
  };
}

/** The version in the meta page at `page` is one that does not exist. */
function withVersion(store: Buffer, page: number): Buffer {
  store.writeUInt32LE(99, page + 28);
  return store;
}

describe("lmdb record store", () => {
  for (const one of recordStoreContract) test(one.name, () => one.run(make));

  for (const [name, damage] of [
    ["bytes of something else", () => Buffer.alloc(20_000, 7)],
    ["a few bytes", () => Buffer.from("not a store")],
    ["a store whose first page is zeroed", (store: Buffer) => store.fill(0, 0, 4096)],
    ["a store of which one page is of another version of lmdb", (store: Buffer) => withVersion(store, 0)],
    ["a store cut after its first page", (store: Buffer) => store.subarray(0, 4096)],
  ] as const) {
    test(`${name}: refused, and nothing is changed`, async () => {
      const directory = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
      await (await LmdbRecordStore.open(directory)).close();
      const file = join(directory, "data.mdb");
      const bytes = damage(await readFile(file));
      await writeFile(file, bytes);
      await assert.rejects(LmdbRecordStore.open(directory), { name: "StoreCorrupt", message: /data\.mdb/ });
      assert.deepEqual(await readFile(file), bytes);
      await rm(directory, { recursive: true });
    });
  }

  test("a key among the records that is none of a record: damage, for a walk and a scan", async () => {
    const directory = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
    await (await LmdbRecordStore.open(directory)).close();
    const db = open<Buffer, Uint8Array>({ path: directory, encoding: "binary", keyEncoding: "binary" });
    // Behind the first key that may be, before the first that is above the head.
    await db.put(Buffer.concat([recordKey(0, 0, 0), Buffer.of(7)]), Buffer.from("?"));
    await db.close();
    const store = await LmdbRecordStore.open(directory);
    assert.throws(() => store.scan(0, 0, 10), { name: "StoreCorrupt", message: /a key that no record has/ });
    assert.throws(() => store.visit(0, 0, () => true), { name: "StoreCorrupt" });
    assert.throws(() => [...store.everything()], { name: "StoreCorrupt" });
    await store.close();
    await rm(directory, { recursive: true });
  });
});

test("what the one who is lent records throws is no damage of the store, which is read as before", async () => {
  const directory = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
  const store = await LmdbRecordStore.open(directory);
  const machine = await KvMachine.open(store);
  for (let i = 0; i < 5; i += 1) machine.apply(put(`key-${i}`, `${i}`));
  await machine.commit(1, new Uint8Array(0));
  const error = new RangeError("no memory");
  for (const at of [0, 2]) {
    let seen = 0;
    const take = () => {
      seen += 1;
      if (seen > at) throw error;
      return true;
    };
    assert.throws(() => store.visit(0, 0, take), error);
  }
  const bodies = store.scan(0, 0, 10).map(({ body }) => body);
  assert.equal(bodies.length, 5);
  const copies = bodies.map((body) => body.slice());
  store.visit(0, 0, () => true);
  const places = new Set<number>();
  store.visit(0, 0, (_, __, body) => places.add(body.byteOffset).size > 0);
  assert.equal(places.size, 1, "what is visited is not copied");
  assert.deepEqual(bodies, copies, "what was scanned is no loan");
  await machine.close();
  await rm(directory, { recursive: true });
});

test("a visit that ends early holds no old pages: they are used again", async () => {
  const directory = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
  const store = await LmdbRecordStore.open(directory);
  const write = async (round: number) => {
    const of = (n: number) => Array.from({ length: 100 }, (_, i) => ({ main: n * 100 + i + 1, sub: 0 }));
    const append = of(round).map((at) => ({ ...at, sealed: seal(new Uint8Array(1_000), at.main, at.sub) }));
    const remove = round === 0 ? [] : of(round - 1);
    const batch = { head: new Uint8Array(0), revision: (round + 1) * 100, append, remove };
    await store.commit({ ...batch, chunks: [], keepGenerations: [] });
  };
  for (let round = 0; round < 10; round += 1) await write(round);
  const before = store.size().total;
  for (let round = 10; round < 60; round += 1) {
    store.visit(0, 0, () => false);
    assert.throws(() => store.visit(0, 0, () => assert.fail("enough")), /enough/);
    await write(round);
  }
  assert.ok(store.size().total < 2 * before, `${store.size().total} bytes, ${before} before`);
  await store.close();
  await rm(directory, { recursive: true });
});

test("who watches a store is told that it goes on, for each slice of what a crash left and of what is loaded", async () => {
  const directory = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
  const machine = await KvMachine.open(await LmdbRecordStore.open(directory));
  for (let i = 0; i < 1_600; i += 1) machine.apply(put(`key-${i}`, ""));
  await machine.commit(1, new Uint8Array(0));
  await machine.close();
  const store = await LmdbRecordStore.open(directory);
  const records = Array.from({ length: 3_500 }, (_, i) => ({ main: i + 2, sub: 0, sealed: Buffer.of(1) }));
  await (await store.replacement()).load(records);
  await store.close();
  let slices = 0;
  const goesOn = () => {
    slices += 1;
  };
  const again = await LmdbRecordStore.open(directory, { ...UNWATCHED, goesOn });
  assert.equal(slices, 4);
  await (await KvMachine.open(again)).close();
  assert.equal(slices, 8);
  await rm(directory, { recursive: true });
});
