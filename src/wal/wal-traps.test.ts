// The traps of reading the rules of the log otherwise, one test each, named after the finding (F3, F9-F12, F23).
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chosen,
  describeRecovered,
  learned,
  quiet,
  readAll,
  text,
  vote,
  WalLife,
} from "../../test/support/wal-life.js";
import { LAST_SLOT } from "../paxos/ballot.js";
import { MemoryDisk } from "./memory-disk.js";

const shown = (life: WalLife) => describeRecovered(life.recovered) as Record<string, unknown>;

/** Overwrites the sector in which `marker` is, of any segment. */
async function damageSectorOf(disk: MemoryDisk, marker: string, fill: number): Promise<void> {
  for (const name of await disk.list()) {
    const bytes = disk.bytesOf(name);
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(marker);
    if (at < 0) continue;
    const sector = at - (at % 512);
    bytes.fill(fill, sector, sector + 512);
    return;
  }
  assert.fail(`${marker} is in no file`);
}

test("F3: after a restart the own unchosen vote is not served as the chosen value", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "mine"), vote(2, 5, "mine too")], 5);
  await life.sync([learned(1, "chosen")]);
  disk.crash();
  // The state was executed up to 2; the log shows a chosen value for slot 1 only.
  const next = await WalLife.open(disk, { appliedUpTo: 2 });
  const { chosenUpTo, compactedUpTo } = next.recovered;
  assert.deepEqual([chosenUpTo, compactedUpTo], [2, 2]);
  // A later watermark covers the slot of the vote: it says nothing of it, in this life and the next.
  await next.sync([vote(3, 5, "third"), chosen(3)]);
  assert.deepEqual([await readAll(next.wal, 2), await readAll(next.wal, 3)], [[], ["3=third"]]);
  disk.crash();
  const { wal } = await WalLife.open(disk, { appliedUpTo: 3 });
  assert.deepEqual([await readAll(wal, 2), await readAll(wal, 3)], [[], ["3=third"]]);
});

test("F3: a late vote in a slot known chosen does not change what is served", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "chosen"), chosen(1)], 5);
  await life.sync([learned(2, "chosen too")]);
  await life.sync([vote(1, 6, "late"), vote(2, 6, "late")]);
  assert.deepEqual(await readAll(life.wal), ["1=chosen", "2=chosen too"]);
  disk.crash();
  assert.deepEqual(await readAll((await WalLife.open(disk)).wal), ["1=chosen", "2=chosen too"]);
});

test("F9: an older readable vote does not hide a damaged newer one", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "older")], 5);
  await life.sync([vote(1, 9, "newer")], 9);
  await life.mark();
  // Header and all: only the repeat in the next batch still says which slot and ballot it was.
  await damageSectorOf(disk, "newer", 0xee);
  assert.deepEqual(shown(await WalLife.open(disk)), {
    promised: 9,
    chosenUpTo: 0,
    accepted: [],
    learned: [],
    faulty: ["1-1@9"],
  });
});

test("F9: damage that no header ties to slots makes everything faulty that is not known chosen", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "first"), chosen(1)], 5);
  await life.sync([vote(2, 5, "second")]);
  await life.sync([vote(3, 5, "third")]);
  await life.sync([vote(4, 5, "fourth")]);
  await life.mark();
  await damageSectorOf(disk, "second", 0xee);
  await damageSectorOf(disk, "third", 0xee);
  const next = await WalLife.open(disk);
  // A later header says that no slot above 4 was in the log by then; the vote in 4 came after the damage.
  assert.deepEqual(shown(next), {
    promised: 5,
    chosenUpTo: 1,
    accepted: ["4@5=fourth"],
    learned: [],
    faulty: ["2-2@0", "3-3@5"],
  });
  assert.deepEqual(await readAll(next.wal), ["1=first"]);
});

test("F9: a slot is healed by a new vote or by its chosen value, for later lives too", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "first"), vote(2, 5, "second")], 5);
  await life.mark();
  await damageSectorOf(disk, "second", 0xee);
  const next = await WalLife.open(disk);
  assert.deepEqual(next.recovered.faulty, [{ from: 1, to: 2, ballot: 5 }]);
  await next.sync([vote(1, 9, "again"), learned(2, "chosen")], 9);
  disk.crash();
  const last = shown(await WalLife.open(disk));
  assert.deepEqual([last.accepted, last.learned, last.faulty], [["1@9=again"], ["2=chosen"], []]);
});

test("F9: what a new life writes again does not heal a slot with an older vote", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  // Two votes for one slot in the last batch, the newer one damaged.
  await life.sync([vote(1, 5, "older"), vote(1, 9, "newer".repeat(300))], 9);
  await damageSectorOf(disk, "newernewernewernewernewernewernewernewernewernewernewer", 0xee);
  for (let i = 0; i < 3; i += 1) {
    const next = await WalLife.open(disk);
    const { accepted, faulty } = next.recovered;
    assert.deepEqual([accepted, faulty.at(-1)!.ballot === 9 || faulty.at(-1)!.ballot === 0], [[], true]);
    disk.crash();
  }
});

