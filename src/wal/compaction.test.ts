// Compaction as its users see it: what is gone is gone for ever, what is left can be read, and files go when no record
// in them can be of use (A5, L5, F3).
import assert from "node:assert/strict";
import { test } from "node:test";
import { DyingDisk } from "../../test/support/dying-disk.js";
import {
  chosen,
  describeRecovered,
  learned,
  quiet,
  readAll,
  textOf,
  vote,
  WalLife,
} from "../../test/support/wal-life.js";
import { Compaction } from "./compaction.js";
import type { Disk } from "./disk.js";
import { MemoryDisk } from "./memory-disk.js";

const segmentBytes = 4096;
const value = (slot: number) => `value ${slot} ${".".repeat(700)}`;
const segments = async (disk: Disk) =>
  (await disk.list()).filter((name) => name.startsWith("log-")).map((name) => Number(name.slice(4)));
const slotsFrom = async ({ wal }: WalLife, slot: number) =>
  (await wal.readChosen(slot, 1_000_000)).map((entry) => entry.slot);

/** A vote and a watermark for each slot up to `last`, each in a batch of its own: two slots or three in a segment. */
async function filled(disk: Disk, last: number): Promise<WalLife> {
  const life = await WalLife.open(disk, { segmentBytes });
  for (let slot = 1; slot <= last; slot += 1)
    await life.sync([vote(slot, 5, value(slot)), chosen(slot - 1 || 1)], 5);
  await life.sync([chosen(last)]);
  return life;
}

test("what is compacted is gone, what is left can be read, in this life and the next", async () => {
  for (const end of ["close", "crash", "kill"] as const) {
    const disk = new MemoryDisk();
    const life = await filled(disk, 20);
    const { size } = life.wal;
    const before = await segments(disk);
    assert.equal(life.wal.compactedUpTo, 0);
    await life.wal.compact(11);
    await quiet();
    const check = async (one: WalLife) => {
      assert.deepEqual([one.wal.compactedUpTo, one.wal.syncedChosenUpTo], [11, 20]);
      assert.deepEqual(await slotsFrom(one, 11), []);
      assert.deepEqual(await slotsFrom(one, 12), [12, 13, 14, 15, 16, 17, 18, 19, 20]);
      assert.equal(textOf((await one.wal.readChosen(12, 1))[0]!.value), value(12));
    };
    await check(life);
    const left = await segments(disk);
    assert.ok(left.length < before.length - 2 && left[0]! > 3);
    assert.equal(life.wal.size, left.length * segmentBytes - (await spare(life, disk)));
    assert.ok(life.wal.size < size);
    if (end === "close") await life.wal.close();
    else disk[end]();
    const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: 14 });
    assert.deepEqual(describeRecovered(next.recovered), {
      promised: 5,
      chosenUpTo: 20,
      accepted: [],
      learned: [],
      faulty: [],
    });
    assert.deepEqual([next.recovered.compactedUpTo, next.recovered.damaged], [11, 0]);
    await check(next);
    // A vote that comes late is not kept, and a new slot is as ever.
    await next.sync([vote(11, 7, "late"), learned(10, "late"), vote(21, 7, "new")], 7);
    assert.deepEqual(await slotsFrom(next, 10), []);
    disk.crash();
    const last = await WalLife.open(disk, { segmentBytes, appliedUpTo: 14 });
    await check(last);
    assert.deepEqual((describeRecovered(last.recovered) as { accepted: string[] }).accepted, ["21@7=new"]);
  }
});

/** Bytes of a segment that was made ahead. */
async function spare({ wal }: WalLife, disk: MemoryDisk): Promise<number> {
  const all = (await segments(disk)).length * segmentBytes;
  const isAhead = all - wal.size;
  assert.ok(isAhead === 0 || isAhead === segmentBytes);
  return isAhead;
}

