// A file of another version of lmdb is told from a damaged one: the first is refused and left as it is, for whoever
// takes it for the second sets it aside.
import assert from "node:assert/strict";
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sealedCopy } from "../kv/record-store.js";
import { put } from "../kv/requests-for-tests.js";
import { openKv } from "./kv-opening.js";
import { assertIsLmdb } from "./lmdb-file.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";

const PAGE = 4096;
const MAGIC_AT = 24;
const VERSION_AT = 28;
const DATA = join("store", "data.mdb");

/** A data directory with a store that lmdb wrote, closed in good order. */
async function withStore(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "synod-lmdb-file-"));
  try {
    const machine = await openKv(dataDir, { isAlone: false, tell: () => {} });
    machine.apply(put("key", "value"));
    await machine.commit(1, new Uint8Array(0));
    await machine.close();
    await run(dataDir);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

/** Writes the number at `at` of each of the two first pages; null: leaves that page as it is. */
async function write(dataDir: string, at: number, ...values: readonly (number | null)[]): Promise<void> {
  const file = await open(join(dataDir, DATA), "r+");
  for (const [page, value] of values.entries()) {
    if (value === null) continue;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    await file.write(bytes, 0, 4, page * PAGE + at);
  }
  await file.close();
}

type Harm = (dataDir: string) => Promise<void>;
const versions =
  (...values: (number | null)[]): Harm =>
  (dataDir) =>
    write(dataDir, VERSION_AT, ...values);
const onePageOf =
  (page: number, version: number): Harm =>
  async (dataDir) => {
    await write(dataDir, VERSION_AT, version, version);
    await write(dataDir, MAGIC_AT, ...(page === 0 ? [null, 0] : [0, null]));
  };

const UNKNOWN: readonly (readonly [string, number, Harm])[] = [
  ["both pages of a newer version", 3, versions(3, 3)],
  ["both pages of an older version", 1, versions(1, 1)],
  ["both pages of version 999, as lmdb's own builds for development have it", 999, versions(999, 999)],
  ["the first page of another version, the second not readable", 3, onePageOf(0, 3)],
  ["the second page of another version, the first not readable", 3, onePageOf(1, 3)],
  [
    "one page of another version, and nothing after it",
    3,
    async (dataDir) => {
      await write(dataDir, VERSION_AT, 3, 3);
      await writeFile(join(dataDir, DATA), (await readFile(join(dataDir, DATA))).subarray(0, PAGE));
    },
  ],
];

const DAMAGED: readonly (readonly [string, Harm])[] = [
  ["only the first page of another version", versions(3, null)],
  ["only the second page of another version", versions(null, 3)],
  ["pages of two other versions", versions(3, 6)],
  ["the first page not readable, the second good", (dataDir) => write(dataDir, MAGIC_AT, 0)],
  ["the second page not readable, the first good", (dataDir) => write(dataDir, MAGIC_AT, null, 0)],
  ["no page readable", (dataDir) => write(dataDir, MAGIC_AT, 0, 0)],
  ["a size of a page that leads nowhere", (dataDir) => write(dataDir, 48, 0xfffffff0)],
  ["a few bytes", (dataDir) => writeFile(join(dataDir, DATA), "few")],
];

describe("the version of a file of lmdb", () => {
  test("one that is good", () =>
    withStore(async (dataDir) => {
      await assertIsLmdb(join(dataDir, "store"));
    }));

  for (const [what, version, harm] of UNKNOWN) {
    test(`${what}: of another version`, () =>
      withStore(async (dataDir) => {
        await harm(dataDir);
        await assert.rejects(assertIsLmdb(join(dataDir, "store")), {
          name: "UnknownStoreFormat",
          message: `the file of the store has format ${version} of lmdb, this version knows 2: start a version that knows it`,
        });
      }));
  }

  for (const [what, harm] of DAMAGED) {
    test(`${what}: damaged`, () =>
      withStore(async (dataDir) => {
        await harm(dataDir);
        await assert.rejects(assertIsLmdb(join(dataDir, "store")), { name: "StoreCorrupt" });
      }));
  }
});

describe("a store of another version of lmdb", () => {
  for (const mark of [null, "opening"]) {
    for (const isAlone of [false, true]) {
      const whose = isAlone ? "a member that is alone" : "a member with peers";
      const how = mark === null ? "closed in good order" : "that was being opened when its process died";
      test(`${whose}, ${how}: refused, and nothing is changed`, () =>
        withStore(async (dataDir) => {
          await versions(3, 3)(dataDir);
          const markPath = join(dataDir, "store", "mark");
          if (mark !== null)
            await writeFile(markPath, JSON.stringify({ state: mark, deaths: 0, reason: "" }));
          const files = await readdir(dataDir, { recursive: true });
          const before = await readFile(join(dataDir, DATA));
          const tell = (fault: string) => assert.fail(fault);
          await assert.rejects(openKv(dataDir, { isAlone, tell }), { name: "UnknownStoreFormat" });
          assert.deepEqual(await readdir(dataDir, { recursive: true }), files);
          assert.deepEqual(await readFile(join(dataDir, DATA)), before);
        }));
    }
  }

  test("only one of its pages says so: set aside, as any damage", () =>
    withStore(async (dataDir) => {
      await versions(3, null)(dataDir);
      const told: string[] = [];
      const machine = await openKv(dataDir, { isAlone: false, tell: (fault) => told.push(fault) });
      assert.equal(machine.held().slot, 0);
      await machine.close();
      assert.deepEqual((await readdir(dataDir)).sort(), ["store", "store.damaged-1"]);
      assert.equal(told.length, 1);
    }));
});

describe("a store whose head is of another version", () => {
  for (const state of [null, "opening"] as const) {
    const how = state === null ? "closed in good order" : "that was being opened when its process died";
    test(`${how}: refused by that name, and what this version takes for left-overs is kept`, () =>
      withStore(async (dataDir) => {
        const store = await LmdbRecordStore.open(join(dataDir, "store"));
        const append = [{ main: 7, sub: 0, sealed: sealedCopy(Buffer.of(1), 7, 0) }];
        const nothing = { remove: [], chunks: [], keepGenerations: [] };
        await store.commit({ head: Buffer.of(9), revision: 2, append, ...nothing });
        await store.close();
        const mark = join(dataDir, "store", "mark");
        if (state !== null) await writeFile(mark, JSON.stringify({ state, deaths: 0, reason: "" }));
        const before = await readFile(join(dataDir, DATA));
        await assert.rejects(openKv(dataDir, { isAlone: false, tell: () => {} }), {
          name: "UnknownStoreFormat",
          message: "the head of the store has format 9, this version knows 2: start a version that knows it",
        });
        assert.ok(before.equals(await readFile(join(dataDir, DATA))), "nothing was written");
      }));
  }
});
