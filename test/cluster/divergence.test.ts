// A replica whose state silently becomes another one is noticed, serves nobody, and takes the state of the majority
// (2.10, F14); where there is no majority everyone says so, and nobody gives up its state.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Unavailable } from "../../src/replica/errors.js";
import {
  assertSame,
  fences,
  INTERVAL,
  isFenced,
  newCluster,
  put,
  rot,
} from "../support/diverging-cluster.js";

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
    await assert.rejects(c.replica(bad).snapshot(), /is not the one of the majority/);
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

test("whoever waits for a fenced replica is told at once", async () => {
  const rotten = new Set<number>();
  const c = newCluster(3, rotten);
  await c.startAll();
  const leader = await c.leader();
  const bad = c.ids.find((id) => id !== leader)!;
  await put(c, leader, 20);
  await c.level();
  rotten.add(bad);
  await c.clock.settle(c.replica(leader).propose({ key: 100, text: "goes wrong" }));
  await c.level();
  rotten.clear();
  const outcomes = { waiting: 0, refused: 0 };
  const watch = (call: Promise<unknown>) => {
    outcomes.waiting += 1;
    const ended = (error: unknown) => {
      outcomes.waiting -= 1;
      if (error instanceof Error) outcomes.refused += 1;
    };
    call.then(() => ended(null), ended);
  };
  let at = c.clock.now();
  let most = 0;
  await c.clock.until(() => {
    most = Math.max(most, outcomes.waiting);
    if (isFenced(c, bad)) return true;
    if (c.clock.now() < at) return false;
    at = c.clock.now() + 1;
    watch(c.replica(bad).propose({ key: 1, text: "x" }));
    watch(c.replica(bad).read("state"));
    return false;
  });
  for (let i = 0; i < 5; i += 1) await new Promise(setImmediate);
  assert.deepEqual([outcomes.waiting, most > 1, outcomes.refused > 0], [0, true, true]);
  await c.clock.until(() => !isFenced(c, bad));
  await c.closeAll();
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
