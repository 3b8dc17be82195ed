// Damage anywhere in a log that is compacted before it, after it, or both: of no slot above the compaction is it said
// that nothing was accepted there where something was, and no old vote comes back (A4, F9).
import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, learned, quiet, text, vote, WalLife } from "../../test/support/wal-life.js";
import { checkDamaged, LogState, type Turn } from "../../test/support/wal-model.js";
import { MemoryDisk } from "./memory-disk.js";

const segmentBytes = 2560;
const HELD = 16;
const value = (slot: number) => `value ${slot} ${".".repeat(400)}`;

/** Slots up to 16 are chosen; among them votes in 18 to 21, which are superseded later, or are not. */
function turnsOf(): Turn[] {
  const turns: Turn[] = [];
  for (let slot = 1; slot <= 16; slot += 1) {
    const records = slot % 4 === 0 ? [learned(slot, value(slot))] : [vote(slot, 5, value(slot))];
    turns.push({ promise: 5, records: slot > 1 ? [...records, chosen(slot - 1)] : records });
    if (slot === 5)
      turns.push({ promise: 0, records: [vote(18, 5, "superseded"), vote(19, 5, "the only one")] });
    if (slot === 9) turns.push({ promise: 0, records: [vote(20, 5, text("\0".repeat(1200)))] });
    if (slot === 12) turns.push({ promise: 7, records: [vote(17, 7, value(17)), vote(18, 7, "newer")] });
  }
  turns.push({ promise: 0, records: [chosen(16), vote(21, 7, "last")] });
  return turns;
}

interface Filled {
  readonly disk: MemoryDisk;
  readonly turns: readonly Turn[];
}

async function filled(compactUpTo: number): Promise<Filled> {
  const disk = new MemoryDisk();
  const turns = turnsOf();
  const life = await WalLife.open(disk, { segmentBytes });
  for (const { promise, records } of turns) await life.sync(records, promise);
  await life.mark();
  await life.wal.compact(compactUpTo);
  await quiet();
  return { disk, turns };
}

/** Compacts all that can be after the damage, and what is told then is true, for two lives more. */
async function compactsOn(disk: MemoryDisk, turns: readonly Turn[]): Promise<void> {
  const truth = LogState.of(turns);
  const later: Turn = { promise: 30, records: [vote(40, 30, "later")] };
  const all = LogState.of([...turns, later]);
  let least = 0;
  for (let lives = 0; lives < 3; lives += 1) {
    const life = await WalLife.open(disk, { segmentBytes, appliedUpTo: HELD });
    assert.ok(life.recovered.compactedUpTo >= least);
    await checkDamaged(life, lives === 0 ? truth : all, all);
    await life.sync(later.records, later.promise);
    const upTo = Math.max(life.wal.compactable(HELD, 0), lives === 1 ? HELD : 0);
    await life.wal.compact(upTo);
    await quiet();
    assert.deepEqual(life.failures, []);
    least = life.wal.compactedUpTo;
    disk.crash();
  }
}

const DAMAGES: readonly [string, number, (bytes: Uint8Array, at: number) => void][] = [
  ["a flipped bit", 37, (bytes, at) => (bytes[at]! ^= 1 << (at % 8))],
  ["a zeroed sector", 512, (bytes, at) => bytes.fill(0, at, at + 512)],
  ["two sectors of rubbish", 512, (bytes, at) => bytes.fill(0xd7, at, at + 1024)],
  ["five sectors of rubbish", 512, (bytes, at) => bytes.fill(0xd7, at, at + 2560)],
];

for (const [what, step, damage] of DAMAGES) {
  test(`${what} anywhere, then compaction; and compaction, ${what}, then more of it`, async () => {
    for (const compactUpTo of [0, 4, 7]) {
      const { disk, turns } = await filled(compactUpTo);
      for (const name of disk.names().filter((one) => one.startsWith("log-"))) {
        const end = disk.bytesOf(name).findLastIndex((byte) => byte !== 0) + 1;
        for (let at = 0; at < end; at += step) {
          const copy = disk.copy();
          damage(copy.bytesOf(name), at);
          await compactsOn(copy, turns);
        }
      }
    }
  });
}

test("a damaged vote in a segment that is about to go keeps it: its slot stays faulty until it is healed", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes });
  await life.sync([vote(1, 5, value(1)), vote(30, 5, "to be damaged")], 5);
  for (let slot = 2; slot <= 12; slot += 1) await life.sync([vote(slot, 5, value(slot)), chosen(slot - 1)]);
  await life.sync([chosen(12)]);
  const bytes = disk.bytesOf("log-0000000001");
  bytes[Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("to be damaged")]! ^= 1;
  for (let lives = 0; lives < 3; lives += 1) {
    disk.crash();
    const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: 12 });
    assert.deepEqual(next.recovered.faulty, [{ from: 30, to: 30, ballot: 5 }]);
    await next.wal.compact(12);
    await quiet();
    assert.ok(disk.has("log-0000000001"));
  }
});

test("damage that nobody can tie to slots: nothing goes, and all stays faulty", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes });
  for (let slot = 1; slot <= 12; slot += 1) await life.sync([vote(slot, 5, value(slot)), chosen(slot)], 5);
  await life.sync([vote(13, 5, "the end")]);
  const name = disk.names().findLast((one) => {
    return one.startsWith("log-") && Buffer.from(disk.bytesOf(one)).includes("the end");
  })!;
  const at = Buffer.from(disk.bytesOf(name)).indexOf("the end");
  disk.bytesOf(name).fill(0xee, at - (at % 512), at - (at % 512) + 512);
  for (let lives = 0; lives < 3; lives += 1) {
    disk.crash();
    const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: 12 });
    assert.deepEqual(next.recovered.faulty, [{ from: 13, to: Number.MAX_SAFE_INTEGER, ballot: 0 }]);
    for (let slot = 1; slot <= 9; slot += 1) await next.sync([vote(1, 5, value(1))]);
    await next.wal.compact(12);
    await quiet();
    assert.ok(disk.has(name));
  }
});

test("a segment whose first batch cannot be read is not where the log begins", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes });
  for (let slot = 1; slot <= 12; slot += 1) await life.sync([vote(slot, 5, value(slot)), chosen(slot)], 5);
  await life.mark();
  const logsOf = (one: MemoryDisk) => one.names().filter((name) => name.startsWith("log-"));
  const names = logsOf(disk);
  disk.bytesOf(names[2]!).fill(0xee, 512, 1024);
  const begins = new Set<string>();
  // The machine holds all of it: only the length of the tail says where to begin.
  for (let tail = 0; tail < names.length * segmentBytes; tail += 512) {
    const copy = disk.copy();
    const one = await WalLife.open(copy, { segmentBytes, appliedUpTo: 12 });
    await one.wal.compact(one.wal.compactable(12, tail));
    await quiet();
    begins.add(logsOf(copy)[0]!);
    copy.crash();
    const last = await WalLife.open(copy, { segmentBytes, appliedUpTo: 12 });
    assert.deepEqual([last.recovered.chosenUpTo, last.recovered.faulty], [12, []]);
  }
  assert.ok(!begins.has(names[2]!) && begins.has(names[3]!), [...begins].join());
});