test("F9: a watermark said again does not fix a vote that came after it, where the chosen value is lost", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "first"), vote(2, 5, "second")], 5);
  await life.sync([chosen(2)]);
  await damageSectorOf(disk, "second", 0xee);
  let next = await WalLife.open(disk);
  await next.sync([vote(2, 7, "late")], 7);
  for (let i = 0; i < 3; i += 1) {
    disk.crash();
    next = await WalLife.open(disk);
    assert.deepEqual(shown(next).accepted, ["2@7=late"]);
    assert.deepEqual(await readAll(next.wal, 2), []);
  }
});

test("F10: what recovery reads is made durable before the log is used", async () => {
  const disk = new MemoryDisk({ fault: (kind) => (kind === "sync" && stuck ? new Error("no sync") : null) });
  let stuck = false;
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "synced")], 5);
  stuck = true;
  life.append([vote(2, 5, "in the page cache only")]);
  await quiet();
  assert.equal(life.failures.length, 1);
  disk.kill();
  stuck = false;
  const next = await WalLife.open(disk);
  assert.equal(next.recovered.accepted.length, 2);
  // The leader repeats its accept; the replica has it and acknowledges without a write: then the power fails.
  disk.crash();
  const last = await WalLife.open(disk);
  assert.equal(last.recovered.accepted.length, 2);
});

test("F10: a watermark that was only in the page cache is durable too", async () => {
  let stuck = false;
  const disk = new MemoryDisk({ fault: (kind) => (kind === "sync" && stuck ? new Error("no sync") : null) });
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "a"), vote(2, 5, "b")], 5);
  stuck = true;
  life.append([chosen(2)]);
  await quiet();
  disk.kill();
  stuck = false;
  assert.equal((await WalLife.open(disk)).recovered.chosenUpTo, 2);
  disk.crash();
  assert.equal((await WalLife.open(disk)).recovered.chosenUpTo, 2);
});

test("F9: a batch cut after damage does not let the next life claim what the damage hides", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "first")], 5);
  await life.sync([vote(2, 5, "second")]);
  await life.sync([vote(3, 5, `${"third".repeat(300)}tail`)]);
  await damageSectorOf(disk, "second", 0xee);
  await damageSectorOf(disk, "tail", 0);
  for (let i = 0; i < 3; i += 1) {
    const next = await WalLife.open(disk);
    assert.deepEqual([shown(next).accepted, shown(next).faulty], [["1@5=first"], ["2-2@5"]]);
    disk.crash();
  }
});

test("F10: a promise that was only in the page cache is durable before it is told", async () => {
  let stuck = false;
  const disk = new MemoryDisk({ fault: (kind) => (kind === "sync" && stuck ? new Error("no sync") : null) });
  const life = await WalLife.open(disk);
  stuck = true;
  life.append([], 9);
  await quiet();
  disk.kill();
  stuck = false;
  const { promised } = (await WalLife.open(disk)).recovered;
  disk.crash();
  assert.equal((await WalLife.open(disk)).recovered.promised, promised);
});

test("F10: a turn that wrote nothing is not proven before what was appended earlier is synced", async () => {
  const tasks: (() => void)[] = [];
  let held = false;
  const disk = new MemoryDisk({
    schedule: (_, __, task) => (held ? tasks.push(task) : queueMicrotask(task)),
  });
  const life = await WalLife.open(disk);
  held = true;
  life.append([vote(1, 5, "under way")]);
  life.append([], 0, true);
  await quiet();
  assert.deepEqual(life.proven, []);
  held = false;
  for (const task of tasks) task();
  await quiet();
  assert.equal(life.provenTurn, 2);
});

test("F11: a promise is not synced before a vote that was appended earlier", async () => {
  const order: string[] = [];
  const disk = new MemoryDisk({
    fault: (operation, name) => {
      order.push(`${operation} ${name.replace(/0+/, "")}`);
      return null;
    },
  });
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "a")], 5);
  order.length = 0;
  life.append([vote(1, 5, "b")]);
  life.append([], 7);
  life.append([vote(2, 7, "c")]);
  await quiet();
  const promise = ["write promise-a", "sync promise-a", "write promise-b", "sync promise-b"];
  assert.deepEqual(order, ["write log-1", "sync log-1", ...promise, "write log-1", "sync log-1"]);
  assert.equal(life.provenTurn, 4);
});

test("F12: the older copy of the promise is not believed alone, and a vote counts as a promise", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([], 5);
  const older = disk.bytesOf("promise-b").slice();
  await life.sync([vote(1, 9, "a")]);
  for (const name of ["promise-a", "promise-b"]) {
    const copy = disk.copy();
    copy.put(name, older);
    assert.equal((await WalLife.open(copy)).recovered.promised, 9);
    for (const one of ["promise-a", "promise-b"]) assert.notDeepEqual(copy.bytesOf(one), older);
  }
  // Both say less than the log: the vote in it is a promise.
  disk.put("promise-a", older);
  disk.put("promise-b", older);
  assert.equal((await WalLife.open(disk)).recovered.promised, 9);
});

