// The table of bad sectors, and what of a data directory goes bad: the rules that `npm run chaos` relies on.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Random } from "../../src/base/random.js";
import { encodePromise } from "../../src/wal/promise-file.js";
import { BadSectors, SECTOR, TABLE_BYTES } from "./bad-sectors.js";
import { type Spoilt, spoilAtRest, spoilLog } from "./spoiling.js";

function inScratch(task: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "synod-bad-sectors-"));
  try {
    task(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the table: a sector once, until its place is gone; it has an end", () =>
  inScratch((folder) => {
    const path = join(folder, "bad");
    writeFileSync(path, new Uint8Array(TABLE_BYTES));
    const bad = new BadSectors(path);
    assert.equal(bad.add(7, [1, 2]), 2);
    assert.equal(bad.add(7, [2, 3]), 1);
    bad.keep(({ sector }) => sector > 1);
    const left = new BadSectors(path).sectors.map(({ file, sector }) => `${file} ${sector}`);
    assert.deepEqual(left, ["7 2", "7 3"]);
    const room = TABLE_BYTES / 24 - 2;
    const many = Array.from({ length: room + 5 }, (_, sector) => sector);
    assert.equal(bad.add(8, many), room);
  }));

test("the table: reads that failed are counted though their sector is good again, and its entry another's", () =>
  inScratch((folder) => {
    const path = join(folder, "bad");
    const table = Buffer.alloc(TABLE_BYTES);
    table.writeBigUInt64LE(5n, 16);
    table.writeBigUInt64LE(9n, 24);
    table.writeBigUInt64LE(2n, 40);
    writeFileSync(path, table);
    const bad = new BadSectors(path);
    assert.equal(bad.failedReads, 7);
    assert.equal(bad.add(8, [4]), 1);
    assert.equal(bad.failedReads, 7);
  }));

const USED = 20;

/** A log of two files, the promise, what a store has; and files that no start can do without. */
function makeDirectory(root: string): void {
  mkdirSync(join(root, "store.damaged-1"), { recursive: true });
  mkdirSync(join(root, "store"));
  const state = { promised: 3, lowest: 1, highest: 2, compactedUpTo: 0, sequence: 0 };
  for (const name of ["promise-a", "promise-b"]) writeFileSync(join(root, name), encodePromise(state));
  for (const name of ["log-0000000001", "log-0000000002"]) {
    const bytes = Buffer.alloc(64 * SECTOR);
    bytes.fill(1, 0, USED * SECTOR);
    writeFileSync(join(root, name), bytes);
  }
  writeFileSync(join(root, "log-0000000003"), Buffer.alloc(64 * SECTOR));
  for (const name of ["identity", "genesis", "store/mark", "store/scrub"])
    writeFileSync(join(root, name), "1");
  for (const name of ["store", "store.damaged-1"]) {
    writeFileSync(join(root, name, "data.mdb"), Buffer.alloc(64 * SECTOR));
  }
}

test("what goes bad: sectors of the log that are used, one copy of the promise, what is read of the store", () =>
  inScratch((root) => {
    makeDirectory(root);
    const random = new Random(3);
    const drawn: Spoilt[] = [];
    for (let i = 0; i < 300; i += 1) {
      drawn.push(spoilAtRest(root, [], random)!);
      assert.match(spoilLog(root, random)!.name, /^log-/);
    }
    const names = ["log-0000000001", "log-0000000002", "promise-a", "promise-b"];
    const store = ["store/data.mdb", "store/mark", "store/scrub"];
    assert.deepEqual([...new Set(drawn.map(({ name }) => name))].sort(), [...names, ...store]);
    for (const { name, file, sectors } of drawn) {
      assert.equal(file, statSync(join(root, name)).ino);
      assert.ok(sectors.length > 0 && sectors.every((sector) => sector <= USED + 8));
    }
    assert.ok(
      drawn.some(({ sectors }) => sectors.includes(USED)),
      "the sector behind the end",
    );
    const metas = drawn.filter(({ name }) => name.endsWith("data.mdb")).flatMap(({ sectors }) => sectors);
    assert.deepEqual([...new Set(metas)].sort(), [0, 8]);
  }));

test("a copy of the promise goes bad only while the other one is good", () =>
  inScratch((root) => {
    makeDirectory(root);
    const random = new Random(3);
    const isPromiseDrawn = (bad: { file: number; sector: number }[]) =>
      Array.from({ length: 200 }, () => spoilAtRest(root, bad, random)).some((spoilt) =>
        spoilt?.name.startsWith("promise-"),
      );
    assert.ok(isPromiseDrawn([]));
    assert.ok(!isPromiseDrawn([{ file: statSync(join(root, "promise-b")).ino, sector: 0 }]));
    writeFileSync(join(root, "promise-a"), Buffer.alloc(SECTOR));
    assert.ok(!isPromiseDrawn([]), "torn by a power loss");
  }));
