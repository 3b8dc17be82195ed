// A replica whose state silently becomes another one is noticed, serves nobody, and takes the state of the majority
// (2.10, F14); where there is no majority everyone says so, and nobody gives up its state.
import assert from "node:assert/strict";
import { test } from "node:test";
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import { put as kvPut } from "../../src/kv/requests-for-tests.js";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { Unavailable } from "../../src/replica/errors.js";
import { MemoryCluster } from "../support/memory-cluster.js";

const INTERVAL = 8;

interface Put {
  readonly key: number;
  readonly text: string;
}

/** `rotten`: replicas whose next commands go wrong. */
function newCluster(replicas: number, rotten: Set<number>, seed = 1) {
  return new MemoryCluster({
    replicas,
    seed,
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
  for (const state of states) assert.equal(state, states[0]);
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

test("a fenced replica that crashes at any moment stays fenced until it has the state of the others", async () => {
  let found = 0;
  for (let seed = 1; seed <= 24; seed += 1) {
    const rotten = new Set<number>();
    const c = newCluster(3, rotten, seed);
    await c.startAll();
    const leader = await c.leader();
    const bad = c.ids.find((id) => id !== leader)!;
    const good = c.ids.filter((id) => id !== bad);
    await put(c, leader, 20);
    await rot(c, rotten, [bad], leader);
    await c.clock.until(() => isFenced(c, bad));
    // Nobody gives it a state, in half of the runs, so that it is met between any two of its steps.
    if (seed % 2 === 0) for (const id of good) c.hub.cut(id, bad);
    await c.clock.pass((seed * 7) % 60);
    const wasMarked = c.disks.get(bad)!.names().includes("diverged");
    await c.crash(bad, seed % 3 !== 0);
    if (seed % 2 === 0) for (const id of good) c.hub.heal(id, bad);
    await c.start(bad);
    if (wasMarked && isFenced(c, bad)) {
      found += 1;
      await assert.rejects(c.replica(bad).read("state", { local: true }), Unavailable);
    }
    await put(c, leader, 2 * INTERVAL);
    await c.clock.until(() => !isFenced(c, bad));
    await assertSame(c, c.ids);
    for (const id of good) assert.equal(fences(c, id), 0);
    await c.closeAll();
  }
  assert.ok(found >= 5, `${found} of the starts were fenced`);
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
