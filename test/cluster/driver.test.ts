// Three replicas with the real core and log in one process: what a caller sees while replicas crash and come back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { Closed, CommandRefused, OutcomeUnknown, Unavailable } from "../../src/replica/errors.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { MemoryCluster } from "../support/memory-cluster.js";
import { WalLife } from "../support/wal-life.js";

interface Add {
  readonly add: number;
  readonly poison?: boolean;
}

/** Remembers every command in order, so that a second execution shows. */
function history() {
  return jsonMachine({
    initial: { total: 0, seen: [] as number[] },
    apply(state, { add, poison }: Add) {
      if (poison === true) throw new RangeError("poison");
      state.total += add;
      state.seen.push(add);
      return state.total;
    },
    query: (state, _query: null) => ({ total: state.total, seen: [...state.seen] }),
  });
}

function cluster(replicas = 3, makeDisk?: (id: number) => MemoryDisk, seed = 1) {
  const options = { replicas, machine: history, seed };
  return new MemoryCluster({ ...options, ...(makeDisk === undefined ? {} : { makeDisk }) });
}

type Cluster = ReturnType<typeof cluster>;

/** What every running replica holds; they are equal. */
async function agreed(c: Cluster, ids: readonly number[]): Promise<number[]> {
  await c.level();
  const states = await Promise.all(ids.map((id) => c.replica(id).read(null, { local: true })));
  for (const state of states) assert.deepEqual(state, states[0]);
  return states[0]!.seen;
}

test("a command of any replica is executed once everywhere, and every replica reads it", async () => {
  const c = cluster();
  await c.startAll();
  for (const id of c.ids)
    assert.equal(await c.clock.settle(c.replica(id).propose({ add: id })), (id * (id + 1)) / 2);
  for (const id of c.ids) assert.equal((await c.clock.settle(c.replica(id).read(null))).total, 6);
  assert.deepEqual(await agreed(c, c.ids), [1, 2, 3]);
  const { role, leader, clusterId, members, counters } = c.replica(await c.leader()).status();
  assert.equal(role, "leader");
  assert.ok(leader > 0 && clusterId.length === 16 && members.length === 3 && counters.executedCommands === 3);
  await c.closeAll();
  await assert.rejects(c.replica(1).propose({ add: 1 }), Closed);
  await assert.rejects(c.replica(1).read(null), Closed);
});

test("a replica whose network cannot be closed closes its log all the same", async () => {
  const c = cluster(1);
  const network = c.hub.network(1);
  const close = network.close.bind(network);
  c.hub.network = () => network;
  network.close = async () => {
    await close();
    throw new Error("no");
  };
  await c.startAll();
  await c.clock.settle(c.replica(1).propose({ add: 1 }));
  await assert.rejects(c.clock.settle(c.replica(1).close()), /no/);
  const { wal } = await WalLife.open(c.disks.get(1)!, { segmentBytes: 1 << 18 });
  assert.equal(
    c.disks
      .get(1)!
      .names()
      .filter((name) => name.startsWith("log-")).length,
    1,
    "in good order",
  );
  await wal.close();
});

test("a replica that closes while its genesis is written waits for that: it would write an identity of its life", async () => {
  const c = cluster(1);
  const disk = new MemoryDisk();
  c.disks.set(1, disk);
  const rename = disk.rename.bind(disk);
  let letGo = () => {};
  let isHeld = false;
  disk.rename = async (from, to) => {
    if (to === "genesis") {
      isHeld = true;
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
    }
    await rename(from, to);
  };
  const replica = await c.start(1);
  await c.clock.until(() => isHeld);
  let isClosed = false;
  const closing = replica.close().then(() => {
    isClosed = true;
  });
  await c.clock.pass(10_000);
  assert.equal(isClosed, false);
  letGo();
  await c.clock.settle(closing);
  assert.ok(disk.names().includes("genesis"));
  disk.rename = () => assert.fail("something is written after the end");
  await c.clock.pass(10_000);
});

test("a cluster of one serves at once, and has everything after power failed", async () => {
  const c = cluster(1);
  await c.startAll();
  await c.clock.settle(Promise.all(Array.from({ length: 300 }, (_, i) => c.replica(1).propose({ add: i }))));
  await c.crash(1);
  await c.startAll();
  assert.equal((await c.clock.settle(c.replica(1).read(null))).total, 44_850);
  await c.closeAll();
});

test("a command that nothing follows costs each replica two syncs: of its vote, and of what says that it is chosen", async () => {
  const c = cluster();
  await c.startAll();
  const leader = await c.leader();
  await c.clock.pass(500);
  const before = c.ids.map((id) => c.disks.get(id)!.syncs);
  for (let i = 0; i < 10; i += 1) {
    await c.clock.settle(c.replica(leader).propose({ add: i }));
    await c.clock.pass(300);
  }
  const syncs = c.ids.map((id, at) => c.disks.get(id)!.syncs - before[at]!);
  assert.deepEqual(syncs, [20, 20, 20]);
  await c.closeAll();
});