test("F12: at every moment of a promise at least one copy can be read", async () => {
  for (let dieAt = 1; dieAt <= 4; dieAt += 1) {
    let operations = Number.NEGATIVE_INFINITY;
    const disk = new MemoryDisk({
      schedule: (_, __, task) => {
        operations += 1;
        if (operations < dieAt) queueMicrotask(task);
      },
    });
    const life = await WalLife.open(disk);
    await life.sync([], 5);
    operations = 0;
    life.append([], 9);
    await quiet();
    operations = Number.NEGATIVE_INFINITY;
    disk.crash();
    const { promised } = (await WalLife.open(disk)).recovered;
    assert.ok(promised === 5 || promised === 9);
  }
});

test("F23: a torn last batch is cut, on every replica alike: no slot is faulty after a power cut", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "acknowledged")], 5);
  life.append([vote(2, 5, "torn".repeat(400))]);
  await quiet();
  const whole = disk.copy();
  const batch = [0, 1, 2, 3];
  for (const lost of batch) {
    const copy = whole.copy();
    const bytes = copy.bytesOf("log-0000000001");
    const start = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("torn");
    const first = start - (start % 512);
    bytes.fill(0, first + lost * 512, first + (lost + 1) * 512);
    assert.deepEqual(shown(await WalLife.open(copy)), {
      promised: 5,
      chosenUpTo: 0,
      accepted: ["1@5=acknowledged"],
      learned: [],
      faulty: [],
    });
  }
});

test("F23: rot in the last batch, every sector of which was written, is faulty; with its mark so is a zeroed one", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, `${"acknowledged".repeat(100)}tail`)], 5);
  const unmarked = disk.copy();
  await damageSectorOf(unmarked, "tail", 0xee);
  assert.deepEqual(shown(await WalLife.open(unmarked)).faulty, ["1-1@5"]);
  await life.mark();
  for (const fill of [0, 0xee]) {
    const marked = disk.copy();
    await damageSectorOf(marked, "tail", fill);
    assert.deepEqual(shown(await WalLife.open(marked)).faulty, ["1-1@5"]);
  }
});

test("F23: rot in the header of a last batch without mark: its slots are unknown, so all are faulty", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "first"), chosen(1)], 5);
  await life.sync([vote(2, 5, "second")]);
  await damageSectorOf(disk, "second", 0xee);
  const next = await WalLife.open(disk);
  assert.deepEqual(next.recovered.faulty, [{ from: 2, to: LAST_SLOT, ballot: 0 }]);
  assert.equal(next.recovered.chosenUpTo, 1);
});

test("F23: after a torn batch no segment is used further, also when a clean end came before it", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "first")], 5);
  await life.wal.close();
  const next = await WalLife.open(disk);
  await next.sync([vote(2, 5, `${"torn".repeat(300)}tail`)]);
  const bytes = disk.bytesOf("log-0000000001");
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("torn");
  bytes.fill(0, start - (start % 512), start - (start % 512) + 512);
  disk.kill();
  const last = await WalLife.open(disk);
  assert.deepEqual([shown(last).accepted, shown(last).faulty], [["1@5=first"], []]);
  assert.ok((await disk.list()).includes("log-0000000002"));
});

test("F23: whichever written sector of a last batch is lost, it is cut, unless all of its records are there", async () => {
  for (let length = 0; length < 520; length += 4) {
    const disk = new MemoryDisk();
    const life = await WalLife.open(disk);
    await life.sync([vote(1, 5, "first")], 5);
    const name = "log-0000000001";
    const start = disk.bytesOf(name).findLastIndex((byte) => byte !== 0);
    const at = start - (start % 512) + 512;
    life.append([vote(2, 5, new Uint8Array(1700)), vote(3, 5, "v".repeat(400 + length))]);
    await quiet();
    const bytes = disk.bytesOf(name);
    for (let sector = at; sector < bytes.length; sector += 512) {
      const lost = bytes.subarray(sector, sector + 512);
      if (lost.every((byte) => byte === 0)) continue;
      const isTrailer = sector !== at && !lost.includes("v".charCodeAt(0));
      const copy = disk.copy();
      copy.bytesOf(name).fill(0, sector, sector + 512);
      const { recovered } = await WalLife.open(copy);
      const slots = recovered.accepted.map(({ slot }) => slot);
      const where = `value of ${length}, sector ${sector}`;
      assert.deepEqual([slots, recovered.faulty], [isTrailer ? [1, 2, 3] : [1], []], where);
    }
  }
});

test("F23: a value of zeros is not taken for a hole", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "rotten value"), vote(2, 5, new Uint8Array(2048)), vote(3, 5, text("end"))], 5);
  const name = "log-0000000001";
  const bytes = disk.bytesOf(name);
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("rotten");
  bytes[at]! ^= 1;
  const { recovered } = await WalLife.open(disk);
  assert.deepEqual(recovered.faulty, [{ from: 1, to: 1, ballot: 5 }]);
  assert.equal(recovered.accepted.length, 2);
});
