// A replica whose state silently becomes another one is noticed, serves nobody, and takes the state of the majority
// (2.10, F14); where there is no majority everyone says so, and nobody gives up its state.
import assert from "node:assert/strict";
import { test } from "node:test";
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import { put as kvPut } from "../../src/kv/requests-for-tests.js";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { Unavailable } from "../../src/replica/errors.js";
import type { Disk } from "../../src/wal/disk.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import { MemoryCluster } from "../support/memory-cluster.js";
import { StoppingDisk } from "../support/stopping-disk.js";

const INTERVAL = 8;

interface Put {
  readonly key: number;
  readonly text: string;
}

/** `rotten`: replicas whose next commands go wrong. */
function newCluster(
  replicas: number,
  rotten: Set<number>,
  seed = 1,
  view: (id: number, disk: MemoryDisk) => Disk = (_id, disk) => disk,
) {
  return new MemoryCluster({
    replicas,
    seed,
    view,
    digestInterval: INTERVAL,
    segmentBytes: 1 << 18,
    tailBytes: 0,
    snapshotBytes: 1 << 18,
    machine: (id) =>
      jsonMachine({
        initial: { keys: {} as Record<number, string>, count: 0 },
        apply: (state, { key, text }: Put) => {
          state.keys[key] = rotten.has(id) ? `${text} of ${rotten.has(0) ? 0 : id}` : text;
          state.count += 1;
          return state.count;
        },
        query: (state, _query: "state") => JSON.stringify(state),
      }),
  });
}

type Cluster = ReturnType<typeof newCluster>;

async function put(c: Cluster, at: number, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await c.clock.settle(c.replica(at).propose({ key: i % 20, text: `${i} `.padEnd(400, "x") }));
  }
}

function isFenced(c: Cluster, id: number): boolean {
  return c.replica(id).status().isFenced;
}

function fences(c: Cluster, id: number): number {
  return c.replica(id).status().counters.fences ?? 0;
}

async function assertSame(c: Cluster, ids: readonly number[]): Promise<void> {
  await c.level();
  const states = await Promise.all(ids.map((id) => c.replica(id).read("state", { local: true })));
  for (const state of states) assert.ok(state === states[0], "states differ");
}

/** One command goes wrong at `ids`, then so many are put that the next digest is noted. */
async function rot(c: Cluster, rotten: Set<number>, ids: readonly number[], at: number): Promise<void> {
  await c.level();
  for (const id of ids) rotten.add(id);
  // No later put heals it.
  await c.clock.settle(c.replica(at).propose({ key: 100, text: "goes wrong" }));
  await c.level();
  rotten.clear();
  await put(c, at, INTERVAL);
}

test("where all is well nobody is fenced", async () => {
  const c = newCluster(3, new Set());
  await c.startAll();
  await put(c, await c.leader(), 10 * INTERVAL);
  await c.clock.pass(3000);
  for (const id of c.ids) {
    assert.equal(fences(c, id), 0);
    assert.deepEqual(c.replica(id).status().alarms, []);
    assert.deepEqual(c.faults(id), []);
  }
  await c.closeAll();
});

for (const which of ["follower", "leader"] as const) {
  test(`a ${which} that differs serves nobody, takes the state of the others, and serves again`, async () => {
    const rotten = new Set<number>();
    const c = newCluster(3, rotten);
    await c.startAll();
    const leader = await c.leader();
    const bad = which === "leader" ? leader : c.ids.find((id) => id !== leader)!;
    const good = c.ids.filter((id) => id !== bad);
    await put(c, leader, 20);
    await rot(c, rotten, [bad], good[0]!);
    await c.clock.until(() => isFenced(c, bad));
    await assert.rejects(c.replica(bad).read("state", { local: true }), Unavailable);
    await assert.rejects(c.replica(bad).read("state"), Unavailable);
    await assert.rejects(c.replica(bad).propose({ key: 1, text: "no" }), Unavailable);
    assert.match(c.replica(bad).status().alarms.join(), /not the one of the majority/);
    assert.notEqual(c.replica(bad).status().role, "leader");
    await c.clock.until(() => !isFenced(c, bad));
    assert.deepEqual(c.replica(bad).status().alarms, []);
    assert.match(c.faults(bad).join(), /not the one of the majority/);
    await put(c, bad, 3 * INTERVAL);
    await assertSame(c, c.ids);
    assert.equal(fences(c, bad), 1);
    for (const id of good) assert.deepEqual([fences(c, id), c.faults(id)], [0, []]);
    // What was wrong is kept, for who wants to know why.
    const names = c.disks.get(bad)!.names();
    assert.ok(names.some((name) => name.endsWith(".diverged")));
    assert.ok(!names.includes("diverged"));
    await c.crash(bad);
    await c.start(bad);
    await assertSame(c, c.ids);
    assert.equal(isFenced(c, bad), false);
    await c.closeAll();
  });
}