test("after power failed everywhere, everything acknowledged is there", async () => {
  const c = cluster();
  await c.startAll();
  const all = Array.from({ length: 200 }, (_, i) => c.replica((i % 3) + 1).propose({ add: i }));
  await c.clock.settle(Promise.all(all));
  for (const id of c.ids) await c.crash(id);
  await c.startAll();
  const { seen } = await c.clock.settle(c.replica(2).read(null));
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    all.map((_, i) => i),
  );
  await c.closeAll();
});

test("F13a: commands in flight when the leader dies are executed, each once, also those of a follower", async () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const c = new MemoryCluster({ replicas: 3, machine: history, seed });
    await c.startAll();
    const leader = await c.leader();
    const follower = await c.follower();
    const before = c.replica(follower).propose({ add: 1000 });
    const flights = Array.from({ length: 50 }, (_, i) => c.replica(follower).propose({ add: i }));
    await c.clock.until(() => c.replica(follower).status().counters.turns! % (seed + 1) === 0);
    await c.crash(leader);
    await c.clock.settle(Promise.all([before, ...flights]));
    await c.start(leader);
    const seen = await agreed(c, c.ids);
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      [...flights.map((_, i) => i), 1000],
    );
    await c.closeAll();
  }
});

test("F13b: a restarted replica's new commands are not taken for those of its earlier life", async () => {
  const c = cluster();
  await c.startAll();
  const follower = await c.follower();
  for (const add of [1, 2, 3]) await c.clock.settle(c.replica(follower).propose({ add }));
  await c.crash(follower);
  await c.start(follower);
  await c.clock.settle(c.replica(follower).ready());
  for (const add of [4, 5]) await c.clock.settle(c.replica(follower).propose({ add }));
  assert.deepEqual(await agreed(c, c.ids), [1, 2, 3, 4, 5]);
  await c.closeAll();
});

test("F17: a command that was handed over and not answered is 'outcome unknown', and may be executed later", async () => {
  const c = cluster();
  await c.startAll();
  const leader = await c.leader();
  const others = c.ids.filter((id) => id !== leader);
  for (const id of others) c.hub.cut(leader, id);
  const lost = c.replica(leader).propose({ add: 7 });
  await assert.rejects(c.clock.settle(lost), OutcomeUnknown);
  await assert.rejects(c.clock.settle(c.replica(leader).read(null)), Unavailable);
  assert.equal((await c.replica(leader).read(null, { local: true })).total, 0);
  for (const id of others) c.hub.heal(leader, id);
  assert.equal((await c.clock.settle(c.replica(others[0]!).propose({ add: 1 }))) % 7, 1);
  const seen = await agreed(c, c.ids);
  assert.ok(seen.filter((add) => add === 7).length <= 1);
  await c.closeAll();
});

test("F32: a poison command is refused for its caller, and every replica lives on and stays equal", async () => {
  const c = cluster();
  await c.startAll();
  const follower = await c.follower();
  const poison = c.replica(follower).propose({ add: 9, poison: true });
  await assert.rejects(c.clock.settle(poison), CommandRefused);
  assert.equal(await c.clock.settle(c.replica(follower).propose({ add: 1 })), 1);
  assert.deepEqual(await agreed(c, c.ids), [1]);
  for (const id of c.ids) await c.crash(id);
  await c.startAll();
  assert.deepEqual(await agreed(c, c.ids), [1]);
  await c.closeAll();
});

test("a follower that was away catches up from the logs of the others", async () => {
  const c = cluster();
  await c.startAll();
  const follower = await c.follower();
  const leader = await c.leader();
  await c.crash(follower);
  const large = Array.from({ length: 400 }, (_, i) => c.replica(leader).propose({ add: i }));
  await c.clock.settle(Promise.all(large));
  for (const id of c.ids) if (id !== follower) await c.crash(id);
  for (const id of c.ids) await c.start(id);
  for (const id of c.ids) await c.clock.settle(c.replica(id).ready());
  await c.clock.settle(c.replica(follower).read(null));
  assert.equal((await agreed(c, c.ids)).length, 400);
  await c.closeAll();
});

