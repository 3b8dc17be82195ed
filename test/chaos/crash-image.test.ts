// What a power loss leaves, from journals written by hand: the same rules that `npm run chaos` tries on the library.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Random } from "../../src/base/random.js";
import { losePower, settledJournal, type WatchedDirectory } from "./crash-image.js";
import { watchedIn } from "./lossy-disk.js";

const SECTOR = 512;
const ROUNDS = 60;

type Numbers = readonly [kind: number, file: number, a?: number, b?: number, c?: number, d?: number];

function record([kind, ...numbers]: Numbers, text = "", data: Uint8Array = new Uint8Array(0)): Buffer {
  const header = Buffer.alloc(56);
  header.writeUInt32LE(0x4b534944, 0);
  header.writeUInt32LE(kind, 4);
  for (const [i, number] of numbers.entries()) header.writeBigUInt64LE(BigInt(number ?? 0), 8 + 8 * i);
  header.writeUInt32LE(text.length, 48);
  header.writeUInt32LE(data.length, 52);
  return Buffer.concat([header, Buffer.from(text), data]);
}

/** A journal as it grows: `position` is what a sync that begins now covers. */
class Journal {
  bytes = Buffer.alloc(0);

  get position(): number {
    return this.bytes.length;
  }

  add(...args: Parameters<typeof record>): void {
    this.bytes = Buffer.concat([this.bytes, record(...args)]);
  }
}

/** Runs `make` in fresh directories, each with a power loss of its own; what was seen afterwards. */
function seenAfter(
  make: (watched: WatchedDirectory, journal: Journal) => void,
  see: (root: string) => string,
): Set<string> {
  const random = new Random(7);
  const seen = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), "synod-crash-image-"));
    const watched = watchedIn(folder, "data");
    mkdirSync(watched.root);
    const journal = new Journal();
    make(watched, journal);
    writeFileSync(watched.journal, journal.bytes);
    losePower(watched, random);
    seen.add(see(watched.root));
    assert.deepEqual(readdirSync(watched.removed), [], "nothing is put aside any more");
    assert.deepEqual(settledJournal(watched), [], "all of it is durable");
    rmSync(folder, { recursive: true });
  }
  return seen;
}

/** `f` of two sectors of 1s, then overwritten with 2s, a record for each; what is read is 2s. */
function overwritten(root: string, journal: Journal): number {
  writeFileSync(join(root, "f"), Buffer.alloc(2 * SECTOR, 2));
  const { ino } = statSync(join(root, "f"));
  const size = 2 * SECTOR;
  journal.add([1, ino, 0, size, size, size], "", Buffer.alloc(size, 1));
  return ino;
}

const sectorsOf = (root: string): string => {
  const bytes = readFileSync(join(root, "f"));
  return `${bytes[0]}${bytes[SECTOR]}${bytes.length === 2 * SECTOR ? "" : ` ${bytes.length}`}`;
};

test("each sector that no sync covers is old or new", () => {
  const seen = seenAfter(({ root }, journal) => overwritten(root, journal), sectorsOf);
  assert.deepEqual([...seen].sort(), ["11", "12", "21", "22"]);
});

test("a sync covers what was written before it began, and nothing after that", () => {
  const after = seenAfter(({ root }, journal) => {
    const before = journal.position;
    const ino = overwritten(root, journal);
    journal.add([2, ino, before]);
  }, sectorsOf);
  assert.ok(after.size > 1, "the sync had begun before the write");
  const covered = seenAfter(({ root }, journal) => {
    const ino = overwritten(root, journal);
    journal.add([2, ino, journal.position]);
  }, sectorsOf);
  assert.deepEqual([...covered], ["22"]);
});

test("a write through a descriptor that syncs makes its own sectors durable, with all that was written there", () => {
  const seen = seenAfter(({ root }, journal) => {
    const ino = overwritten(root, journal);
    journal.add([3, ino, SECTOR, 8, journal.position]);
  }, sectorsOf);
  assert.deepEqual([...seen].sort(), ["12", "22"]);
});

test("after a sync that failed, later syncs make only sectors durable that were written anew", () => {
  const failed = (root: string, journal: Journal): number => {
    const ino = overwritten(root, journal);
    journal.add([4, ino, journal.position]);
    return ino;
  };
  const again = seenAfter(({ root }, journal) => {
    journal.add([2, failed(root, journal), journal.position]);
  }, sectorsOf);
  assert.deepEqual([...again].sort(), ["11", "12", "21", "22"]);
  const rewritten = seenAfter(({ root }, journal) => {
    const ino = failed(root, journal);
    journal.add([1, ino, 0, SECTOR, 2 * SECTOR, 2 * SECTOR], "", Buffer.alloc(SECTOR, 2));
    journal.add([2, ino, journal.position]);
  }, sectorsOf);
  assert.deepEqual([...rewritten].sort(), ["21", "22"]);
});

test("a file that grew may have its old length, and zeros where nothing got to the disk", () => {
  const seen = seenAfter(({ root }, journal) => {
    writeFileSync(join(root, "f"), Buffer.alloc(2 * SECTOR, 2));
    const { ino } = statSync(join(root, "f"));
    journal.add([1, ino, SECTOR, SECTOR, SECTOR, 2 * SECTOR]);
  }, sectorsOf);
  assert.deepEqual([...seen].sort(), ["20", "22", "2undefined 512"]);
});

test("what was written through a mapping is left as it is", () => {
  const seen = seenAfter(({ root }, journal) => {
    journal.add([9, overwritten(root, journal)], "f");
  }, sectorsOf);
  assert.deepEqual([...seen], ["22"]);
});

test("a directory made and filled may be gone with what is in it, or empty", () => {
  const seen = seenAfter(
    ({ root }, journal) => {
      mkdirSync(join(root, "d"));
      writeFileSync(join(root, "d/f"), "1");
      const inode = (...names: string[]): number => statSync(join(root, ...names)).ino;
      journal.add([5, inode("d"), inode()], "d");
      journal.add([5, inode("d", "f"), inode("d")], "f");
    },
    (root) => readdirSync(root, { recursive: true }).sort().join(),
  );
  assert.deepEqual([...seen].sort(), ["", "d", "d,d/f"]);
});

test("the record that a process was just writing when it died does not count", () => {
  const folder = mkdtempSync(join(tmpdir(), "synod-crash-image-"));
  const watched = watchedIn(folder, "data");
  const whole = record([8, 0], "write-eio f");
  writeFileSync(watched.journal, Buffer.concat([whole, record([8, 0], "sync-eio g").subarray(0, 60)]));
  assert.deepEqual(settledJournal(watched), [{ kind: "fault", text: "write-eio f" }]);
  assert.equal(statSync(watched.journal).size, whole.length);
  rmSync(folder, { recursive: true });
});
