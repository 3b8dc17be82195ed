// The record that hidden votes are void (A8): faults of damage before the life that wrote it go, all later damage
// counts afresh; it is there or not, whatever ends the process; and the log is bounded again, and is compacted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, quiet, readAll, vote, WalLife } from "../../test/support/wal-life.js";
import { checkDamaged, LogState, type Turn } from "../../test/support/wal-model.js";
import { LAST_SLOT } from "../paxos/ballot.js";
import type { LogRecord, VoidRecord } from "../paxos/outbox.js";
import { MemoryDisk } from "./memory-disk.js";

const segmentBytes = 4096;
const SECTOR = 512;
const FREE = { to: LAST_SLOT, ballot: 0 };

/** Slots 1 to 3 are chosen, and there are votes of ballot 5 in 4, in 8 and, at the end, in 9. */
const BEFORE: readonly Turn[] = [
  { promise: 5, records: [vote(1, 5, "one"), vote(2, 5, "two"), vote(3, 5, "three")] },
  { promise: 0, records: [chosen(3), vote(4, 5, "four"), vote(8, 5, "eight")] },
  { promise: 0, records: [vote(9, 5, "nine")] },
];
const voids = (from: number, ballot: number): VoidRecord => ({ kind: "void", from, ballot });

/** The leader of ballot 9 has recovered slots up to 5; before and after its word there are votes at its ballot. */
const AFTER: readonly Turn[] = [
  { promise: 9, records: [vote(10, 9, "ten, and what comes with it")] },
  { promise: 0, records: [vote(6, 9, "six, and what comes with it")] },
  { promise: 0, records: [voids(6, 9), vote(7, 9, "seven, and what comes with it")] },
  { promise: 0, records: [vote(4, 9, "four again")] },
  { promise: 0, records: [vote(5, 9, "five")] },
];

/** The newest segment with a batch in it. */
function newestLog(disk: MemoryDisk): Uint8Array {
  const logs = disk.names().filter((name) => name.startsWith("log-"));
  return disk.bytesOf(
    logs.filter((name) => disk.bytesOf(name).some((byte, at) => at >= SECTOR && byte !== 0)).at(-1)!,
  );
}

function endOf(bytes: Uint8Array): number {
  return Math.ceil((bytes.findLastIndex((byte) => byte !== 0) + 1) / SECTOR) * SECTOR;
}

/** Rubbish in the place of the last batch, of one sector: nobody can tell which slots it spoke of. */
function hideEnd(disk: MemoryDisk): void {
  const bytes = newestLog(disk);
  bytes.fill(0xd7, endOf(bytes) - SECTOR, endOf(bytes));
}

async function play(disk: MemoryDisk, turns: readonly Turn[]): Promise<WalLife> {
  const life = await WalLife.open(disk, { segmentBytes });
  for (const { promise, records } of turns) await life.sync(records, promise);
  return life;
}

/** Its log has lost its end; the next life has not begun. */
async function hidden(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await play(disk, BEFORE);
  disk.crash();
  hideEnd(disk);
  return disk;
}

async function faultyOf(disk: MemoryDisk): Promise<unknown> {
  const copy = disk.copy();
  return (await WalLife.open(copy, { segmentBytes })).recovered.faulty;
}

test("what is hidden above goes with the record, in its own life and in the next ones; what is below stays", async () => {
  const disk = await hidden();
  assert.deepEqual(await faultyOf(disk), [{ from: 4, ...FREE }]);
  const life = await play(disk, AFTER.slice(0, 2));
  disk.crash();
  assert.deepEqual(await faultyOf(disk), [
    { from: 4, to: 5, ballot: 0 },
    { from: 7, to: 9, ballot: 0 },
    { from: 11, ...FREE },
  ]);
  assert.equal(life.failures.length, 0);
  const next = await play(disk, AFTER.slice(2, 3));
  for (let lives = 0; lives < 3; lives += 1) {
    disk.crash();
    const { recovered } = await WalLife.open(disk, { segmentBytes });
    assert.deepEqual(recovered.faulty, [{ from: 4, to: 5, ballot: 0 }], `life ${lives}`);
    assert.deepEqual(
      recovered.accepted.map(({ slot, ballot }) => [slot, ballot]),
      [
        [6, 9],
        [7, 9],
        [10, 9],
      ],
    );
    assert.equal(recovered.promised, 9);
  }
  assert.equal(next.failures.length, 0);
});