test("leadership is handed over on demand and by a stop; commands in flight meanwhile succeed once", async () => {
  const c = cluster();
  await c.startAll();
  const first = await c.leader();
  const target = await c.follower();
  const flights = Array.from({ length: 20 }, (_, i) => c.replica(first).propose({ add: i }));
  await c.clock.settle(c.replica(first).transferLeadership(target));
  assert.equal(await c.leader(), target);
  await assert.rejects(c.replica(first).transferLeadership(), Unavailable);
  await assert.rejects(c.replica(target).transferLeadership(9), TypeError);
  await c.clock.settle(Promise.all(flights));
  const more = Array.from({ length: 20 }, (_, i) => c.replica(target).propose({ add: 100 + i }));
  const at = c.clock.now();
  await c.clock.settle(c.replica(target).close());
  assert.ok(c.clock.now() - at < 500, "without waiting for an election timeout");
  await c.clock.settle(Promise.all(more));
  const rest = c.ids.filter((id) => id !== target);
  assert.equal((await c.clock.settle(c.replica(rest[0]!).read(null))).seen.length, 40);
  for (const id of rest) await c.clock.settle(c.replica(id).close());
});

test("a replica that stops, and could not hand over, never leads again in what is left of its life", async () => {
  const restless: number[] = [];
  for (let seed = 1; seed <= 20; seed += 1) {
    const c = cluster(3, undefined, seed);
    await c.startAll();
    const leader = await c.leader();
    let isClosed = false;
    const closed = c
      .replica(leader)
      .close()
      .then(() => {
        isClosed = true;
      });
    // The word of the hand-over gets lost, and for a while nobody hears anybody.
    const pairs = c.ids.flatMap((a) => c.ids.filter((b) => a < b).map((b) => [a, b] as const));
    for (const [a, b] of pairs) c.hub.cut(a, b);
    await c.clock.pass(300);
    for (const [a, b] of pairs) c.hub.heal(a, b);
    while (!isClosed) {
      await c.clock.pass(10);
      if (!isClosed && c.replica(leader).status().role === "leader") restless.push(seed);
    }
    await closed;
    const others = c.ids.filter((id) => id !== leader);
    await c.clock.until(() => others.some((id) => c.replica(id).status().role === "leader"), 1500);
    for (const id of others) await c.clock.settle(c.replica(id).close());
  }
  assert.deepEqual(restless, []);
});

test("F15: a replica that comes back with an empty disk never votes, and both sides say so", async () => {
  const c = cluster();
  await c.startAll();
  const follower = await c.follower();
  await c.clock.settle(c.replica(follower).propose({ add: 1 }));
  await c.crash(follower);
  c.disks.delete(follower);
  const wiped = await c.start(follower);
  await assert.rejects(c.clock.settle(wiped.ready()), /must be replaced/);
  assert.equal(wiped.status().role, "starting");
  assert.match(wiped.status().alarms.join(), /disk is new.* must be replaced/);
  assert.match(c.faults(follower).join(), /never votes; its id must be replaced/);
  const other = c.ids.find((id) => id !== follower)!;
  assert.match(c.faults(other).join(), /disk is new .* must be replaced/);
  assert.equal(await c.clock.settle(c.replica(other).propose({ add: 1 })), 2);
  const third = c.ids.find((id) => id !== follower && id !== other)!;
  await c.crash(third);
  await assert.rejects(c.clock.settle(c.replica(other).propose({ add: 1 })), OutcomeUnknown);
  await c.closeAll();
});

test("F10: a failed sync ends the replica: nothing is acknowledged after it, and the others go on", async () => {
  let broken = 0;
  const c = cluster(3, (id) => {
    return new MemoryDisk({
      fault: (operation) => (operation === "sync" && broken === id ? new Error("EIO") : null),
    });
  });
  await c.startAll();
  const leader = await c.leader();
  const follower = await c.follower();
  broken = leader;
  const failed = c.replica(leader).crashed;
  const lost = c.replica(leader).propose({ add: 1 });
  await assert.rejects(c.clock.settle(lost), OutcomeUnknown);
  assert.match((await c.clock.settle(failed)).message, /EIO/);
  await assert.rejects(c.replica(leader).propose({ add: 1 }), Closed);
  assert.match(c.faults(leader).join(), /has stopped: .*EIO/);
  await c.clock.settle(c.replica(follower).propose({ add: 5 }));
  await c.closeAll();
});

test("a start that is prepared for reads the log once, and does not keep it", async () => {
  const c = cluster(1);
  await c.startAll();
  await c.clock.settle(c.replica(1).propose({ add: 1 }));
  await c.crash(1, false);
  const disk = c.disks.get(1)!;
  const read = disk.read.bind(disk);
  const logs: WeakRef<Uint8Array>[] = [];
  disk.read = async (name) => {
    const bytes = await read(name);
    if (name.startsWith("log-")) logs.push(new WeakRef(bytes));
    return bytes;
  };
  await c.start(1);
  assert.equal(logs.length, 1);
  setFlagsFromString("--expose-gc");
  const gc: () => void = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  // What this turn has seen of a weak reference is there until it ends.
  for (let tries = 0; tries < 5; tries += 1) {
    await new Promise(setImmediate);
    gc();
  }
  await new Promise(setImmediate);
  assert.equal(logs[0]!.deref(), undefined);
  await c.closeAll();
});
