// A snapshot that somebody asks for who is no peer: of the state at that moment or later, and kept while it is read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../base/bytes.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { Unavailable } from "./errors.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { type Captured, SnapshotSender } from "./snapshot-sender.js";
import type { StateSnapshot } from "./status.js";

/** `machines`: slots of the files of a machine that has its state in them. */
async function make(machines: readonly number[] = []) {
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  for (const slot of machines) await files.write(slot, new Uint8Array(1), (async function* () {})());
  const world = { now: 0, appliedUpTo: 3, isReplacing: false, captures: 0, failures: [] as Error[] };
  const sender = new SnapshotSender({
    files,
    areMachines: machines.length > 0,
    appliedUpTo: () => world.appliedUpTo,
    compactedUpTo: () => 0,
    capture(): Captured | null {
      if (world.isReplacing) return null;
      world.captures += 1;
      const slot = world.appliedUpTo;
      const chunks = (async function* () {
        yield new Uint8Array(600_000).fill(slot);
      })();
      return { slot, meta: Uint8Array.of(slot), chunks };
    },
    hasten: () => {},
    isLacking: () => false,
    onLost: () => {},
    isTrusted: () => true,
    send: () => {},
    now: () => world.now,
    onFault: (text) => world.failures.push(new Error(text)),
    onFailed: (error) => world.failures.push(error),
    onNoRoom: (error) => world.failures.push(error),
  });
  return { disk, files, world, sender };
}

async function read({ pieces }: StateSnapshot): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return concatBytes(parts);
}

test("it is the whole file, of the state at the moment of the call", async () => {
  const { disk, sender } = await make();
  const snapshot = await sender.fresh();
  const bytes = await read(snapshot);
  assert.deepEqual([snapshot.slot, snapshot.bytes], [3, bytes.length]);
  assert.deepEqual(bytes, disk.bytesOf("snapshot-0000000000000003"));
});

test("one of that very state is used again, an older one is not", async () => {
  const { world, sender } = await make();
  await sender.fresh();
  assert.equal((await sender.fresh()).slot, 3);
  assert.equal(world.captures, 1);
  world.appliedUpTo = 7;
  assert.equal((await sender.fresh()).slot, 7);
  assert.equal(world.captures, 2);
});

test("one that was begun before the call, of an older state, is waited for and another one made", async () => {
  const { world, sender } = await make();
  const before = sender.fresh();
  world.appliedUpTo = 4;
  const after = sender.fresh();
  assert.ok((await before).slot >= 3);
  assert.equal((await after).slot, 4);
});

test("while the state is replaced there is none", async () => {
  const { world, sender } = await make();
  world.isReplacing = true;
  await assert.rejects(sender.fresh(), Unavailable);
  world.isReplacing = false;
  assert.equal((await sender.fresh()).slot, 3);
});

test("it is kept while it is read, and let go a minute after", async () => {
  const { disk, world, sender } = await make();
  const { pieces } = await sender.fresh();
  const iterator = pieces[Symbol.asyncIterator]();
  while (true) {
    world.now += 50_000;
    sender.tidy(world.now);
    const { done } = await iterator.next();
    if (done) break;
    assert.deepEqual(disk.names(), ["snapshot-0000000000000003"]);
    assert.equal(sender.keepFrom, 3);
  }
  world.now += 60_000;
  sender.tidy(world.now);
  await new Promise(setImmediate);
  assert.deepEqual(disk.names(), []);
  assert.deepEqual(world.failures, []);
});

test("who is slower than that gets all of it all the same, and it is gone by then", async () => {
  const { disk, world, sender } = await make();
  const { pieces } = await sender.fresh();
  const whole = disk.bytesOf("snapshot-0000000000000003");
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) {
    assert.equal(sender.keepFrom, parts.length === 0 ? 3 : Number.POSITIVE_INFINITY);
    parts.push(piece);
    world.now += 60_000;
    sender.tidy(world.now);
    await new Promise(setImmediate);
    assert.deepEqual(disk.names(), []);
  }
  assert.equal(parts.length, 3);
  assert.deepEqual(concatBytes(parts), whole);
  assert.deepEqual(world.failures, []);
});

test("one that became shorter is told as such, and not as a whole one", async () => {
  const { files, sender } = await make();
  const snapshot = await sender.fresh();
  const whole = files.pieces.bind(files);
  files.pieces = async function* (info, length) {
    for await (const piece of whole(info, length)) if (piece.length === length) yield piece;
  };
  await assert.rejects(read(snapshot), Unavailable);
});

test("nothing is due while one is made, however long that takes, and it is kept for a minute after its offer", async () => {
  const { world, sender, files } = await make();
  const made = sender.fresh();
  while (world.captures === 0) await Promise.resolve();
  world.now = 200_000;
  assert.equal(sender.deadline, Number.POSITIVE_INFINITY);
  sender.tidy(world.now);
  await made;
  assert.equal(sender.deadline, 260_000);
  sender.tidy(world.now);
  assert.deepEqual(
    files.all.map(({ slot }) => slot),
    [3],
  );
});

/** Files are opened and removed only when they may be. */
function held(disk: MemoryDisk) {
  const hold = { goOn: (): void => assert.fail("nothing was begun") };
  const wait = () =>
    new Promise<void>((resolve) => {
      hold.goOn = resolve;
    });
  const remove = disk.remove.bind(disk);
  disk.remove = (name) => wait().then(() => remove(name));
  const open = disk.open.bind(disk);
  disk.open = (name, create) => wait().then(() => open(name, create));
  return hold;
}

for (const machines of [[], [3, 4, 5]]) {
  test(`it is closed when none of ${machines.length || "its"} files is removed or read any more`, async () => {
    const { disk, files, world, sender } = await make(machines);
    if (machines.length === 0) await sender.fresh();
    const hold = held(disk);
    const names = disk.names();
    const request = { kind: "snapshotRequest", ...files.all[0]!, offset: 0 } as const;
    const removal = () => {
      world.now += 60_000;
      sender.tidy(world.now);
    };
    for (const step of [() => sender.asked(2, request), removal]) {
      step();
      let isClosed = false;
      const closed = sender.close().then(() => {
        isClosed = true;
      });
      await new Promise(setImmediate);
      assert.equal(isClosed, false);
      hold.goOn();
      await closed;
    }
    assert.deepEqual([sender.pieces, disk.names(), world.failures], [1, names.slice(1), []]);
  });
}

test("after it was stopped nobody is served", async () => {
  const { files, world, sender } = await make();
  await sender.fresh();
  sender.stop();
  sender.asked(2, { kind: "snapshotRequest", ...files.newest!, offset: 0 });
  await sender.close();
  assert.deepEqual([sender.pieces, world.failures], [0, []]);
});