test("the promise is at least the ballot of the record, whatever the copies of the promise say", async () => {
  const disk = await hidden();
  await play(disk, [{ promise: 0, records: [voids(6, 9)] }]);
  disk.crash();
  assert.equal((await WalLife.open(disk, { segmentBytes })).recovered.promised, 9);
});

test("what comes with the record is found where it is", async () => {
  const disk = await hidden();
  const life = await play(disk, AFTER);
  await life.sync([chosen(7)]);
  assert.deepEqual(await readAll(life.wal, 4), [
    "4=four again",
    "5=five",
    "6=six, and what comes with it",
    "7=seven, and what comes with it",
  ]);
});

test("a life that found the record says it again: it holds where the first was never synced, and no newer damage", async () => {
  const disk = await hidden();
  const life = await play(disk, AFTER.slice(0, 3));
  const end = endOf(newestLog(disk));
  const first = newestLog(disk);
  await WalLife.open(disk, { segmentBytes });
  first.fill(0, end - SECTOR, end);
  assert.deepEqual(await faultyOf(disk), [{ from: 4, to: 5, ballot: 0 }]);
  assert.equal(life.failures.length, 0);
  // That life wrote no more than its first batch: what is gone of it may have been anything.
  hideEnd(disk);
  const faulty = (await faultyOf(disk)) as { to: number }[];
  assert.equal(faulty.at(-1)!.to, LAST_SLOT);
});

test("at whatever byte the write of the record ends, it holds or does not; every vote of the life is there", async () => {
  const disk = await hidden();
  await play(disk, AFTER.slice(0, 2));
  const before = disk.copy();
  await play(disk, AFTER.slice(2, 3));
  const [old, name] = [
    before,
    disk
      .names()
      .filter((one) => one.startsWith("log-"))
      .at(-1)!,
  ];
  const written = disk.bytesOf(name);
  const outcomes = new Set<string>();
  for (let length = 0; length <= written.length; length += 8) {
    const torn = disk.copy();
    const bytes = torn.bytesOf(name);
    bytes.fill(0, length);
    if (!old.has(name) && length < SECTOR) continue;
    const life = await WalLife.open(torn, { segmentBytes });
    await checkDamaged(life, LogState.of(AFTER.slice(0, 2)), LogState.of([...BEFORE, ...AFTER.slice(0, 3)]));
    outcomes.add(JSON.stringify(life.recovered.faulty.at(-1)!.to));
  }
  // Within a sector it is rot of the vote that is beside it.
  assert.deepEqual([...outcomes].sort(), ["5", "7", String(LAST_SLOT)]);
});

test("damage at the end after the record counts afresh, and can be void in its turn", async () => {
  const disk = await hidden();
  await play(disk, AFTER);
  disk.crash();
  hideEnd(disk);
  for (let lives = 0; lives < 2; lives += 1) {
    const { recovered } = await WalLife.open(disk, { segmentBytes });
    assert.deepEqual(recovered.faulty, [{ from: 4, ...FREE }], `life ${lives}`);
    disk.crash();
  }
  await play(disk, [{ promise: 20, records: [vote(13, 20, "later"), voids(12, 20)] }]);
  disk.crash();
  assert.deepEqual(await faultyOf(disk), [{ from: 4, to: 11, ballot: 0 }]);
});

const ENDINGS = ["killed", "marked", "closed", "restarted"];
const DAMAGES: readonly [string, number, (bytes: Uint8Array, at: number) => void][] = [
  ["a flipped bit", 13, (bytes, at) => (bytes[at]! ^= 1 << (at % 8))],
  ["a zeroed sector", SECTOR, (bytes, at) => bytes.fill(0, at, at + SECTOR)],
  ["two sectors of rubbish", SECTOR, (bytes, at) => bytes.fill(0xd7, at, at + 2 * SECTOR)],
];

/** What must not be passed over: of the old votes those up to slot 5, and all of the life that wrote the record. */
const TRUTH = LogState.of([
  { promise: 5, records: [...BEFORE[0]!.records, chosen(3), vote(4, 5, "four")] },
  ...AFTER,
]);

