// Sectors that the disk cannot read (EIO): each is damage of the file that it is in, decided as bytes that are wrong
// are, and what a second try brings is no damage.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chosen,
  describeRecovered,
  learned,
  readAll,
  text,
  vote,
  WalLife,
} from "../../test/support/wal-life.js";
import { ioError } from "../base/io-error.js";
import { Random } from "../base/random.js";
import { LAST_SLOT } from "../paxos/ballot.js";
import type { Disk, DiskFile } from "./disk.js";
import { DataDirectory, DataDirectoryError } from "./identity.js";
import { MemoryDisk } from "./memory-disk.js";
import { createLog } from "./open-log.js";
import { PROMISE_NAMES, readPromises } from "./promise-file.js";
import { segmentName } from "./segment-files.js";
import { readAround, readPart } from "./unreadable.js";

const SECTOR = 512;
const BLOCK = 4096;
const FIRST = segmentName(1);
/** What stands for bytes that cannot be read, and what a client may write as well. */
const STANDING_IN = 0xe5;

const shown = (life: WalLife) => describeRecovered(life.recovered) as Record<string, unknown>;

/** Three lives: long and short batches in several segments, the last of them not closed. */
async function written(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  for (let life = 0; life < 3; life += 1) {
    const log = await WalLife.open(disk, { segmentBytes: 4096 });
    const at = 4 * life;
    await log.sync(
      [vote(at + 1, 5 + life, "short"), vote(at + 2, 5 + life, text("l".repeat(1300)))],
      5 + life,
    );
    await log.sync([learned(at + 1, "short"), chosen(at + 1)]);
    await log.sync([vote(at + 3, 5 + life, text(`z${"\0".repeat(1200)}z`)), vote(at + 4, 5 + life, "last")]);
    disk.crash();
  }
  return disk;
}

async function recovered(disk: MemoryDisk): Promise<unknown> {
  try {
    return shown(await WalLife.open(disk, { segmentBytes: 4096 }));
  } catch (error) {
    return (error as Error).message;
  }
}

/** Where the next batch would begin. */
function endOf(disk: MemoryDisk, name: string): number {
  const last = disk.bytesOf(name).findLastIndex((byte) => byte !== 0);
  return Math.ceil((last + 1) / SECTOR) * SECTOR;
}

test("wherever a sector of the log cannot be read, that is what noise in it would be", async () => {
  const disk = await written();
  const whole = await recovered(disk.copy());
  const random = new Random(1);
  let differing = 0;
  const segments = disk.names().filter((name) => name.startsWith("log-"));
  for (const name of segments) {
    const end = name === segments.at(-1) ? endOf(disk, name) : Number.POSITIVE_INFINITY;
    for (let at = 0; at < disk.bytesOf(name).length; at += SECTOR) {
      const noisy = disk.copy();
      // Of a sector beside it, zeros where the next batch had to begin say no more than noise there.
      const noiseAt = Math.min(at, end);
      for (let i = noiseAt; i < noiseAt + SECTOR; i += 1) noisy.bytesOf(name)[i] = 1 + random.below(255);
      const lost = disk.copy();
      lost.loseSectors(name, at, at + SECTOR);
      const found = await recovered(lost);
      assert.deepEqual(found, await recovered(noisy), `${name}, ${at}`);
      if (JSON.stringify(found) !== JSON.stringify(whole)) differing += 1;
    }
  }
  assert.ok(differing > 10);
});

async function votes(disk: MemoryDisk, value: Uint8Array): Promise<WalLife> {
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "one")], 5);
  await life.sync([vote(2, 5, value)]);
  await life.sync([vote(3, 5, "three")]);
  return life;
}

