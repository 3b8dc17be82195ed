// A life opens with a batch that restates the one before, which may never have been synced: what it proves of those
// before it, and what it does not (F9, F10). Power losses are made by hand: a sector that was not synced is zero.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeRecovered, quiet, vote, WalLife } from "../../test/support/wal-life.js";
import { MemoryDisk } from "./memory-disk.js";
import { readHeader, SECTOR } from "./record-codec.js";

interface Shown {
  readonly accepted: readonly string[];
  readonly faulty: readonly string[];
}

/** After a start on a copy of the disk: the votes, in short, and the faulty ranges. */
async function recoveredFrom(disk: MemoryDisk): Promise<Shown> {
  const { recovered } = await WalLife.open(disk.copy());
  const { accepted, faulty } = describeRecovered(recovered) as Shown;
  return { accepted: accepted.map((vote) => vote.slice(0, 8)), faulty };
}

/** Bytes of each batch, in the order of their numbers. */
async function batchesOf(disk: MemoryDisk): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for (const name of (await disk.list()).filter((name) => name.startsWith("log-")).sort()) {
    const bytes = disk.bytesOf(name);
    for (let at = SECTOR; at < bytes.length; at += SECTOR) {
      const header = readHeader(bytes, at, Number(name.slice(4)));
      if (header !== null) found.push(bytes.subarray(at, at + header.length));
    }
  }
  return found;
}

const value = (name: string) => `${name}${".".repeat(1200)}end`;
const values = (batch: Uint8Array) => batch.subarray(SECTOR).fill(0);

interface Restated {
  readonly disk: MemoryDisk;
  readonly next: WalLife;
  readonly second: Uint8Array;
  readonly opening: Uint8Array;
}

/** "first" is synced; "second" is only written; the next life restates it in its opening batch. */
async function restated(): Promise<Restated> {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, value("first"))], 5);
  life.append([vote(2, 5, value("second"))]);
  await quiet();
  disk.kill();
  const next = await WalLife.open(disk);
  await quiet();
  const [, , second, opening, ...more] = await batchesOf(disk);
  assert.equal(more.length, 0);
  return { disk, next, second: second!, opening: opening! };
}

test("an opening batch that is torn proves nothing: neither it nor the one it restates is faulty", async () => {
  const { disk, second, opening } = await restated();
  values(second);
  values(opening);
  assert.deepEqual(await recoveredFrom(disk), { accepted: ["1@5=firs"], faulty: [] });
});

test("an opening batch that is whole is enough, whatever became of the one it restates", async () => {
  const { disk, second } = await restated();
  second.fill(0);
  assert.deepEqual(await recoveredFrom(disk), { accepted: ["1@5=firs", "2@5=seco"], faulty: [] });
});

test("a trace of an opening batch does not prove the batch before it", async () => {
  const { disk, second, opening } = await restated();
  values(second);
  opening.fill(0, 0, SECTOR);
  assert.deepEqual(await recoveredFrom(disk), { accepted: ["1@5=firs"], faulty: [] });
});

test("only the opening batch restates: one lost between two later ones is missed", async () => {
  const { disk, next } = await restated();
  for (const slot of [3, 4, 5]) await next.sync([vote(slot, 5, value(`later${slot}`))]);
  (await batchesOf(disk)).at(-2)!.fill(0);
  assert.deepEqual(await recoveredFrom(disk), {
    accepted: ["1@5=firs", "2@5=seco", "3@5=late", "5@5=late"],
    faulty: ["4-4@5"],
  });
});

test("what is lost before the restated batch is not taken for the restated one", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, value("first"))], 5);
  await life.sync([vote(2, 5, value("second"))]);
  life.append([vote(3, 5, value("third"))]);
  await quiet();
  disk.kill();
  await WalLife.open(disk);
  await quiet();
  const [, , second, third] = await batchesOf(disk);
  second!.fill(0);
  third!.fill(0);
  // Which slots the lost batch had nobody knows: any not known chosen may have had a newer vote in it.
  assert.deepEqual(await recoveredFrom(disk), { accepted: ["3@5=thir"], faulty: ["1-2@0"] });
});

test("the number of a batch that was cut is given again; if that one is lost, the cut one does not take its place", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, value("first"))], 5);
  life.append([vote(2, 5, value("second"))]);
  await quiet();
  disk.kill();
  values((await batchesOf(disk))[2]!);
  const next = await WalLife.open(disk);
  await next.sync([vote(3, 5, value("third"))]);
  await next.sync([vote(4, 5, value("fourth"))]);
  const opening = (await batchesOf(disk)).at(-3)!;
  opening.fill(0);
  assert.deepEqual(await recoveredFrom(disk), { accepted: ["3@5=thir", "4@5=four"], faulty: ["1-1@5"] });
});

test("F10: a start that dies too proves nothing of the batch that it wrote again", async () => {
  let budget = Number.POSITIVE_INFINITY;
  const disk = new MemoryDisk({
    schedule: (_, __, task) => {
      budget -= 1;
      if (budget >= 0) queueMicrotask(task);
    },
  });
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "synced"), vote(9, 5, "synced")], 5);
  const before = disk.syncs;
  budget = 1;
  life.append([vote(2, 5, "written, not synced")]);
  await quiet();
  disk.kill();
  // Starts that die at each of their operations; then one that lives, reads all of it, and loses power.
  for (let dieAt = 0; dieAt < 24; dieAt += 1) {
    budget = dieAt;
    await Promise.race([WalLife.open(disk), quiet()]);
    disk.kill();
  }
  budget = Number.POSITIVE_INFINITY;
  assert.ok(disk.syncs > before);
  for (let i = 0; i < 2; i += 1) {
    assert.deepEqual(describeRecovered((await WalLife.open(disk)).recovered), {
      promised: 5,
      chosenUpTo: 0,
      accepted: ["1@5=synced", "2@5=written, not synced", "9@5=synced"],
      learned: [],
      faulty: [],
    });
    disk.crash();
  }
});