for (const [what, step, damage] of DAMAGES) {
  test(`${what} anywhere, before, at or after the record: no vote of the life that wrote it is passed over`, async () => {
    // Zeros at an end without mark are a write that never was (F23).
    for (const endings of step === SECTOR && what.includes("zero") ? ["marked"] : ENDINGS) {
      const disk = await hidden();
      const life = await play(disk, AFTER);
      if (endings === "marked") await life.mark();
      if (endings === "closed") await life.wal.close();
      disk.crash();
      if (endings === "restarted") {
        await WalLife.open(disk, { segmentBytes });
        disk.crash();
      }
      const all = LogState.of([...BEFORE, ...AFTER]);
      for (const name of disk.names().filter((one) => one.startsWith("log-"))) {
        const end = disk.bytesOf(name).findLastIndex((byte) => byte !== 0) + 1;
        for (let at = SECTOR; at < end; at += step) {
          const copy = disk.copy();
          damage(copy.bytesOf(name), at);
          for (let lives = 0; lives < 2; lives += 1) {
            await checkDamaged(await WalLife.open(copy, { segmentBytes }), TRUTH, all);
            copy.crash();
          }
        }
      }
    }
  });
}

test("a void says nothing of votes that are lost of the life that wrote it, also where it is said again", async () => {
  const disk = await hidden();
  const life = await play(disk, AFTER.slice(0, 2));
  const end = endOf(newestLog(disk));
  await life.sync(AFTER[2]!.records);
  disk.crash();
  // Both batches before the record are lost, so that nothing names their slots.
  newestLog(disk).fill(0xd7, end - 2 * SECTOR, end);
  for (let lives = 0; lives < 3; lives += 1) {
    const { recovered } = await WalLife.open(disk, { segmentBytes });
    const faulty = recovered.faulty.map(({ from, to }) => [from, to]);
    assert.deepEqual(
      faulty,
      [
        [4, 5],
        [6, 6],
        [8, 10],
      ],
      `life ${lives}: 6 and 10 had votes`,
    );
    disk.crash();
  }
});

test("a record of which it cannot be read up to where it speaks is not said again", async () => {
  const disk = await hidden();
  const life = await play(disk, AFTER.slice(0, 2));
  const end = endOf(newestLog(disk));
  await life.sync(AFTER[2]!.records);
  disk.crash();
  const bytes = newestLog(disk);
  bytes.fill(0xd7, end - 2 * SECTOR, end);
  // The number of a batch, eight bytes, is right before the value of the vote.
  bytes[Buffer.from(bytes).indexOf("seven") - 3]! ^= 1;
  for (let lives = 0; lives < 3; lives += 1) {
    const { recovered } = await WalLife.open(disk, { segmentBytes });
    assert.equal(recovered.faulty.at(-1)!.to, LAST_SLOT, `life ${lives}`);
    disk.crash();
  }
});

test("the log is compacted again, in the life that wrote the record and in the next, damaged segments first", async () => {
  for (const isNextLife of [false, true]) {
    const disk = await hidden();
    const filler = (slot: number) => vote(slot, 9, "x".repeat(1500));
    let life = await WalLife.open(disk, { segmentBytes });
    for (let slot = 4; slot <= 12; slot += 1) await life.sync([filler(slot)], 9);
    assert.equal(life.wal.compactable(12, 0), 0, "every slot may be hidden in what would go");
    await life.sync([voids(6, 9)]);
    for (let slot = 13; slot <= 16; slot += 1) await life.sync([filler(slot), chosen(slot - 1)], 9);
    if (isNextLife) {
      disk.crash();
      life = await WalLife.open(disk, { segmentBytes, appliedUpTo: 15 });
    }
    const upTo = life.wal.compactable(15, 0);
    assert.ok(upTo >= 12 && upTo <= 15, `${upTo}`);
    await life.wal.compact(upTo);
    await quiet();
    assert.deepEqual(life.failures, []);
    disk.crash();
    const logs = disk.names().filter((name) => name.startsWith("log-"));
    assert.equal(logs.includes("log-0000000001"), false);
    const { recovered } = await WalLife.open(disk, { segmentBytes, appliedUpTo: 15 });
    assert.deepEqual(recovered.faulty, []);
    assert.deepEqual(
      recovered.accepted.map(({ slot }) => slot),
      [16],
    );
  }
});

test("a log that is compacted past the damage and not past the record goes on without faults", async () => {
  const disk = await hidden();
  const records: LogRecord[] = [voids(4, 9), chosen(3)];
  const life = await WalLife.open(disk, { segmentBytes });
  await life.sync(records, 9);
  await life.wal.compact(3);
  await quiet();
  disk.crash();
  const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: 3 });
  assert.deepEqual(next.recovered.faulty, []);
  const upTo = next.wal.compactable(3, 0);
  await next.wal.compact(upTo);
  await quiet();
  disk.crash();
  assert.deepEqual((await WalLife.open(disk, { segmentBytes, appliedUpTo: 3 })).recovered.faulty, []);
});