test("requests while a batch is under way are one write of the copies, and lower ones resolve at once", async () => {
  const disk = new MemoryDisk();
  const counting = new DyingDisk(disk);
  const life = await filled(counting, 20);
  counting.done.length = 0;
  life.append([vote(21, 5, "under way")]);
  const requests = [life.wal.compact(5), life.wal.compact(9), life.wal.compact(7)];
  await Promise.all(requests);
  assert.equal(life.wal.compactedUpTo, 9);
  const copies = counting.done.filter((operation) => operation.includes("promise"));
  assert.deepEqual(
    copies,
    ["a", "b"].flatMap((copy) => [`write promise-${copy}`, `sync promise-${copy}`]),
  );
  const { length } = counting.done;
  await life.wal.compact(9);
  await life.wal.compact(0);
  assert.equal(counting.done.filter((operation) => !operation.includes("remove")).length <= length, true);
  await quiet();
  assert.equal(life.provenTurn, life.turn);
});

test("files go after both copies are synced, then the directory is synced", async () => {
  const counting = new DyingDisk(new MemoryDisk());
  const life = await filled(counting, 12);
  counting.done.length = 0;
  await life.wal.compact(6);
  await quiet();
  const copies = ["a", "b"].flatMap((copy) => [`write promise-${copy}`, `sync promise-${copy}`]);
  assert.deepEqual(counting.done.slice(0, 4), copies);
  const rest = counting.done.slice(4);
  assert.ok(rest.length >= 2 && rest.slice(0, -1).every((operation) => operation.startsWith("remove log-")));
  assert.equal(rest.at(-1), "sync directory");
});

test("the log goes on while a file cannot be removed, and fails when the removal or its sync does", async () => {
  for (const failing of ["remove", "sync directory"]) {
    const counting = new DyingDisk(new MemoryDisk());
    const life = await filled(counting, 12);
    await life.sync([vote(13, 5, "makes the next segment"), chosen(12)]);
    counting.fault = (operation) => (operation.startsWith(failing) ? new Error(`no ${failing}`) : null);
    await life.wal.compact(6);
    await quiet();
    assert.deepEqual(life.failures.map(String), [`Error: no ${failing}`]);
    await assert.rejects(
      life.wal.compact(8),
      /not compacted up to slot 8, for the log has failed: no .*start/,
    );
    await life.wal.close();
  }
});

test("a log that fails or is closed rejects what it has not compacted", async () => {
  let isBroken = false;
  const disk = new MemoryDisk({
    fault: (kind, name) => (isBroken && kind === "sync" && name === "promise-b" ? new Error("EIO") : null),
  });
  const life = await filled(disk, 12);
  await life.wal.compact(4);
  await quiet();
  const left = await segments(disk);
  isBroken = true;
  await assert.rejects(life.wal.compact(8), /not compacted up to slot 8, for the log has failed: EIO; start/);
  await quiet();
  // One copy may say it now, and that one may be lost.
  assert.deepEqual([life.wal.compactedUpTo, await segments(disk)], [4, left]);
  const whole = await filled(new MemoryDisk(), 12);
  const asked = whole.wal.compact(6);
  const closed = whole.wal.close();
  await assert.rejects(whole.wal.compact(8), /not compacted up to slot 8, for the log is closed; start/);
  await closed;
  await asked;
  assert.equal(whole.wal.compactedUpTo, 6);
});

test("the slot to compact up to: segments go, and the tail that is left is as long as asked, all of it readable", async () => {
  const disk = new MemoryDisk();
  const life = await filled(disk, 30);
  const { wal } = life;
  const { size } = wal;
  assert.equal(wal.compactable(0, 0), 0);
  assert.equal(wal.compactable(30, size), 0);
  assert.equal(wal.compactable(30, Number.POSITIVE_INFINITY), 0);
  let before = 31;
  for (let tail = 0; tail < size; tail += 1000) {
    const upTo = wal.compactable(30, tail);
    assert.ok(upTo <= before);
    before = upTo;
  }
  for (const held of [2, 9, 17, 30]) {
    const upTo = wal.compactable(held, 2 * segmentBytes);
    assert.ok(upTo <= held);
    if (upTo === 0) continue;
    const count = (await segments(disk)).length;
    await wal.compact(upTo);
    await quiet();
    assert.ok((await segments(disk)).length < count && wal.size >= 2 * segmentBytes);
    assert.equal(wal.compactable(held, 2 * segmentBytes), 0);
    // No more than had to go: the first slot that is left is in the first segment that is left.
    assert.deepEqual((await slotsFrom(life, upTo + 1)).length, 30 - upTo);
    assert.ok(Buffer.from(disk.bytesOf(disk.names()[0]!)).includes(value(upTo + 1)));
  }
  assert.ok(wal.compactedUpTo > 9);
});

