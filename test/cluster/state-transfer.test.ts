// A replica behind the logs of the others comes back by snapshot (A5, L4), through broken links and crashes; and logs
// do not grow for ever.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { MemoryCluster } from "../support/memory-cluster.js";
import { slowPieces } from "../support/slow-pieces.js";

interface Put {
  readonly key: number;
  readonly text: string;
}

/** Of the values that are put anew again and again. */
const KEYS = 50;
/** Bytes of a value: the whole state is more than one piece. */
const LONG = 20_000;

function machine() {
  return jsonMachine({
    initial: { keys: {} as Record<number, string>, count: 0 },
    apply: (state, { key, text }: Put) => {
      state.keys[key] = text;
      state.count += 1;
      return state.count;
    },
    query: (state, _query: "state") => JSON.stringify(state),
  });
}

const SMALL_LOG = { segmentBytes: 1 << 18, tailBytes: 0, snapshotBytes: 1 << 18 };

function newCluster(seed = 1) {
  return new MemoryCluster({ replicas: 3, machine, seed, ...SMALL_LOG });
}

type Cluster = ReturnType<typeof newCluster>;

async function put(c: Cluster, at: number, times: number, length = LONG, keys = KEYS): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await c.clock.settle(c.replica(at).propose({ key: i % keys, text: `${i} `.padEnd(length, "x") }));
  }
}

function counter(c: Cluster, id: number, name: string): number {
  return c.replica(id).status().counters[name] ?? 0;
}

async function assertSame(c: Cluster, ids: readonly number[]): Promise<void> {
  await c.level();
  const states = await Promise.all(ids.map((id) => c.replica(id).read("state", { local: true })));
  for (const state of states) assert.equal(state, states[0]);
}

/** One follower misses so much that the others have compacted it. */
async function leaveBehind(
  c: Cluster,
  keys = KEYS,
  times = 150,
): Promise<{ leader: number; behind: number }> {
  await c.startAll();
  const leader = await c.leader();
  const behind = c.ids.find((id) => id !== leader)!;
  await put(c, leader, 5);
  await c.crash(behind);
  await put(c, leader, times, LONG, keys);
  return { leader, behind };
}

test("the log of a volatile machine does not grow for ever, and a start goes on from a snapshot", async () => {
  const c = newCluster();
  await c.startAll();
  const leader = await c.leader();
  await put(c, leader, 300);
  const written = 300 * LONG;
  for (const id of c.ids) assert.ok(c.replica(id).status().logBytes < written / 2, `the log of ${id}`);
  const before = await c.replica(leader).read("state", { local: true });
  for (const id of c.ids) await c.crash(id);
  await c.startAll();
  await assertSame(c, c.ids);
  assert.equal(await c.replica(leader).read("state", { local: true }), before);
  for (const id of c.ids) assert.deepEqual(c.faults(id), []);
  await c.closeAll();
});

test("a follower that missed what is compacted takes a snapshot and goes on", async () => {
  const c = newCluster();
  const { leader, behind } = await leaveBehind(c);
  await c.start(behind);
  await c.level();
  assert.equal(counter(c, behind, "snapshotsInstalled"), 1);
  await put(c, behind, 3);
  await assertSame(c, c.ids);
  assert.ok(
    counter(c, leader, "snapshotPiecesSent") + counter(c, 6 - leader - behind, "snapshotPiecesSent") > 1,
  );
  // What it took is durable: it starts from it.
  await c.crash(behind);
  await c.start(behind);
  await assertSame(c, c.ids);
  assert.equal(counter(c, behind, "snapshotsInstalled"), 0);
  await c.closeAll();
});

test("as a snapshot is installed no status says that more is applied than chosen", async () => {
  const c = newCluster();
  const { behind } = await leaveBehind(c);
  let looked = 0;
  const soon = c.clock.soon.bind(c.clock);
  c.clock.soon = (task) =>
    soon(() => {
      const { role, appliedUpTo, chosenUpTo } = c.replica(behind).status();
      assert.ok(role === "starting" || appliedUpTo <= chosenUpTo, `${appliedUpTo} ${chosenUpTo}`);
      looked += 1;
      task();
    });
  await c.start(behind);
  await c.level();
  assert.ok(looked > 0 && counter(c, behind, "snapshotsInstalled") === 1);
  await c.closeAll();
});

test("a transfer goes on where a crash has ended it", async () => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const c = newCluster(seed);
    // So much that what came before is synced: a MiB at a time is.
    const { behind } = await leaveBehind(c, 150, 600);
    await c.start(behind);
    await c.clock.until(() => counter(c, behind, "snapshotBytesReceived") > 2_300_000);
    const before = counter(c, behind, "snapshotBytesReceived");
    assert.equal(counter(c, behind, "snapshotsInstalled"), 0);
    await c.crash(behind, seed % 2 === 0);
    await c.start(behind);
    await assertSame(c, c.ids);
    const size = Math.max(
      ...c.disks
        .get(behind)!
        .names()
        .filter((name) => /^snapshot-\d+$/.test(name))
        .map((name) => c.disks.get(behind)!.bytesOf(name).length),
    );
    const after = counter(c, behind, "snapshotBytesReceived");
    assert.ok(
      after < size - before / 4,
      `seed ${seed}: of ${size} bytes ${before} came before, then ${after}`,
    );
    await c.closeAll();
  }
});

test("a transfer survives the death of its source", async () => {
  const c = newCluster();
  const { leader, behind } = await leaveBehind(c);
  await c.start(behind);
  await c.clock.until(() => counter(c, behind, "snapshotBytesReceived") > 300_000);
  const source = c.ids.find((id) => id !== behind && counter(c, id, "snapshotPiecesSent") > 0)!;
  await c.crash(source);
  await c.start(source);
  await assertSame(c, c.ids);
  assert.ok(counter(c, behind, "snapshotsInstalled") >= 1);
  assert.ok([leader, source].length === 2);
  await c.closeAll();
});

test("commands go on while a snapshot is on its way, and what is asked at the one behind is done", async () => {
  const c = newCluster();
  const { leader, behind } = await leaveBehind(c);
  await c.start(behind);
  const own = c.replica(behind).propose({ key: 1, text: "own" });
  await put(c, leader, 30, 100);
  await c.clock.settle(own);
  await assertSame(c, c.ids);
  await c.closeAll();
});

test("a snapshot of a volatile machine arrives however many newer ones are written meanwhile", async () => {
  const c = newCluster();
  slowPieces(c, 400);
  const { leader, behind } = await leaveBehind(c, 150, 300);
  await c.start(behind);
  const writtenAt = new Set<string>();
  for (let i = 0; i < 4000 && counter(c, behind, "snapshotsInstalled") === 0; i += 1) {
    await c.clock.settle(c.replica(leader).propose({ key: i % 150, text: `${i} `.padEnd(LONG, "y") }));
    await c.clock.pass(5);
    for (const name of c.disks.get(leader)!.names()) if (/^snapshot-\d+$/.test(name)) writtenAt.add(name);
  }
  assert.equal(counter(c, behind, "snapshotsInstalled"), 1);
  assert.ok(writtenAt.size > 4, `${writtenAt.size} were written`);
  await assertSame(c, c.ids);
  await c.closeAll();
});
