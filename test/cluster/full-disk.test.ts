// Full disks in a cluster (F29): what grows the state is refused and had no effect, the rest goes on; nothing
// acknowledged is lost, nobody stops, and all goes on by itself when there is room.
import assert from "node:assert/strict";
import { test } from "node:test";
import { noSpace } from "../../src/base/no-space.js";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { MemoryCluster } from "../support/memory-cluster.js";

interface Put {
  readonly key: number;
  /** Null: the key is deleted. */
  readonly text: string | null;
}

function machine() {
  return jsonMachine({
    initial: { keys: {} as Record<number, string>, count: 0 },
    apply: (state, { key, text }: Put) => {
      if (text === null) delete state.keys[key];
      else state.keys[key] = text;
      state.count += 1;
      return state.count;
    },
    query: (state, _query: "state") => JSON.stringify(state),
    grows: ({ text }) => text !== null,
  });
}

const SEGMENT = 1 << 14;
const SMALL = { segmentBytes: SEGMENT, tailBytes: 0, snapshotBytes: 1 << 15 };
const VALUE = "x".repeat(1500);

type Cluster = MemoryCluster<Put, number, "state", string>;

function newCluster(replicas: number, seed = 1): Cluster {
  return new MemoryCluster({ replicas, machine, seed, ...SMALL });
}

/** The code of the error, or the result. */
async function propose(c: Cluster, at: number, key: number, text: string | null): Promise<unknown> {
  const outcome = c
    .replica(at)
    .propose({ key, text })
    .catch((error: { code: string }) => error.code);
  return c.clock.settle(outcome);
}

async function stateAt(c: Cluster, at: number, local = false): Promise<{ keys: object; count: number }> {
  return JSON.parse(await c.clock.settle(c.replica(at).read("state", { local })));
}

async function pass(c: Cluster, ms: number): Promise<void> {
  const until = c.clock.now() + ms;
  await c.clock.until(() => c.clock.now() >= until);
}

function fill(c: Cluster, ids: readonly number[], left = 0): void {
  for (const id of ids) c.disks.get(id)!.quota = c.disks.get(id)!.used + left;
}

async function free(c: Cluster, ids: readonly number[]): Promise<void> {
  for (const id of ids) c.disks.get(id)!.quota = Number.POSITIVE_INFINITY;
  await c.clock.until(() => ids.every((id) => !c.replica(id).status().isOutOfSpace));
}

/** Puts through `at`, `paceMs` apart, until one is refused; how many were taken. */
async function putUntilFull(c: Cluster, at: number, paceMs = 0): Promise<number> {
  for (let taken = 0; taken < 400; taken += 1) {
    await pass(c, paceMs);
    const outcome = await propose(c, at, taken % 5, VALUE);
    if (outcome === "NO_SPACE") return taken;
    assert.equal(typeof outcome, "number");
  }
  throw new Error("never full");
}

test("all disks full: puts are refused, deletes and reads go on, restarts too, and then puts again", async () => {
  for (const replicas of [1, 3]) {
    const c = newCluster(replicas);
    await c.startAll();
    await pass(c, 200);
    const leader = await c.leader();
    fill(c, c.ids, 2 * SEGMENT);
    const taken = await putUntilFull(c, leader);
    assert.ok(taken > 0);
    const { alarms, isOutOfSpace, counters } = c.replica(leader).status();
    assert.ok(isOutOfSpace && counters.fullDisks === 1);
    assert.match(alarms[0]!, /^the disk is full \(no room for .*\): what makes the state larger is refused/);
    assert.deepEqual(c.faults(leader), alarms);
    for (let key = 0; key < 5; key += 1) assert.equal(await propose(c, leader, key, null), taken + key + 1);
    assert.equal(await propose(c, leader, 9, VALUE), "NO_SPACE");
    assert.deepEqual(await stateAt(c, leader), { keys: {}, count: taken + 5 });
    for (const id of c.ids) await c.crash(id);
    const starting = c.ids.map((id) => c.start(id));
    await Promise.all(starting);
    const next = await c.leader();
    assert.deepEqual(await stateAt(c, next), { keys: {}, count: taken + 5 });
    assert.equal(await propose(c, next, 0, null), taken + 6);
    await free(c, c.ids);
    assert.equal(await propose(c, next, 1, "again"), taken + 7);
    assert.deepEqual(c.replica(next).status().alarms, []);
    for (const id of c.ids) assert.equal(c.disks.get(id)!.bytesOf("reserve").length, 2 * SEGMENT);
    await c.closeAll();
  }
});

