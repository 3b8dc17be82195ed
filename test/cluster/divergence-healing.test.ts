// How a fenced replica gets the state of the majority: through crashes at every step, from another when the first one
// dies, into a store of its own; and that its own goes nowhere (2.10).
import assert from "node:assert/strict";
import { test } from "node:test";
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import { put as kvPut } from "../../src/kv/requests-for-tests.js";
import { Unavailable } from "../../src/replica/errors.js";
import type { Disk } from "../../src/wal/disk.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import {
  assertSame,
  fences,
  INTERVAL,
  isFenced,
  newCluster,
  put,
  rot,
} from "../support/diverging-cluster.js";
import { MemoryCluster } from "../support/memory-cluster.js";
import { StoppingDisk } from "../support/stopping-disk.js";

test("a restart says the same of its state as before, also of a slot that it does not execute again", async () => {
  const rotten = new Set<number>();
  const c = newCluster(3, rotten);
  await c.startAll();
  const leader = await c.leader();
  const [bad, away] = c.ids.filter((id) => id !== leader);
  await put(c, leader, 20);
  await c.crash(away!);
  await rot(c, rotten, [bad!], leader);
  // A snapshot holds what is wrong from now on, and the log is compacted up to it.
  for (let i = 0; i < 60; i += 1) {
    await c.clock.settle(c.replica(leader).propose({ key: 1000 + (i % 20), text: "x".repeat(20_000) }));
  }
  await c.clock.pass(500);
  for (const id of [leader, bad!]) await c.crash(id);
  for (const id of [leader, bad!]) await c.start(id);
  await c.clock.until(() => [leader, bad!].every((id) => c.replica(id).status().alarms.length > 0), 10_000);
  for (const id of [leader, bad!]) assert.equal(fences(c, id), 0);
  await c.closeAll();
});

/** Until a follower is fenced; it sees its disk through `view`. */
async function fencedFollower(seed: number, view: (disk: MemoryDisk) => Disk) {
  const rotten = new Set<number>();
  let isWatched = false;
  // Who follows is known when somebody leads: everyone's first life sees the disk through something.
  const c = newCluster(3, rotten, seed, (id, disk) => (isWatched || id !== 3 ? disk : view(disk)));
  await c.startAll();
  isWatched = true;
  if ((await c.leader()) === 3) await c.clock.settle(c.replica(3).transferLeadership());
  const leader = await c.leader();
  await put(c, leader, 20);
  await rot(c, rotten, [3], leader);
  return { c, leader };
}

test("a fenced replica that crashes at any step stays fenced until it has the state of the others", async () => {
  let whole: StoppingDisk | null = null;
  const first = await fencedFollower(1, (disk) => {
    whole = new StoppingDisk(disk);
    return whole;
  });
  const steps = (whole as unknown as StoppingDisk).steps;
  await first.c.clock.until(() => isFenced(first.c, 3));
  const from = steps.length;
  await first.c.clock.until(() => !isFenced(first.c, 3));
  await first.c.clock.pass(200);
  const to = steps.length;
  const named = steps.slice(from, to);
  for (const what of ["rename diverged.new diverged", "remove diverged"])
    assert.ok(named.includes(what), what);
  await first.c.closeAll();

  let marked = 0;
  for (let at = from; at <= to; at += 1) {
    for (const tears of [false, true]) {
      let stopping: StoppingDisk | null = null;
      const { c, leader } = await fencedFollower(1, (disk) => {
        stopping = new StoppingDisk(disk, at, tears);
        return stopping;
      });
      let isStopped = false;
      void (stopping as unknown as StoppingDisk).stopped.then(() => {
        isStopped = true;
      });
      const where = `${tears ? "after" : "before"} ${steps[at - 1]}`;
      await c.clock.until(() => isStopped || fences(c, 3) === 1);
      await c.clock.until(() => isStopped || (!isFenced(c, 3) && fences(c, 3) === 1));
      await c.crash(3, tears);
      const isMarked = c.disks.get(3)!.names().includes("diverged");
      await c.start(3);
      if (isMarked) {
        marked += 1;
        assert.equal(isFenced(c, 3), true, where);
        await assert.rejects(c.replica(3).read("state", { local: true }), Unavailable);
      }
      let wasFenced = isFenced(c, 3);
      const ready = c.replica(3).ready();
      void ready.then(() => {
        wasFenced = isFenced(c, 3);
      });
      await put(c, leader, 2 * INTERVAL);
      await c.clock.until(() => !isFenced(c, 3) && !c.disks.get(3)!.names().includes("diverged"));
      await c.clock.settle(ready);
      assert.equal(wasFenced && isMarked, false, "it is ready when it serves");
      await assertSame(c, c.ids);
      for (const id of [1, 2]) assert.equal(fences(c, id), 0, where);
      for (const id of c.ids) assert.deepEqual(c.replica(id).status().alarms, [], where);
      await c.closeAll();
    }
  }
  assert.ok(marked > 10, `${marked} of the starts were fenced`);
});