test("a value that is what stands for lost bytes is not read, and is faulty", async () => {
  const disk = new MemoryDisk();
  await votes(disk, new Uint8Array(1500).fill(STANDING_IN));
  disk.crash();
  const at = Buffer.from(disk.bytesOf(FIRST)).indexOf(STANDING_IN);
  const sector = Math.ceil(at / SECTOR) * SECTOR;
  disk.loseSectors(FIRST, sector, sector + SECTOR);
  const { accepted, faulty } = (await WalLife.open(disk)).recovered;
  assert.deepEqual(faulty, [{ from: 2, to: 2, ballot: 5 }]);
  assert.deepEqual(
    accepted.map(({ slot }) => slot),
    [1, 3],
  );
});

test("nor is it written again as the vote that it was, by the life that finds it in the last batch", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync(
    [vote(1, 5, "one"), vote(2, 5, new Uint8Array(1500).fill(STANDING_IN)), vote(3, 5, "three")],
    5,
  );
  disk.crash();
  const at = Buffer.from(disk.bytesOf(FIRST)).indexOf(STANDING_IN);
  const sector = Math.ceil(at / SECTOR) * SECTOR;
  disk.loseSectors(FIRST, sector, sector + SECTOR);
  for (let lives = 0; lives < 2; lives += 1) {
    const { accepted, faulty } = (await WalLife.open(disk)).recovered;
    assert.deepEqual(faulty, [{ from: 2, to: 2, ballot: 5 }]);
    assert.deepEqual(
      accepted.map(({ slot }) => slot),
      [1, 3],
    );
    disk.crash();
  }
});

test("behind the last batch: beside where the next had to begin one may have been synced, further on none was", async () => {
  const perSector = BLOCK / SECTOR;
  // By the place in its block that the next batch would begin at.
  for (const place of [3, perSector - 1]) {
    for (let sectors = 0; sectors <= perSector; sectors += 1) {
      const disk = new MemoryDisk();
      const life = await votes(disk, text("two"));
      while ((endOf(disk, FIRST) / SECTOR) % perSector !== place) await life.sync([vote(4, 5, "four")]);
      disk.crash();
      const end = endOf(disk, FIRST);
      disk.loseSectors(FIRST, end + sectors * SECTOR, end + (sectors + 1) * SECTOR);
      const { faulty, accepted } = (await WalLife.open(disk)).recovered;
      const isBeside = sectors <= 1 || place + sectors < perSector;
      assert.deepEqual(
        faulty.map(({ to }) => to),
        isBeside ? [LAST_SLOT] : [],
        `${place} and ${sectors}`,
      );
      if (!isBeside) assert.ok(accepted.length >= 3);
    }
  }
});

test("a torn batch beside a sector that cannot be read was perhaps synced", async () => {
  for (const [hole, isLost] of [
    [2, true],
    [BLOCK / SECTOR + 1, false],
  ] as const) {
    const disk = new MemoryDisk();
    await votes(disk, text("two"));
    disk.crash();
    const end = endOf(disk, FIRST);
    disk.bytesOf(FIRST).fill(1, end + SECTOR, end + 2 * SECTOR);
    disk.loseSectors(FIRST, end + hole * SECTOR, end + (hole + 1) * SECTOR);
    const { faulty } = (await WalLife.open(disk)).recovered;
    assert.equal(faulty.length, isLost ? 1 : 0);
  }
});

test("a last batch with a sector of zeros and one that cannot be read was perhaps synced", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "one")], 5);
  await life.sync([vote(2, 5, text("t".repeat(2000)))]);
  disk.crash();
  const at = Math.ceil(Buffer.from(disk.bytesOf(FIRST)).indexOf("tttt") / SECTOR) * SECTOR;
  disk.bytesOf(FIRST).fill(0, at, at + SECTOR);
  const torn = disk.copy();
  assert.deepEqual((await WalLife.open(torn)).recovered.faulty, []);
  disk.loseSectors(FIRST, at + SECTOR, at + 2 * SECTOR);
  assert.deepEqual((await WalLife.open(disk)).recovered.faulty, [{ from: 2, to: 2, ballot: 5 }]);
});

