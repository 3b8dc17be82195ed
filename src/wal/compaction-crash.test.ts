// The power fails, or the process dies, at every write, sync, removal and sync of the directory of a compaction, and of
// the start that follows: nothing that is left of the log is lost, nothing that is gone comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DyingDisk } from "../../test/support/dying-disk.js";
import { chosen, learned, quiet, text, vote, WalLife } from "../../test/support/wal-life.js";
import { checkPrefix, type Turn } from "../../test/support/wal-model.js";
import { Random } from "../base/random.js";
import type { Disk } from "./disk.js";
import { MemoryDisk } from "./memory-disk.js";
import { readHeader, SECTOR } from "./record-codec.js";

const segmentBytes = 4096;
const value = (slot: number) => `value ${slot} ${".".repeat(900)}`;

interface Filled {
  readonly disk: MemoryDisk;
  readonly turns: Turn[];
}

/** Slots up to 20 are chosen; above are votes, the older ones in the segments of slots that are compacted soon. */
async function filled(): Promise<Filled> {
  const disk = new MemoryDisk();
  const turns: Turn[] = [];
  const life = await WalLife.open(disk, { segmentBytes });
  const add = async (turn: Turn) => {
    turns.push(turn);
    await life.sync(turn.records, turn.promise);
  };
  for (let slot = 1; slot <= 20; slot += 1) {
    const records = slot % 5 === 0 ? [learned(slot, value(slot))] : [vote(slot, 5, value(slot))];
    await add({ promise: 5, records: slot > 1 ? [...records, chosen(slot - 1)] : records });
    if (slot === 14) await add({ promise: 0, records: [vote(23, 5, "early"), vote(24, 5, "early too")] });
  }
  await add({ promise: 9, records: [chosen(20), vote(21, 9, value(21)), vote(23, 9, "again")] });
  await life.mark();
  await life.wal.close();
  return { disk, turns };
}

/** One life of a replica that holds slots up to 20: it compacts while a batch is under way. */
async function compacting(
  disk: Disk,
  turns: Turn[],
  upTo: number,
): Promise<{ proven: number; done: boolean }> {
  const opened = WalLife.open(disk, { segmentBytes, appliedUpTo: HELD });
  const life = await Promise.race([
    opened,
    quiet()
      .then(quiet)
      .then(() => null),
  ]);
  if (life === null) return { proven: 0, done: false };
  let done = false;
  const later: Turn = {
    promise: 11,
    records: [vote(22, 11, value(22)), vote(25, 11, text("\0".repeat(1500)))],
  };
  turns.push(later);
  life.append(later.records, later.promise);
  void life.wal.compact(upTo).then(() => {
    done = true;
  });
  await quiet();
  await quiet();
  assert.deepEqual(life.failures, []);
  return { proven: life.provenTurn, done };
}

const HELD = 20;
const UP_TO = 12;

type Ending = (disk: MemoryDisk, seed: number) => void;
const ENDINGS: readonly Ending[] = [
  (disk) => disk.kill(),
  (disk) => void disk.crash(),
  (disk, seed) => void disk.crash(new Random(seed)),
  (disk, seed) => void disk.crash(new Random(seed + 1000)),
  (disk, seed) => void disk.crash(new Random(seed + 2000)),
];

async function operationsOf(base: MemoryDisk): Promise<readonly string[]> {
  const whole = new DyingDisk(base.copy());
  const { done } = await compacting(whole, [], UP_TO);
  assert.ok(done);
  return whole.done;
}

/** A whole life after a death: it shows what it must, compacts on, and the next one shows that. */
async function goesOn(
  disk: MemoryDisk,
  turns: readonly Turn[],
  proven: number,
  least: number,
): Promise<void> {
  const life = await WalLife.open(disk, { segmentBytes, appliedUpTo: HELD });
  const { compactedUpTo } = life.recovered;
  assert.ok(compactedUpTo >= least && compactedUpTo <= UP_TO);
  const found = await checkPrefix(life, turns, proven, HELD);
  const firstLeft = () =>
    Number(
      disk
        .names()
        .find((name) => name.startsWith("log-"))!
        .slice(4),
    );
  const more: Turn = { promise: 0, records: [vote(26, 11, "one more")] };
  await life.sync(more.records);
  await life.wal.compact(UP_TO);
  await quiet();
  assert.ok(firstLeft() > 3, "the files are gone in the end, whatever happened before");
  disk.crash();
  const next = await WalLife.open(disk, { segmentBytes, appliedUpTo: HELD });
  assert.equal(next.recovered.compactedUpTo, UP_TO);
  await checkPrefix(next, [...turns.slice(0, found), more], found + 1, HELD);
}

test("a compaction that dies at any of its operations, in every way, one copy of the promise rotten or none", async () => {
  const { disk: base, turns } = await filled();
  const operations = await operationsOf(base);
  for (const kind of ["remove log-", "sync directory", "write promise-b", "sync promise-a", "create log-"]) {
    assert.ok(
      operations.some((operation) => operation.startsWith(kind)),
      kind,
    );
  }
  for (let dieAt = 0; dieAt <= operations.length; dieAt += 1) {
    for (const [seed, end] of ENDINGS.entries()) {
      const disk = base.copy();
      const view = new DyingDisk(disk);
      view.left = dieAt;
      const all = [...turns];
      const { proven, done } = await compacting(view, all, UP_TO);
      end(disk, seed + dieAt * 10);
      for (const name of ["promise-a", "promise-b"]) {
        const rotten = disk.copy();
        rotten.bytesOf(name)[13]! ^= 1;
        await goesOn(rotten, all, turns.length + proven, done ? UP_TO : 0);
      }
      await goesOn(disk, all, turns.length + proven, done ? UP_TO : 0);
    }
  }
});