test("asked for again while it is under way, there is nothing more to compact", async () => {
  const life = await filled(new MemoryDisk(), 20);
  const upTo = life.wal.compactable(20, 0);
  const done = life.wal.compact(upTo);
  assert.equal(life.wal.compactable(20, 0), 0);
  await done;
  assert.equal(life.wal.compactable(20, 0), 0);
});

test("a segment stays while a record in it speaks of a later slot, though a later segment has a newer one", async () => {
  const disk = new MemoryDisk();
  const first = await WalLife.open(disk, { segmentBytes });
  await first.sync([vote(1, 5, value(1)), vote(30, 5, "early")], 5);
  for (let slot = 2; slot <= 20; slot += 1) await first.sync([vote(slot, 5, value(slot)), chosen(slot - 1)]);
  await first.sync([vote(30, 9, "newer"), chosen(20)], 9);
  assert.equal(first.wal.compactable(20, 0), 0);
  await first.wal.compact(20);
  await quiet();
  assert.equal((await segments(disk))[0], 1);
  // After a restart too, where the newer vote is damaged later.
  disk.crash();
  const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: 20 });
  assert.equal(next.wal.compactable(20, 0), 0);
  assert.deepEqual([next.recovered.compactedUpTo, next.recovered.accepted.length], [20, 1]);
  for (let slot = 21; slot <= 30; slot += 1) await next.sync([learned(slot, value(slot)), chosen(slot)]);
  await next.wal.compact(30);
  await quiet();
  assert.ok((await segments(disk))[0]! > 5);
});

test("F3: a snapshot from far above: all but the active segment goes, and no old vote is ever shown again", async () => {
  const disk = new MemoryDisk();
  const life = await filled(disk, 12);
  await life.sync([vote(13, 5, "not chosen"), vote(40, 5, "not chosen either"), vote(600, 5, "kept")]);
  await life.wal.compact(500);
  await quiet();
  const left = await segments(disk);
  assert.ok(left.length <= 2 && left[0]! >= 4);
  await life.sync([learned(501, "after"), chosen(501)]);
  const check = async (one: WalLife) => {
    for (const slot of [1, 12, 13, 40, 500]) assert.deepEqual(await readAll(one.wal, slot), []);
    assert.deepEqual(await readAll(one.wal, 501), ["501=after"]);
  };
  await check(life);
  for (const end of ["kill", "crash"] as const) {
    disk[end]();
    const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: 500 });
    assert.deepEqual(describeRecovered(next.recovered), {
      promised: 5,
      chosenUpTo: 501,
      accepted: ["600@5=kept"],
      learned: [],
      faulty: [],
    });
    await check(next);
  }
});

test("after such a snapshot the segment with the old votes goes with the next one that is begun", async () => {
  const disk = new MemoryDisk();
  const life = await filled(disk, 12);
  await life.wal.compact(500);
  await quiet();
  const active = (await segments(disk))[0]!;
  for (let slot = 501; slot < 520; slot += 1) await life.sync([learned(slot, value(slot)), chosen(slot)]);
  await life.wal.compact(life.wal.compactable(519, 0));
  await quiet();
  assert.ok((await segments(disk))[0]! > active);
  disk.crash();
  const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: 519 });
  assert.deepEqual([next.recovered.chosenUpTo, next.recovered.faulty], [519, []]);
});