test("the first sector of a segment hides nothing", async () => {
  const disk = new MemoryDisk();
  await votes(disk, text("two"));
  disk.crash();
  disk.loseSectors(FIRST, 0, SECTOR);
  const { accepted, faulty } = (await WalLife.open(disk)).recovered;
  assert.deepEqual([accepted.length, faulty], [3, []]);
});

/** As a file system sees it that must read a block to write a part of it; `onWrite` comes before each write. */
function inBlocks(disk: MemoryDisk, onWrite: (name: string) => void = () => {}): Disk {
  return {
    list: () => disk.list(),
    read: (name) => disk.read(name),
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDirectory: () => disk.syncDirectory(),
    open: async (name, create) => {
      const file = await disk.open(name, create);
      return {
        ...file,
        write: (position, bytes, done) => {
          onWrite(name);
          if (disk.canRead(name)) file.write(position, bytes, done);
          else queueMicrotask(() => done(ioError("write")));
        },
      };
    },
  };
}

test("a copy of the promise that cannot be read is made anew, the other one says what it was", async () => {
  for (const name of PROMISE_NAMES) {
    const disk = new MemoryDisk();
    await votes(disk, text("two"));
    disk.crash();
    disk.loseSectors(name, 0, SECTOR);
    const life = await WalLife.open(inBlocks(disk));
    assert.equal(life.recovered.promised, 5);
    disk.crash();
    const [a, b] = await readPromises(disk, disk.names());
    assert.deepEqual([a?.promised, b], [5, a]);
  }
  const disk = new MemoryDisk();
  await votes(disk, text("two"));
  for (const name of PROMISE_NAMES) disk.loseSectors(name, 0, SECTOR);
  await assert.rejects(
    WalLife.open(disk),
    /promise-a and promise-b cannot be read: the promise of this replica is lost/,
  );
});

test("one that is made anew keeps its name over a crash before the other is written", async () => {
  const disk = new MemoryDisk();
  await votes(disk, text("two"));
  disk.crash();
  disk.loseSectors("promise-a", 0, SECTOR);
  const images: MemoryDisk[] = [];
  const crash = (name: string) => {
    if (name !== "promise-b") return;
    for (let seed = 0; seed < 20; seed += 1) images.push(disk.crashImage(new Random(seed)).disk);
  };
  await WalLife.open(inBlocks(disk, crash));
  assert.ok(images.length > 0);
  for (const image of images) {
    const copies = await readPromises(image, image.names());
    assert.deepEqual(
      copies.map((copy) => copy?.promised),
      [5, 5],
    );
  }
});

test("in a directory that has not begun it is made anew as well", async () => {
  for (const lost of [["promise-a"], ["promise-b"], ["promise-a", "promise-b"]]) {
    const disk = new MemoryDisk();
    await createLog(disk);
    for (const name of lost) disk.loseSectors(name, 0, SECTOR);
    const life = await WalLife.open(inBlocks(disk));
    await life.sync([vote(1, 5, "one")], 5);
  }
});

test("the value of a slot: damaged when its own sector cannot be read, and only then", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  const values = ["a", "b", "c", "d"].map((letter) => text(letter.repeat(1100)));
  await life.sync(
    values.map((value, i) => vote(i + 1, 5, value)),
    5,
  );
  await life.sync([chosen(4)]);
  const at = Buffer.from(disk.bytesOf(FIRST)).indexOf("bbbb");
  const sector = Math.ceil(at / SECTOR) * SECTOR;
  disk.loseSectors(FIRST, sector, sector + SECTOR);
  const slots = async (from: number) => (await life.wal.readChosen(from, 1 << 20)).map(({ slot }) => slot);
  assert.deepEqual([await slots(1), await slots(2), await slots(3)], [[1], [], [3, 4]]);
  assert.deepEqual(await life.wal.check(1, 4, 1 << 20), { next: 3, bytes: 1100 });
});