test("F17: what is refused has no effect; full leaders drop what others hand on, until one that has room leads", async () => {
  const c = newCluster(5);
  await c.startAll();
  await pass(c, 200);
  const leader = await c.leader();
  const [next, last] = [(leader % 5) + 1, ((leader + 1) % 5) + 1];
  fill(c, [leader, next]);
  const taken = await putUntilFull(c, leader);
  assert.ok(!c.replica(last).status().isOutOfSpace);
  assert.equal(await propose(c, leader, 6, "refused"), "NO_SPACE");
  assert.equal(await propose(c, last, 8, "kept"), taken + 1);
  const roomy = c.ids.filter((id) => id !== leader && id !== next);
  await c.clock.until(() => roomy.some((id) => c.replica(id).status().role === "leader"));
  const dropped = [leader, next].map((id) => c.replica(id).status().counters.droppedForRoom!);
  assert.ok(dropped[0]! + dropped[1]! > 0);
  assert.equal(await propose(c, next, 0, null), taken + 2);
  await pass(c, 59_000);
  assert.ok(roomy.some((id) => c.replica(id).status().role === "leader"));
  await free(c, [leader, next]);
  const { keys } = await stateAt(c, next);
  assert.ok(!("6" in keys) && "8" in keys);
  await c.closeAll();
});

test("too few have room: the leader that has it refuses growth too, so that deletions go on until there is room", async () => {
  const c = newCluster(3);
  await c.startAll();
  await pass(c, 200);
  const leader = await c.leader();
  const others = c.ids.filter((id) => id !== leader);
  fill(c, others);
  // The reserve, 20 puts here, outlasts a heartbeat.
  const taken = await putUntilFull(c, leader, 10);
  const told = "the disks of too many replicas are full: what makes the state larger is refused everywhere; ";
  const { alarms, isOutOfSpace } = c.replica(leader).status();
  assert.deepEqual([isOutOfSpace, alarms.length, alarms[0]!.startsWith(told)], [false, 1, true]);
  assert.deepEqual(c.faults(leader), alarms);
  await pass(c, 100);
  for (const id of others) assert.equal(c.replica(id).status().alarms.length, 2);
  for (let key = 0; key < 50; key += 1) {
    assert.equal(await propose(c, leader, key % 5, null), taken + key + 1);
    assert.equal(await propose(c, leader, key % 5, VALUE), "NO_SPACE");
  }
  assert.deepEqual(await stateAt(c, leader), { keys: {}, count: taken + 50 });
  await free(c, [others[0]!]);
  await pass(c, 200);
  assert.equal(await propose(c, leader, 1, "again"), taken + 51);
  assert.deepEqual(c.replica(leader).status().alarms, []);
  assert.equal(c.replica(others[1]!).status().alarms.length, 1);
  await free(c, others);
  await c.level();
  await c.closeAll();
});

test("where all disks are full leadership goes round ever more seldom, and at once again after there was room", async () => {
  const c = newCluster(3);
  await c.startAll();
  await pass(c, 200);
  fill(c, c.ids);
  await putUntilFull(c, await c.leader());
  const changes = async (seconds: number): Promise<number> => {
    let [before, changed] = [await c.leader(), 0];
    for (let tenth = 0; tenth < 10 * seconds; tenth += 1) {
      await pass(c, 100);
      const leader = await c.leader();
      if (leader !== before) changed += 1;
      before = leader;
    }
    return changed;
  };
  assert.ok((await changes(20)) >= 5);
  for (let minute = 0; minute < 7; minute += 1) await pass(c, 59_000);
  const later = await changes(120);
  assert.ok(later >= 1 && later <= 6, `${later}`);
  assert.equal(await propose(c, 1, 0, null), (await stateAt(c, 2)).count);
  await free(c, c.ids);
  await pass(c, 1000);
  assert.equal(await changes(10), 0);
  fill(c, c.ids);
  await putUntilFull(c, await c.leader());
  assert.ok((await changes(20)) >= 5);
  await c.closeAll();
});

test("one follower without any room: the others go on without its votes, and it comes back", async () => {
  const c = newCluster(3);
  await c.startAll();
  await pass(c, 200);
  const leader = await c.leader();
  const full = await c.follower();
  fill(c, [full]);
  for (let i = 0; i < 120; i += 1) assert.equal(await propose(c, leader, i % 5, VALUE), i + 1);
  assert.equal(await propose(c, full, 0, VALUE), "NO_SPACE");
  await pass(c, 5000);
  assert.equal(await c.leader(), leader);
  assert.ok(c.replica(full).status().appliedUpTo < c.replica(leader).status().appliedUpTo);
  await free(c, [full]);
  await c.level();
  assert.deepEqual(await stateAt(c, full, true), await stateAt(c, leader));
  await c.closeAll();
});