test("the state comes from another one of the majority when the first one dies on the way", async () => {
  const rotten = new Set<number>();
  const c = newCluster(5, rotten);
  await c.startAll();
  const leader = await c.leader();
  for (let i = 0; i < 60; i += 1) {
    await c.clock.settle(c.replica(leader).propose({ key: 1000 + i, text: "x".repeat(30_000) }));
  }
  const bad = c.ids.find((id) => id !== leader)!;
  await rot(c, rotten, [bad], leader);
  await c.clock.until(() => isFenced(c, bad));
  const received = () => c.replica(bad).status().counters.snapshotBytesReceived ?? 0;
  await c.clock.until(() => received() > 300_000);
  const source = c.ids.find((id) => (c.replica(id).status().counters.snapshotPiecesSent ?? 0) > 0)!;
  await c.crash(source);
  await c.clock.until(() => !isFenced(c, bad), 20_000);
  await c.start(source);
  await assertSame(c, c.ids);
  await c.closeAll();
});

test("a replica that is fenced gives its state to nobody", async () => {
  const rotten = new Set<number>();
  const c = newCluster(5, rotten);
  await c.startAll();
  const leader = await c.leader();
  const [bad, behind] = c.ids.filter((id) => id !== leader);
  await put(c, leader, 5);
  await c.crash(behind!);
  for (let i = 0; i < 100; i += 1) {
    await c.clock.settle(c.replica(leader).propose({ key: 1000 + (i % 20), text: "x".repeat(20_000) }));
  }
  await rot(c, rotten, [bad!], leader);
  await c.clock.until(() => isFenced(c, bad!));
  // The two have nobody but each other.
  for (const id of c.ids) for (const other of [bad!, behind!]) if (id !== other) c.hub.cut(id, other);
  c.hub.heal(bad!, behind!);
  const { appliedUpTo } = c.replica(bad!).status();
  await c.start(behind!);
  await c.clock.pass(5000);
  assert.ok(c.replica(behind!).status().appliedUpTo < appliedUpTo);
  assert.equal(c.replica(bad!).status().counters.snapshotPiecesSent, 0);
  assert.equal(isFenced(c, bad!), true);
  for (const id of c.ids) for (const other of [bad!, behind!]) if (id !== other) c.hub.heal(id, other);
  await c.clock.until(() => !isFenced(c, bad!));
  await put(c, leader, 2 * INTERVAL);
  await assertSame(c, c.ids);
  assert.equal(fences(c, behind!), 0);
  await c.closeAll();
});

/** Replicas whose stores outlive them; `machines` are those that run. */
function storeCluster(replicas: number) {
  const media = new Map<number, MemoryMedium>();
  const stores = new Map<number, MemoryRecordStore>();
  const machines = new Map<number, KvMachine>();
  const c = new MemoryCluster({
    replicas,
    digestInterval: INTERVAL,
    machine: async (id) => {
      const medium = media.get(id) ?? new MemoryMedium();
      media.set(id, medium);
      stores.set(id, new MemoryRecordStore(medium));
      const machine = await KvMachine.open(stores.get(id)!);
      machines.set(id, machine);
      return machine;
    },
  });
  return { c, machines, stores };
}

test("a store of its own is replaced as well, and starts again from what replaced it", async () => {
  const { c, machines, stores } = storeCluster(3);
  await c.startAll();
  const leader = await c.leader();
  const bad = c.ids.find((id) => id !== leader)!;
  const puts = async (times: number) => {
    for (let i = 0; i < times; i += 1)
      await c.clock.settle(c.replica(leader).propose(kvPut(`k${i % 5}`, `${i}`)));
  };
  const hashes = async () => {
    await c.level();
    return Promise.all(
      c.ids.map(async (id) =>
        JSON.stringify(await c.clock.settle(c.replica(id).read({ kind: "hash" }, { local: true }))),
      ),
    );
  };
  await puts(20);
  await c.level();
  // A command that nobody has chosen.
  machines.get(bad)!.apply(kvPut("k1", "rotten"));
  await puts(2 * INTERVAL);
  await c.clock.until(() => c.replica(bad).status().counters.fences === 1);
  await c.clock.until(() => !c.replica(bad).status().isFenced);
  await puts(2 * INTERVAL);
  const [first, second, third] = await hashes();
  assert.equal(first, second);
  assert.equal(first, third);
  await c.crash(bad);
  stores.get(bad)!.crash();
  await c.start(bad);
  await puts(2 * INTERVAL);
  const after = await hashes();
  assert.equal(new Set(after).size, 1);
  for (const id of c.ids) assert.equal(c.replica(id).status().isFenced, false);
  await c.closeAll();
});

test("a replica that starts says the same of its state as before, though it executes nothing again", async () => {
  const { c, machines } = storeCluster(2);
  await c.startAll();
  const leader = await c.leader();
  for (let i = 0; i < 20; i += 1) await c.clock.settle(c.replica(leader).propose(kvPut("k", `${i}`)));
  await c.level();
  machines.get(1)!.apply(kvPut("k", "rotten"));
  for (let i = 0; i < INTERVAL; i += 1) await c.clock.settle(c.replica(leader).propose(kvPut("k", `${i}`)));
  const areTold = () => c.ids.every((id) => c.replica(id).status().alarms.length > 0);
  await c.clock.until(areTold);
  await c.closeAll();
  for (const id of c.ids) await c.start(id);
  await c.clock.until(areTold, 10_000);
  await c.closeAll();
});