test("the start after a compaction that died, and died itself at any of its operations", async () => {
  const { disk: base, turns } = await filled();
  const operations = await operationsOf(base);
  const from = operations.lastIndexOf("write promise-a");
  for (let first = from; first <= operations.length; first += 1) {
    for (let second = 0; second < 24; second += 1) {
      const disk = base.copy();
      const view = new DyingDisk(disk);
      view.left = first;
      const all = [...turns];
      const { proven, done } = await compacting(view, all, UP_TO);
      ENDINGS[(first + second) % ENDINGS.length]!(disk, first);
      const again = new DyingDisk(disk);
      again.left = second;
      const opening = WalLife.open(again, { segmentBytes, appliedUpTo: HELD });
      await Promise.race([opening, quiet()]);
      again.left = 0;
      ENDINGS[second % ENDINGS.length]!(disk, second);
      await goesOn(disk, all, turns.length + proven, done ? UP_TO : 0);
    }
  }
});

/** A log with slots up to `UP_TO` compacted, at rest; the segments that were left over can be put back. */
async function compacted(): Promise<Filled & { readonly before: MemoryDisk }> {
  const { disk, turns } = await filled();
  const before = disk.copy();
  const { done } = await compacting(disk, turns, UP_TO);
  assert.ok(done);
  return { disk, turns, before };
}

test("segments that a compaction has left behind are removed at the next start, and never read", async () => {
  const { disk, turns, before } = await compacted();
  const names = before.names().filter((name) => name.startsWith("log-") && !disk.has(name));
  assert.ok(names.length >= 3);
  for (const [at, name] of names.entries())
    disk.put(name, at === 1 ? new Uint8Array(300).fill(7) : before.bytesOf(name));
  const life = await WalLife.open(disk, { segmentBytes, appliedUpTo: HELD });
  await checkPrefix(life, turns, turns.length, HELD);
  assert.equal(life.recovered.damaged, 0);
  for (const name of names) assert.ok(!disk.has(name));
  disk.crash();
  for (const name of names) assert.ok(!disk.has(name));
});

test("both copies say that a segment is gone before a start removes it", async () => {
  const { disk, before } = await compacted();
  disk.put("promise-a", before.bytesOf("promise-a"));
  const left = before.names().find((name) => name.startsWith("log-") && !disk.has(name))!;
  for (const name of before.names())
    if (name.startsWith("log-") && !disk.has(name)) disk.put(name, before.bytesOf(name));
  for (let dieAt = 0; dieAt < 30; dieAt += 1) {
    const copy = disk.copy();
    const view = new DyingDisk(copy);
    view.left = dieAt;
    await Promise.race([WalLife.open(view, { segmentBytes, appliedUpTo: HELD }), quiet()]);
    view.left = 0;
    copy.kill();
    if (copy.has(left)) continue;
    // The newer copy rots: the other one knows.
    copy.bytesOf("promise-b")[13]! ^= 1;
    const { recovered } = await WalLife.open(copy, { segmentBytes, appliedUpTo: HELD });
    assert.equal(recovered.compactedUpTo, UP_TO);
  }
});

test("an old copy of the promise beside a new one: the log begins where the new one says", async () => {
  const { disk, turns, before } = await compacted();
  for (const old of ["promise-a", "promise-b"]) {
    const copy = disk.copy();
    copy.put(old, before.bytesOf(old));
    const life = await WalLife.open(copy, { segmentBytes, appliedUpTo: HELD });
    assert.deepEqual([life.recovered.compactedUpTo, life.recovered.damaged], [UP_TO, 0]);
    await checkPrefix(life, turns, turns.length, HELD);
  }
});

test("a segment that the copies name is refused when it is missing, the first one too", async () => {
  const { disk } = await compacted();
  for (const name of disk
    .names()
    .filter((one) => one.startsWith("log-"))
    .slice(0, 2)) {
    const copy = disk.copy();
    await copy.remove(name);
    await assert.rejects(
      WalLife.open(copy, { segmentBytes, appliedUpTo: HELD }),
      new RegExp(`${name} is missing`),
    );
  }
});

test("the first batch of a compacted log, when it is lost, is missed: its slots are faulty", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes });
  for (let slot = 1; slot <= 20; slot += 1) await life.sync([vote(slot, 5, value(slot)), chosen(slot)], 5);
  const upTo = life.wal.compactable(12, 0);
  await life.wal.compact(upTo);
  await quiet();
  disk.crash();
  const name = disk.names().find((one) => one.startsWith("log-"))!;
  assert.ok(upTo > 6 && name > "log-0000000003");
  const reopened = async () =>
    (await WalLife.open(disk.copy(), { segmentBytes, appliedUpTo: upTo })).recovered;
  assert.equal((await reopened()).chosenUpTo, 20);
  let at = SECTOR;
  const lose = () => {
    const { length } = readHeader(disk.bytesOf(name), at, Number(name.slice(4)))!;
    disk.bytesOf(name).fill(0xee, at, at + length);
    at += length;
  };
  lose();
  const one = await reopened();
  assert.deepEqual([one.chosenUpTo, one.damaged], [upTo, 1]);
  // The batch after it says which slot it was.
  assert.deepEqual(one.faulty, [{ from: upTo + 1, to: upTo + 1, ballot: 5 }]);
  lose();
  // Of two the second is known, and the first may have had any slot: those known chosen later are what they are.
  const two = await reopened();
  assert.deepEqual(
    two.faulty.map(({ from, to }) => [from, to]),
    [
      [upTo + 1, upTo + 1],
      [upTo + 2, upTo + 2],
    ],
  );
  assert.deepEqual(
    two.learned.map(({ slot }) => slot),
    [15, 16, 17, 18, 19, 20].filter((slot) => slot > upTo + 2),
  );
});
