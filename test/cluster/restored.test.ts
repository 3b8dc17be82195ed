// Members that begin with the state of a backup: slots go on after it, commands have effect once, and nobody votes
// before all have met, though the state holds slots that were chosen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import { put, range } from "../../src/kv/requests-for-tests.js";
import { clusterIdOf, defaultConfig, restoredConfig } from "../../src/paxos/genesis.js";
import { Sessions } from "../../src/paxos/sessions.js";
import { encodeMeta } from "../../src/replica/state-meta.js";
import { makeRestored } from "../../src/wal/identity.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { openLog } from "../../src/wal/open-log.js";
import { readPromises } from "../../src/wal/promise-file.js";
import { Room } from "../../src/wal/room.js";
import { MemoryCluster } from "../support/memory-cluster.js";
import { VirtualClock } from "../support/virtual-clock.js";

const SUM = "ab".repeat(32);
const SLOT = 9;
const CONFIG = defaultConfig(
  "test",
  [1, 2, 3].map((id) => ({ id, address: `memory:${id}` })),
);

async function restoredDisk(id: number, sum = SUM): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const clusterId = clusterIdOf(restoredConfig(CONFIG, sum));
  const diskId = String(id).repeat(32);
  await makeRestored(disk, { clusterId, replica: id, diskId, restored: { slot: SLOT, sum } });
  return disk;
}

/** Three members with the state of one backup; their stores outlive them. */
async function restoredCluster() {
  const disks = new Map<number, MemoryDisk>();
  const machines = new Map<number, KvMachine>();
  for (const id of [1, 2, 3]) {
    disks.set(id, await restoredDisk(id));
    const machine = await KvMachine.open(new MemoryRecordStore());
    machine.apply(put("old", "1"));
    await machine.commit(SLOT, encodeMeta({ sessions: new Sessions(), noted: null }));
    machines.set(id, machine);
  }
  const cluster = new MemoryCluster({
    replicas: 3,
    machine: (id) => machines.get(id)!,
    makeDisk: (id) => disks.get(id)!,
  });
  return cluster;
}

test("they go on after the slot of the backup, and what is written is there", async () => {
  const cluster = await restoredCluster();
  await cluster.startAll();
  assert.equal(cluster.replica(1).status().clusterId, clusterIdOf(restoredConfig(CONFIG, SUM)));
  const leader = await cluster.leader();
  const result = await cluster.clock.settle(cluster.replica(leader).propose(put("new", "2")));
  assert.equal(result.kind, "put");
  await cluster.level();
  for (const id of cluster.ids) {
    const answer = await cluster.clock.settle(
      cluster.replica(id).read({ kind: "range", request: range("\0", { rangeEnd: "\0" }) }),
    );
    assert.equal(answer.kind === "range" && answer.response.count, 2);
    assert.equal(answer.revision, 3);
    assert.ok(cluster.replica(id).status().chosenUpTo > SLOT);
  }
  await cluster.closeAll();
});

test("two of three that have met keep still until the third was there, also in their next lives", async () => {
  const cluster = await restoredCluster();
  for (const id of [1, 2]) await cluster.start(id);
  await cluster.clock.pass(5000);
  for (const id of [1, 2]) assert.deepEqual(cluster.replica(id).status().role, "starting");
  // All three make the genesis durable, but nobody knows it of the others: each is alone in its next life.
  await cluster.start(3);
  await cluster.clock.until(() => cluster.disks.get(1)!.has("genesis"));
  for (const id of cluster.ids) await cluster.crash(id, false);
  const hasGenesis = cluster.ids.filter((id) => cluster.disks.get(id)!.has("genesis"));
  assert.ok(hasGenesis.includes(1), `${hasGenesis}`);
  await cluster.start(1);
  await cluster.clock.pass(5000);
  assert.equal(cluster.replica(1).status().role, "starting");
});

test("the settings of the cluster that the backup is of do not open the directory", async () => {
  const disk = await restoredDisk(1, "cd".repeat(32));
  const other = defaultConfig("test", CONFIG.members.slice(0, 2));
  assert.notEqual(clusterIdOf(restoredConfig(other, SUM)), clusterIdOf(restoredConfig(CONFIG, SUM)));
  const cluster = new MemoryCluster({
    replicas: 2,
    machine: () => {
      throw new Error("is not asked for");
    },
    makeDisk: () => disk,
  });
  await assert.rejects(cluster.start(1), /is not asked for|belongs to cluster/);
});

test("a first start that dies before it has a segment leaves where the log begins", async () => {
  const disk = await restoredDisk(1);
  const open = disk.open.bind(disk);
  disk.open = (name, create) =>
    name.startsWith("log-") ? Promise.reject(new Error("the power fails")) : open(name, create);
  const onFailed = () => {};
  const room = Room.withoutReserve({ disk, clock: new VirtualClock(), onFailed });
  const options = { segmentBytes: 4096, appliedUpTo: SLOT, room, onFailed };
  await assert.rejects(openLog(disk, options), /the power fails/);
  const copies = await readPromises(disk, disk.names());
  assert.deepEqual(
    copies.map((copy) => copy?.compactedUpTo),
    [SLOT, SLOT],
  );
});
