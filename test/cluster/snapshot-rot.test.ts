// A snapshot file that rots on the disk of a replica whose state is good: who fetches it tells that replica, which
// makes another one, and nobody is told to restore the cluster from a backup.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { kvCluster } from "../support/kv-cluster.js";
import { MemoryCluster } from "../support/memory-cluster.js";
import { name } from "../support/snapshot-samples.js";

const SNAPSHOT = /^snapshot-\d+$/;
/** In the second frame. */
const ROTTEN_BYTE = 300_000;
/** The whole state is more than one frame. */
const LONG = 20_000;
const SMALL_LOG = { replicas: 3, segmentBytes: 1 << 18, tailBytes: 0, snapshotBytes: 1 << 18 };

function volatileCluster() {
  const machine = () =>
    jsonMachine({
      initial: { keys: {} as Record<number, string> },
      apply: (state, { key, text }: { key: number; text: string }) => {
        state.keys[key] = text;
        return key;
      },
      query: (state, _query: null) => JSON.stringify(state),
    });
  const c = new MemoryCluster({ ...SMALL_LOG, machine });
  const put = (at: number, i: number) =>
    c.replica(at).propose({ key: i % 50, text: `${i} `.padEnd(LONG, "x") });
  return { c, put };
}

interface Scene<C, R, Q, A> {
  readonly c: MemoryCluster<C, R, Q, A>;
  put(at: number, i: number): Promise<unknown>;
}

/** One replica is behind the log of the others. */
async function leaveBehind<C, R, Q, A>({ c, put }: Scene<C, R, Q, A>) {
  await c.startAll();
  const leader = await c.leader();
  const behind = c.ids.find((id) => id !== leader)!;
  await c.crash(behind);
  for (let i = 0; i < 150; i += 1) await c.clock.settle(put(leader, i));
  // The log is compacted.
  await c.clock.pass(3000);
  return { leader, behind, third: 6 - leader - behind };
}

function rotAll<C, R, Q, A>(c: MemoryCluster<C, R, Q, A>, id: number): number {
  const names = snapshotsOf(c, id);
  for (const name of names) c.disks.get(id)!.bytesOf(name)[ROTTEN_BYTE]! ^= 1;
  return names.length;
}

function snapshotsOf<C, R, Q, A>(c: MemoryCluster<C, R, Q, A>, id: number): string[] {
  const names = c.disks.get(id)!.names();
  return names.filter((name) => SNAPSHOT.test(name));
}

async function assertHeals<C, R, Q, A>(c: MemoryCluster<C, R, Q, A>, leader: number, behind: number) {
  const end = c.clock.now() + 30_000;
  const slot = c.replica(leader).status().appliedUpTo;
  await c.clock.until(() => c.clock.now() >= end || c.replica(behind).status().appliedUpTo >= slot);
  assert.ok(c.replica(behind).status().appliedUpTo >= slot, "it has come back");
  const told = [...c.faults(behind), ...c.replica(behind).status().alarms].join("\n");
  assert.ok(!told.includes("backup"), told);
  assert.match(c.faults(leader).join("\n"), /the snapshot snapshot-\d+ is damaged.*is put aside/);
}

test("a durable machine makes another snapshot of its state", async () => {
  const scene = kvCluster(3, LONG);
  const { c } = scene;
  const { leader, behind, third } = await leaveBehind(scene);
  await c.crash(third);
  let rotten = 0;
  await c.start(behind);
  await c.clock.until(() => {
    if (rotten === 0) rotten = rotAll(c, leader);
    return rotten > 0;
  });
  await assertHeals(c, leader, behind);
  await c.closeAll();
});

test("a volatile machine, whose files are all that it has on disk, writes its state anew", async () => {
  const scene = volatileCluster();
  const { c, put } = scene;
  const { leader, behind, third } = await leaveBehind(scene);
  // The newest is of the very state that the leader has: nothing else has it written anew.
  const isNewest = () => snapshotsOf(c, leader).includes(name(c.replica(leader).status().appliedUpTo));
  for (let i = 0; !isNewest(); i += 1) await c.clock.settle(put(leader, i));
  await c.crash(third);
  assert.equal(rotAll(c, leader), 2);
  await c.start(behind);
  await assertHeals(c, leader, behind);
  // It is durable again.
  await c.clock.settle(put(leader, 7));
  await c.level();
  const { appliedUpTo } = c.replica(leader).status();
  await c.crash(leader);
  await c.start(leader);
  await c.clock.until(() => c.replica(leader).status().appliedUpTo >= appliedUpTo);
  assert.equal(c.replica(leader).status().counters.snapshotsInstalled, 0);
  await c.closeAll();
});