test("a sector between two values that cannot be read hides neither", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "one")], 5);
  await life.sync([vote(9, 5, "nine")]);
  await life.sync([vote(2, 5, "two"), chosen(2)]);
  const nine = Buffer.from(disk.bytesOf(FIRST)).indexOf("nine");
  disk.loseSectors(FIRST, nine, nine + 1);
  assert.deepEqual(await readAll(life.wal), ["1=one", "2=two"]);
  assert.deepEqual(await life.wal.check(1, 2, 1 << 20), { next: 3, bytes: 6 });
});

/** Every read fails so many times before it succeeds. */
function shaky(disk: MemoryDisk, times: number): Disk {
  const failed = new Map<string, number>();
  const read = <T>(what: string, task: () => Promise<T>): Promise<T> => {
    const count = failed.get(what) ?? 0;
    failed.set(what, count < times ? count + 1 : 0);
    return count < times ? Promise.reject(ioError("read")) : task();
  };
  return {
    list: () => disk.list(),
    read: (name) => read(name, () => disk.read(name)),
    open: async (name, create) => {
      const file: DiskFile = await disk.open(name, create);
      return { ...file, read: (at, length) => read(`${name} ${at}`, () => file.read(at, length)) };
    },
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDirectory: () => disk.syncDirectory(),
  };
}

test("what fails twice and then is read is no damage", async () => {
  const disk = await written();
  const whole = await WalLife.open(disk.copy());
  const life = await WalLife.open(shaky(disk, 2));
  assert.deepEqual([shown(life), life.recovered.damaged], [shown(whole), 0]);
  assert.deepEqual(await readAll(life.wal), await readAll(whole.wal));
});

test("an identity or a genesis that cannot be read is a damaged one", async () => {
  const options = { clusterId: "00000000000000ab", replica: 1, randomHex: () => "0".repeat(32) };
  for (const name of ["identity", "genesis"]) {
    const disk = new MemoryDisk();
    await (await DataDirectory.open(disk, options)).saveGenesis(text("a genesis"));
    disk.loseSectors(name, 0, 1);
    await assert.rejects(DataDirectory.open(disk, options), (error) => {
      assert.ok(error instanceof DataDirectoryError);
      assert.match(
        error.message,
        new RegExp(`the file "${name}" of this data directory is damaged: restore it`),
      );
      return true;
    });
  }
});

test("around what cannot be read all else is, and the holes are told", async () => {
  const disk = new MemoryDisk();
  const bytes = Uint8Array.from({ length: 200_100 }, (_, i) => i % 251);
  disk.put("file", bytes);
  disk.loseSectors("file", 70_000, 71_000);
  disk.loseSectors("file", 200_099, 200_100);
  const from = 70_000 - (70_000 % SECTOR);
  const last = 200_100 - (200_100 % SECTOR);
  const around = await readAround(disk, "file");
  assert.deepEqual(around.holes, [
    { from, to: from + SECTOR },
    { from: from + SECTOR, to: from + 2 * SECTOR },
    { from: from + 2 * SECTOR, to: from + 3 * SECTOR },
    { from: last, to: 200_100 },
  ]);
  const isOfHole = (at: number) => around.holes.some((hole) => hole.from <= at && at < hole.to);
  assert.deepEqual(
    around.bytes,
    bytes.map((byte, at) => (isOfHole(at) ? STANDING_IN : byte)),
  );
  const file = await disk.open("file", false);
  const part = await readPart(file, 100, 150_000, new Uint8Array(150_000));
  assert.deepEqual(part, bytes.subarray(100, from));
  assert.deepEqual(await readPart(file, from, 5), new Uint8Array(0));
});

test("a read that fails otherwise fails, and names the file", async () => {
  const disk = new MemoryDisk();
  disk.put("file", Uint8Array.of(1));
  const failing: Disk = Object.assign(Object.create(disk) as Disk, {
    read: () => Promise.reject(Object.assign(new Error("EACCES: no"), { code: "EACCES" })),
  });
  await assert.rejects(readAround(failing, "file"), { message: "file: EACCES: no", code: "EACCES" });
});
