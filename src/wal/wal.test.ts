// The log as its users see it: group commit, proofs in order, marks, segments, and reading what is chosen.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chosen,
  describeRecovered,
  learned,
  quiet,
  readAll,
  vote,
  WalLife,
} from "../../test/support/wal-life.js";
import type { Disk, DiskFile } from "./disk.js";
import { MemoryDisk } from "./memory-disk.js";

test("an empty directory begins an empty log", async () => {
  const { recovered, wal } = await WalLife.open(new MemoryDisk());
  assert.deepEqual(recovered, {
    promised: 0,
    chosenUpTo: 0,
    compactedUpTo: 0,
    accepted: [],
    learned: [],
    faulty: [],
    damaged: 0,
  });
  assert.deepEqual(await readAll(wal), []);
});

test("promise, votes, learned values and the watermark are there after a close and after a crash", async () => {
  for (const end of ["close", "crash", "kill"] as const) {
    const disk = new MemoryDisk();
    const life = await WalLife.open(disk);
    await life.sync([vote(1, 65537, "a"), vote(2, 65537, "b"), vote(3, 65537, "c")], 65537);
    await life.sync([learned(2, "B"), chosen(2), vote(5, 131073, "e"), learned(7, "g")], 196609);
    if (end === "close") await life.wal.close();
    else disk[end]();
    const next = await WalLife.open(disk);
    assert.deepEqual(describeRecovered(next.recovered), {
      promised: 196609,
      chosenUpTo: 2,
      accepted: ["3@65537=c", "5@131073=e"],
      learned: ["7=g"],
      faulty: [],
    });
    assert.deepEqual(await readAll(next.wal), ["1=a", "2=B"]);
    assert.equal(next.wal.syncedChosenUpTo, 2);
  }
});

test("group commit: what is appended while a batch is under way is one batch, with one write and one sync", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes: 1024 * 1024 });
  await life.sync([vote(1, 1, "a")], 1);
  const { writes, syncs } = disk;
  for (let slot = 2; slot <= 50; slot += 1) life.append([vote(slot, 1, "b")]);
  await quiet();
  assert.deepEqual(life.proven, [1, 2, 50]);
  assert.equal(disk.writes - writes, 2);
  assert.equal(disk.syncs - syncs, 2);
});

test("a turn without records is proven when those before it are, later, never within append", async () => {
  const life = await WalLife.open(new MemoryDisk());
  const turn = life.append([], 0, false);
  assert.equal(life.provenTurn, 0);
  await quiet();
  assert.equal(life.provenTurn, turn);
  life.append([vote(1, 1, "a")]);
  life.append([]);
  await quiet();
  assert.deepEqual(life.proven, [1, 2, 3]);
});

test("a watermark alone waits for the next urgent batch, for the mark, or for flush", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 1, "a"), vote(2, 1, "b"), vote(3, 1, "c")], 1);
  life.append([chosen(1)], 0, false);
  await quiet();
  assert.equal(life.provenTurn, 1);
  assert.equal(life.wal.syncedChosenUpTo, 0);
  const { writes } = disk;
  await life.sync([vote(4, 1, "d")]);
  assert.equal(disk.writes, writes + 1);
  assert.equal(life.wal.syncedChosenUpTo, 1);
  life.append([chosen(2)], 0, false);
  await life.mark();
  assert.equal(disk.writes, writes + 2);
  assert.equal(life.wal.syncedChosenUpTo, 2);
  life.append([chosen(3)], 0, false);
  life.wal.flush();
  await quiet();
  assert.deepEqual([life.wal.syncedChosenUpTo, life.provenTurn], [3, 4 + 1]);
});

test("a mark is written once, 10 ms after the last batch; it needs no mark, and idle logs write nothing", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 1, "a")], 1);
  life.clock.advance(5);
  await life.sync([vote(2, 1, "b")]);
  const { writes } = disk;
  life.clock.advance(9);
  await quiet();
  assert.equal(disk.writes, writes);
  life.clock.advance(1);
  await quiet();
  assert.equal(disk.writes, writes + 1);
  for (let i = 0; i < 20; i += 1) await life.mark();
  assert.equal(disk.writes, writes + 1);
  assert.equal(life.clock.timers, 0);
});

test("the log goes over to new segments, and a batch may be larger than one", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes: 4096 });
  const expected: string[] = [];
  for (let slot = 1; slot <= 60; slot += 1) {
    const value = "x".repeat(slot % 7 === 0 ? 9000 : slot * 3);
    expected.push(`${slot}=${value}`);
    await life.sync([vote(slot, 1, value)], 1);
  }
  await life.sync([chosen(60)]);
  assert.deepEqual(await readAll(life.wal), expected);
  assert.ok((await disk.list()).length > 10);
  disk.crash();
  const next = await WalLife.open(disk, { segmentBytes: 4096 });
  assert.equal(next.recovered.chosenUpTo, 60);
  assert.equal(next.recovered.damaged, 0);
  assert.deepEqual(await readAll(next.wal), expected);
  let size = 0;
  for (const name of await disk.list()) if (name.startsWith("log-")) size += disk.bytesOf(name).length;
  assert.equal(next.wal.size, size);
});