test("A4: a machine that has lost its state: what is compacted above it is faulty, never nothing", async () => {
  const disk = new MemoryDisk();
  const life = await filled(disk, 20);
  await life.wal.compact(11);
  await quiet();
  disk.crash();
  for (const appliedUpTo of [0, 7]) {
    const { recovered, wal } = await WalLife.open(disk, { segmentBytes, appliedUpTo });
    assert.deepEqual([recovered.chosenUpTo, recovered.compactedUpTo], [appliedUpTo, 11]);
    assert.deepEqual(recovered.faulty, [{ from: appliedUpTo + 1, to: 11, ballot: 0 }]);
    assert.deepEqual(
      recovered.learned.map(({ slot }) => slot),
      [12, 13, 14, 15, 16, 17, 18, 19, 20],
    );
    assert.equal(wal.compactedUpTo, 11);
    disk.crash();
  }
});

test("L5: a start compacts up to the last executed slot that the log does not show, before anything is appended", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes });
  await life.sync(
    [1, 2, 3, 4, 5].map((slot) => vote(slot, 5, `mine ${slot}`)),
    5,
  );
  await life.sync([learned(1, "chosen"), learned(2, "chosen"), learned(4, "chosen")]);
  disk.crash();
  // Slot 3 may have been chosen with another value.
  const first = new DyingDisk(disk);
  const next = await WalLife.open(first, { segmentBytes, appliedUpTo: 4 });
  assert.deepEqual([next.recovered.chosenUpTo, next.recovered.compactedUpTo], [4, 3]);
  assert.deepEqual(await readAll(next.wal, 4), ["4=chosen"]);
  const opening = first.done.indexOf("sync promise-b");
  assert.ok(
    first.done.findIndex((operation, at) => at > opening && operation.startsWith("write log-")) > opening,
  );
  await next.sync([learned(5, "chosen"), chosen(5)]);
  disk.crash();
  // Whatever the machine says now: the log does not show a value that may be another one.
  for (const appliedUpTo of [5, 2]) {
    const last = await WalLife.open(disk, { segmentBytes, appliedUpTo });
    assert.equal(last.recovered.compactedUpTo, 3);
    assert.deepEqual(await readAll(last.wal, 3), []);
    assert.deepEqual(await readAll(last.wal, 4), ["4=chosen", "5=chosen"]);
    disk.crash();
  }
});

test("a read under way of a segment that goes ends well, and its file goes after it", async () => {
  const disk = new MemoryDisk();
  const { wal } = await filled(disk, 20);
  const reading = readAll(wal, 1);
  const gone = wal.compact(15);
  const entries = await reading;
  assert.equal(entries[0], `1=${value(1)}`);
  await gone;
  assert.deepEqual(await readAll(wal, 15), []);
  assert.equal((await readAll(wal, 16)).length, 5);
});

test("a tail is counted by its batches, for short lives leave files nearly empty; four times as much in files is enough", () => {
  const starts = Array.from({ length: 9 }, (_, i) => ({ segment: i + 2, sequence: i, spokenUpTo: i + 1 }));
  const compaction = new Compaction({ lowest: 1, sequence: 0, compactedUpTo: 0 }, starts);
  const sizes = (used: number) =>
    new Map(Array.from({ length: 10 }, (_, i) => [i + 1, { bytes: 100, used }]));
  // Full ones: three are left of ten. Nearly empty ones: those are left that have four times the tail in files.
  assert.equal(compaction.compactable(99, 270, sizes(90)), 7);
  assert.equal(compaction.compactable(99, 271, sizes(90)), 6);
  assert.equal(compaction.compactable(99, 100, sizes(10)), 6);
  assert.equal(compaction.compactable(99, 200, sizes(10)), 2);
  assert.equal(compaction.compactable(4, 100, sizes(10)), 4);
  assert.equal(compaction.compactable(99, 300, sizes(10)), 0);
});