test("a leader that can sync nothing more hands over to one that can", async () => {
  const c = newCluster(3);
  await c.startAll();
  await pass(c, 200);
  const leader = await c.leader();
  fill(c, [leader]);
  await putUntilFull(c, leader);
  // What it gives back others take.
  c.disks.get(leader)!.quota = 0;
  for (let i = 0; i < 100; i += 1) await propose(c, leader, 0, null);
  await c.clock.until(() => c.replica(leader).status().role !== "leader");
  const next = c.ids.find((id) => id !== leader)!;
  assert.equal(typeof (await propose(c, next, 1, VALUE)), "number");
  await free(c, [leader]);
  await c.level();
  await c.closeAll();
});

test("at whatever byte one replica's disk is full, first start apart: it lives, and has all that was acknowledged", async () => {
  for (let left = 0; left <= 6 * SEGMENT; left += 3000) {
    const c = newCluster(1);
    await c.startAll();
    await pass(c, 200);
    fill(c, [1], left);
    let count = 0;
    for (let i = 0; i < 60; i += 1) {
      const isDelete = i % 6 === 5;
      const outcome = await propose(c, 1, i % 5, isDelete ? null : VALUE);
      if (typeof outcome === "number") {
        count += 1;
        assert.equal(outcome, count);
      } else if (outcome === "OUTCOME_UNKNOWN") {
        break;
      } else {
        assert.equal(outcome, "NO_SPACE");
      }
    }
    if (left % 2 === 0) {
      await c.crash(1);
      void c.start(1);
      await pass(c, 3000);
    }
    await free(c, [1]);
    await c.clock.settle(c.replica(1).ready());
    const state = await stateAt(c, 1);
    assert.ok(state.count >= count, `${left}`);
    assert.equal(await propose(c, 1, 0, VALUE), state.count + 1);
    await c.closeAll();
    await c.start(1);
    await c.clock.settle(c.replica(1).ready());
    assert.equal((await stateAt(c, 1)).count, state.count + 1);
    await c.closeAll();
  }
});

test("a first start without room ends with a sentence, at whatever byte, and the next one is a first start again", async () => {
  for (const quota of [0, 1, 511, 512, 700, 1024, 1100]) {
    const c = newCluster(1);
    await assert.rejects(
      (async () => {
        const starting = c.start(1);
        c.disks.get(1)!.quota = quota;
        await starting;
      })(),
      /there is no room for a new data directory .*: free some room on its disk, and start again/,
    );
    c.disks.get(1)!.quota = Number.POSITIVE_INFINITY;
    await c.start(1);
    await c.clock.settle(c.replica(1).ready());
    assert.equal(await propose(c, 1, 0, VALUE), 1);
    await c.closeAll();
  }
});

test("a start that waits for room can be stopped", async () => {
  const c = newCluster(1);
  await c.startAll();
  assert.equal(await propose(c, 1, 0, VALUE), 1);
  await pass(c, 200);
  await c.crash(1);
  const disk = c.disks.get(1)!;
  for (const name of disk.names()) if (name === "reserve") await disk.remove(name);
  disk.quota = 0;
  void c.start(1);
  await pass(c, 3000);
  const { role, alarms } = c.replica(1).status();
  assert.deepEqual([role, alarms.length], ["starting", 1]);
  await c.closeAll();
  disk.quota = Number.POSITIVE_INFINITY;
  await c.start(1);
  await c.clock.settle(c.replica(1).ready());
  assert.equal((await stateAt(c, 1)).count, 1);
  await c.closeAll();
});

test("a directory in which there is no room to open the machine: the start waits, is told once, and can be stopped", async () => {
  let opened = 0;
  let isFull = true;
  const c: Cluster = new MemoryCluster({
    replicas: 1,
    machine: () => {
      opened += 1;
      if (isFull) throw noSpace("no space left on device, write");
      return machine();
    },
    seed: 1,
    ...SMALL,
  });
  void c.start(1);
  await pass(c, 3500);
  const { role, alarms, isOutOfSpace, isServing } = c.replica(1).status();
  assert.deepEqual([role, alarms.length, isOutOfSpace, isServing], ["starting", 1, true, false]);
  assert.ok(opened >= 3 && opened <= 6, `tried ${opened} times`);
  assert.match(alarms[0]!, /^the disk is full \(no room to open the data directory\): the start waits/);
  assert.equal(c.faults(1).filter((text) => text === alarms[0]).length, 1);
  isFull = false;
  await c.clock.settle(c.replica(1).ready());
  assert.deepEqual([c.replica(1).status().isOutOfSpace, c.replica(1).status().alarms], [false, []]);
  await c.closeAll();
  isFull = true;
  void c.start(1);
  await pass(c, 1500);
  await c.closeAll();
  assert.match(c.faults(1).join(), /the start waits/);
  assert.doesNotMatch(c.faults(1).join(), /has stopped/);
});