test("readChosen keeps to its limit, gives one value at least, and ends at the first that is not chosen", async () => {
  const life = await WalLife.open(new MemoryDisk(), { segmentBytes: 64 * 1024 });
  for (let slot = 1; slot <= 9; slot += 1) await life.sync([vote(slot, 1, "0123456789")], 1);
  await life.sync([chosen(8)]);
  const slots = async (from: number, maxBytes: number) =>
    (await life.wal.readChosen(from, maxBytes)).map(({ slot }) => slot);
  assert.deepEqual(await slots(1, 35), [1, 2, 3]);
  assert.deepEqual(await slots(4, 5), [4]);
  assert.deepEqual(await slots(7, 1000), [7, 8]);
  assert.deepEqual(await slots(9, 1000), []);
  assert.deepEqual(await slots(1000, 1000), []);
});

test("after an orderly close the log goes on in the same segment, after any other end in a new one", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 1, "a")], 1);
  await life.wal.close();
  assert.deepEqual(await disk.list(), ["log-0000000001", "promise-a", "promise-b"]);
  const second = await WalLife.open(disk);
  await second.sync([vote(2, 1, "b")]);
  assert.deepEqual(await disk.list(), ["log-0000000001", "promise-a", "promise-b"]);
  disk.kill();
  const third = await WalLife.open(disk);
  assert.deepEqual(await disk.list(), ["log-0000000001", "log-0000000002", "promise-a", "promise-b"]);
  assert.equal(third.recovered.accepted.length, 2);
});

test("a failed write or sync is told once; nothing is acknowledged or written after it", async () => {
  for (const operation of ["write", "sync"] as const) {
    let broken = false;
    const disk = new MemoryDisk({
      fault: (kind) => (broken && kind === operation ? new Error(`no ${operation}`) : null),
    });
    const life = await WalLife.open(disk);
    await life.sync([vote(1, 1, "a")], 1);
    broken = true;
    life.append([vote(2, 1, "b")]);
    life.append([vote(3, 1, "c")]);
    await quiet();
    broken = false;
    const { writes } = disk;
    life.append([vote(4, 1, "d")], 9);
    await life.mark();
    await life.wal.close();
    assert.deepEqual(
      life.failures.map((error) => error.message),
      [`no ${operation}`],
    );
    assert.equal(life.provenTurn, 1);
    assert.equal(disk.writes, writes);
  }
});

/** The disk when it reads only after `gate`, and cannot read a file that was closed meanwhile. */
function slowToRead(disk: MemoryDisk, gate: Promise<void>): Disk {
  const slow = (file: DiskFile): DiskFile => {
    let isOpen = true;
    return {
      name: file.name,
      size: () => file.size(),
      read: async (position, length) => {
        await gate;
        if (!isOpen) throw new Error("EBADF");
        return file.read(position, length);
      },
      write: (position, bytes, done) => file.write(position, bytes, done),
      sync: (done) => file.sync(done),
      close: async () => {
        isOpen = false;
      },
    };
  };
  return {
    list: () => disk.list(),
    read: (name) => disk.read(name),
    open: async (name, create) => slow(await disk.open(name, create)),
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDirectory: () => disk.syncDirectory(),
  };
}

test("close waits for reads under way, of segments of earlier lives too, and after it nothing is read", async () => {
  const disk = new MemoryDisk();
  const first = await WalLife.open(disk);
  await first.sync([vote(1, 1, "a"), chosen(1)], 1);
  disk.crash();
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const { wal } = await WalLife.open(slowToRead(disk, gate), { appliedUpTo: 1 });
  const read = readAll(wal);
  let isClosed = false;
  const closed = wal.close().then(() => {
    isClosed = true;
  });
  await quiet();
  assert.equal(isClosed, false);
  open();
  assert.deepEqual(await read, ["1=a"]);
  await closed;
  assert.deepEqual(await readAll(wal), []);
});

test("a segment that is compacted is closed and removed after the reads under way, and no batch waits for that", async () => {
  const disk = new MemoryDisk();
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const life = await WalLife.open(slowToRead(disk, gate), { segmentBytes: 4096 });
  for (let slot = 1; slot <= 12; slot += 1)
    await life.sync([vote(slot, 1, "x".repeat(900)), chosen(slot)], 1);
  const { size } = life.wal;
  const read = life.wal.readChosen(1, 1000);
  await life.wal.compact(5);
  await life.sync([vote(13, 1, "goes on")]);
  await life.wal.compact(12);
  assert.deepEqual([disk.has("log-0000000001"), life.wal.size], [true, size]);
  open();
  assert.deepEqual(
    (await read).map(({ slot }) => slot),
    [1],
  );
  await quiet();
  assert.ok(disk.names()[0]! > "log-0000000003" && life.wal.size < size);
  assert.deepEqual(life.failures, []);
});

test("values of zeros are read back, whole sectors of them too", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes: 64 * 1024 });
  await life.sync([vote(1, 1, new Uint8Array(5000)), vote(2, 1, new Uint8Array(0)), vote(3, 1, "z")], 1);
  disk.crash();
  const { recovered } = await WalLife.open(disk);
  assert.deepEqual(
    recovered.accepted.map(({ value }) => value.length),
    [5000, 0, 1],
  );
  assert.deepEqual(recovered.faulty, []);
});