test("two of five that differ alike, and two that differ each in its own way, are fenced by the three", async () => {
  for (const alike of [true, false]) {
    const rotten = new Set<number>();
    const c = newCluster(5, rotten);
    await c.startAll();
    const leader = await c.leader();
    // The leader is one of them.
    const bad = [leader, c.ids.find((id) => id !== leader)!];
    const good = c.ids.filter((id) => !bad.includes(id));
    await put(c, leader, 20);
    if (alike) rotten.add(0);
    await rot(c, rotten, bad, good[0]!);
    await c.clock.until(() => bad.every((id) => fences(c, id) === 1 && !isFenced(c, id)));
    await put(c, good[0]!, 2 * INTERVAL);
    await assertSame(c, c.ids);
    for (const id of good) assert.equal(fences(c, id), 0);
    await c.closeAll();
  }
});

test("of two that differ nobody is fenced, and both say so, once", async () => {
  const rotten = new Set<number>();
  const c = newCluster(2, rotten);
  await c.startAll();
  const leader = await c.leader();
  await put(c, leader, 20);
  await rot(c, rotten, [leader], leader);
  await c.clock.until(() => c.ids.every((id) => c.replica(id).status().alarms.length > 0));
  await put(c, leader, 5 * INTERVAL);
  await c.clock.pass(5000);
  for (const id of c.ids) {
    assert.equal(fences(c, id), 0);
    assert.match(c.replica(id).status().alarms.join(), /no majority/);
    assert.equal(c.faults(id).length, 1, "it is said once");
    await c.clock.settle(c.replica(id).read("state"));
  }
  await c.closeAll();
});

test("of three of which one is away two that differ say so after a while, and the third decides", async () => {
  const rotten = new Set<number>();
  const c = newCluster(3, rotten);
  await c.startAll();
  const leader = await c.leader();
  const [bad, away] = c.ids.filter((id) => id !== leader);
  await put(c, leader, 20);
  await c.crash(away!);
  await rot(c, rotten, [bad!], leader);
  await c.clock.pass(300);
  for (const id of [leader, bad!]) assert.deepEqual(c.replica(id).status().alarms, []);
  await c.clock.until(() => [leader, bad!].every((id) => c.replica(id).status().alarms.length > 0));
  assert.equal(fences(c, bad!), 0);
  await c.start(away!);
  await put(c, leader, 2 * INTERVAL);
  await c.clock.until(() => fences(c, bad!) === 1 && !isFenced(c, bad!));
  await assertSame(c, c.ids);
  for (const id of c.ids) assert.deepEqual(c.replica(id).status().alarms, []);
  for (const id of [leader, away!]) assert.equal(fences(c, id), 0);
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
      await put(c, leader, 2 * INTERVAL);
      await c.clock.until(() => !isFenced(c, 3) && !c.disks.get(3)!.names().includes("diverged"));
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

test("of two that differ neither gives its state to a third one that is behind their logs", async () => {
  const rotten = new Set<number>();
  const c = newCluster(3, rotten);
  await c.startAll();
  const leader = await c.leader();
  const [bad, behind] = c.ids.filter((id) => id !== leader);
  await put(c, leader, 5);
  await c.crash(behind!);
  for (let i = 0; i < 100; i += 1) {
    await c.clock.settle(c.replica(leader).propose({ key: 1000 + (i % 20), text: "x".repeat(20_000) }));
  }
  await rot(c, rotten, [bad!], leader);
  await c.clock.pass(100);
  await c.start(behind!);
  await c.clock.pass(10_000);
  for (const id of c.ids) {
    assert.equal(c.replica(id).status().counters.snapshotPiecesSent, 0);
    assert.equal(fences(c, id), 0);
  }
  for (const id of [leader, bad!]) assert.match(c.replica(id).status().alarms.join(), /no majority/);
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

test("a store of its own is replaced as well, and starts again from what replaced it", async () => {
  const media = new Map<number, MemoryMedium>();
  const stores = new Map<number, MemoryRecordStore>();
  const machines = new Map<number, KvMachine>();
  const c = new MemoryCluster({
    replicas: 3,
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
