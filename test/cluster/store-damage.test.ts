// A replica whose store is damaged answers nothing from it, and is rebuilt from its log and its peers (L5, A5); where
// there are no peers and the log does not reach back, it refuses to start.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../../src/kv/commands.js";
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import { StoreCorrupt } from "../../src/kv/record-store.js";
import { compact, put, range, text } from "../../src/kv/requests-for-tests.js";
import { DEFAULT_DIGEST_INTERVAL } from "../../src/paxos/genesis.js";
import { OutcomeUnknown, Unavailable } from "../../src/replica/errors.js";
import { MemoryCluster } from "../support/memory-cluster.js";

const VALUE = "x".repeat(4_000);
const KEYS = 30;

class Lab {
  readonly media = new Map<number, MemoryMedium>();
  /** Media that were set aside. */
  readonly aside: MemoryMedium[] = [];
  readonly machines = new Map<number, KvMachine>();
  readonly c: MemoryCluster<KvCommand, KvResult, KvQuery, KvAnswer>;

  constructor(replicas: number, tailBytes: number, digestInterval = DEFAULT_DIGEST_INTERVAL) {
    this.c = new MemoryCluster({
      replicas,
      digestInterval,
      machine: async (id) => {
        this.machines.set(id, await this.#open(id));
        return this.machines.get(id)!;
      },
      segmentBytes: 1 << 17,
      tailBytes,
    });
  }

  /** As `openKv` does it, over memory. */
  async #open(id: number): Promise<KvMachine> {
    const medium = this.media.get(id) ?? new MemoryMedium();
    this.media.set(id, medium);
    try {
      if (medium.condemned !== null) throw new StoreCorrupt(medium.condemned);
      return await KvMachine.open(new MemoryRecordStore(medium));
    } catch (error) {
      assert.ok(error instanceof StoreCorrupt);
      this.aside.push(medium);
      this.media.set(id, new MemoryMedium());
      return KvMachine.open(new MemoryRecordStore(this.media.get(id)));
    }
  }

  async put(at: number, times: number, value = VALUE): Promise<void> {
    for (let i = 0; i < times; i += 1) {
      await this.c.clock.settle(this.c.replica(at).propose(put(`key-${i % KEYS}`, `${i} ${value}`)));
    }
    await this.c.level();
    // So that everything is committed.
    await this.c.clock.pass(1_000);
  }

  /** The main revision of the newest record of a key. */
  async revisionOf(at: number, key: string): Promise<number> {
    const answer = await this.c.clock.settle(
      this.c.replica(at).read({ kind: "range", request: range(key) }, { local: true }),
    );
    assert.ok(answer.kind === "range");
    return answer.response.kvs[0]!.modRevision;
  }

  async assertSame(): Promise<void> {
    await this.c.level();
    const hashes = this.c.ids.map((id) => this.c.clock.settle(this.c.replica(id).read({ kind: "hash" })));
    const [first, ...others] = await Promise.all(hashes);
    for (const other of others) assert.deepEqual(other, first);
  }

  async stop(id: number): Promise<void> {
    await this.c.clock.settle(this.c.replica(id).close());
  }
}

const WHOLE_LOG = 1 << 30;

test("a store found damaged at the start is rebuilt from the log, where it reaches back", async () => {
  for (const replicas of [1, 3]) {
    const lab = new Lab(replicas, WHOLE_LOG);
    await lab.c.startAll();
    await lab.put(1, 60);
    const revision = await lab.revisionOf(1, "key-3");
    await lab.stop(1);
    const { slot } = (await KvMachine.open(new MemoryRecordStore(lab.media.get(1)))).held();
    assert.ok(slot >= 60, `it held slot ${slot}`);
    lab.media.get(1)!.damage(revision, 0);
    await lab.c.start(1);
    assert.equal(lab.aside.length, 1);
    assert.equal(lab.c.replica(1).status().rebuildingUpTo, 0);
    assert.equal(await lab.revisionOf(1, "key-3"), revision);
    await lab.assertSame();
    await lab.c.closeAll();
  }
});

test("what the log has not any more comes as a snapshot, and until then no reads are served", async () => {
  for (const isFirst of [true, false]) {
    const lab = new Lab(3, 0);
    await lab.c.startAll();
    const leader = await lab.c.leader();
    const victim = isFirst ? leader : lab.c.ids.find((id) => id !== leader)!;
    await lab.put(leader, 200);
    const revision = await lab.revisionOf(victim, "key-3");
    await lab.stop(victim);
    lab.media.get(victim)!.damage(revision, 0);
    const replica = await lab.c.start(victim);
    const { rebuildingUpTo } = replica.status();
    assert.ok(rebuildingUpTo > 100, `it says that it is rebuilt up to ${rebuildingUpTo}`);
    const told = lab.c.faults(victim).filter((fault) => fault.includes("serves no reads"));
    assert.equal(told.length, 1);
    assert.deepEqual(replica.status().alarms, told);
    assert.equal(replica.status().isServing, false);
    await assert.rejects(replica.read({ kind: "status" }, { local: true }), Unavailable);
    await assert.rejects(replica.snapshot(), /the state is being rebuilt/);
    // A linearizable read waits.
    const read = replica.read({ kind: "range", request: range("key-3") });
    await lab.c.clock.settle(replica.ready());
    assert.equal(replica.status().rebuildingUpTo, 0);
    assert.equal(replica.status().isServing, true);
    assert.deepEqual(replica.status().alarms, []);
    const answer = await lab.c.clock.settle(read);
    assert.ok(answer.kind === "range");
    assert.equal(answer.response.kvs[0]!.modRevision, revision);
    assert.ok(replica.status().counters.snapshotsInstalled! >= 1);
    await lab.assertSame();
    // It is whole for good.
    await lab.stop(victim);
    await lab.c.start(victim);
    assert.equal(lab.c.replica(victim).status().rebuildingUpTo, 0);
    await lab.assertSame();
    await lab.c.closeAll();
  }
});

test("a power failure at any moment of the rebuilding begins it anew, or finds it done", async () => {
  for (let ms = 0; ms < 900; ms += 75) {
    const lab = new Lab(3, 0);
    await lab.c.startAll();
    const leader = await lab.c.leader();
    const victim = lab.c.ids.find((id) => id !== leader)!;
    await lab.put(leader, 200);
    await lab.stop(victim);
    lab.media.set(victim, new MemoryMedium());
    await lab.c.start(victim);
    await lab.c.clock.pass(ms);
    await lab.c.crash(victim);
    await lab.c.start(victim);
    await lab.c.clock.settle(lab.c.replica(victim).ready());
    await lab.assertSame();
    await lab.c.closeAll();
  }
});

test("alone, it refuses to start when slots are neither in the store nor in the log, and changes nothing", async () => {
  const lab = new Lab(1, 0);
  await lab.c.startAll();
  await lab.put(1, 200);
  await lab.stop(1);
  const medium = lab.media.get(1)!;
  lab.media.set(1, new MemoryMedium());
  const disk = lab.c.disks.get(1)!;
  const before = disk.names().filter((name) => !name.startsWith("identity"));
  await assert.rejects(lab.c.start(1), {
    name: "DataDirectoryError",
    message: /^slots 1 to \d+ are neither in the state that is left nor in the log, .* backup$/,
  });
  assert.deepEqual(
    disk.names().filter((name) => !name.startsWith("identity")),
    before,
  );
  // With the store put back, all is well.
  lab.media.set(1, medium);
  await lab.c.start(1);
  await lab.c.clock.settle(lab.c.replica(1).ready());
  await lab.assertSame();
  await lab.c.closeAll();
});

test("a read that meets damage is not answered, and the replica stops and condemns its store", async () => {
  for (const local of [true, false]) {
    const lab = new Lab(3, 0);
    await lab.c.startAll();
    await lab.put(1, 40);
    const revision = await lab.revisionOf(2, "key-7");
    const replica = lab.c.replica(2);
    lab.media.get(2)!.damage(revision, 0);
    const read = replica.read({ kind: "range", request: range("key-7") }, { local });
    await assert.rejects(lab.c.clock.settle(read), Unavailable);
    // At once, long before a scrub would find it.
    await lab.c.clock.pass(10);
    assert.match(lab.c.faults(2).join(), /replica 2 has stopped: record of revision/);
    const crashed = await lab.c.clock.settle(replica.crashed);
    assert.ok(crashed instanceof StoreCorrupt);
    await lab.stop(2);
    assert.match(lab.media.get(2)!.condemned!, new RegExp(`record of revision ${revision}.0 is damaged`));
    await lab.c.start(2);
    assert.equal(lab.aside.length, 1);
    await lab.c.clock.settle(lab.c.replica(2).ready());
    await lab.assertSame();
    await lab.c.closeAll();
  }
});

test("a command that meets damage is executed elsewhere, and not refused here", async () => {
  const lab = new Lab(3, 0);
  await lab.c.startAll();
  await lab.put(1, 40);
  const revision = await lab.revisionOf(2, "key-7");
  const replica = lab.c.replica(2);
  lab.media.get(2)!.damage(revision, 0);
  const { appliedUpTo } = replica.status();
  const command = put("key-7", "next");
  assert.ok(command.kind === "put");
  const written = replica.propose({ ...command, request: { ...command.request, prevKv: true } });
  await assert.rejects(lab.c.clock.settle(written), OutcomeUnknown);
  assert.ok((await lab.c.clock.settle(replica.crashed)) instanceof StoreCorrupt);
  assert.ok(replica.status().appliedUpTo <= appliedUpTo + 1);
  await lab.stop(2);
  await lab.c.start(2);
  await lab.c.clock.settle(lab.c.replica(2).ready());
  for (const id of lab.c.ids) assert.ok((await lab.revisionOf(id, "key-7")) > revision);
  await lab.assertSame();
  await lab.c.closeAll();
});

test("a snapshot is not made of a damaged store: its maker stops, and another serves the one behind", async () => {
  const lab = new Lab(3, 0);
  await lab.c.startAll();
  const leader = await lab.c.leader();
  const behind = lab.c.ids.find((id) => id !== leader)!;
  await lab.put(leader, 40);
  await lab.stop(behind);
  // The two others must be level by themselves.
  for (let i = 0; i < 200; i += 1) {
    await lab.c.clock.settle(lab.c.replica(leader).propose(put(`key-${i % KEYS}`, `${i} ${VALUE}`)));
  }
  await lab.c.clock.pass(1_000);
  const revision = await lab.revisionOf(leader, "key-7");
  lab.media.get(leader)!.lose(revision, 0);
  await lab.c.start(behind);
  await lab.c.clock.settle(Promise.race([lab.c.replica(behind).ready(), lab.c.replica(leader).crashed]));
  if (lab.media.get(leader)!.condemned !== null) {
    await lab.stop(leader);
    await lab.c.start(leader);
  }
  await lab.c.clock.settle(lab.c.replica(behind).ready());
  const { kvs } = await rangeOf(lab, behind, "key-7");
  assert.equal(kvs[0]!.modRevision, revision);
  assert.ok(text(kvs[0]!.value).endsWith(VALUE));
  await lab.c.closeAll();
});

async function rangeOf(lab: Lab, at: number, key: string) {
  const answer = await lab.c.clock.settle(lab.c.replica(at).read({ kind: "range", request: range(key) }));
  assert.ok(answer.kind === "range");
  return answer.response;
}

test("a record that nobody reads is found damaged, and the replica is rebuilt", async () => {
  const lab = new Lab(3, 0);
  await lab.c.startAll();
  await lab.put(1, 40);
  const revision = await lab.revisionOf(2, "key-7");
  lab.media.get(2)!.damage(revision, 0);
  await lab.c.clock.until(() => lab.c.faults(2).some((fault) => fault.includes("has stopped")), 70_000);
  const { counters } = lab.c.replica(1).status();
  await lab.c.clock.pass(5_000);
  assert.ok(lab.c.replica(1).status().counters.scrubbedRecords! >= KEYS, JSON.stringify(counters));
  assert.ok(lab.c.replica(1).status().counters.scrubPasses! >= 1);
  await lab.stop(2);
  await lab.c.start(2);
  await lab.c.clock.settle(lab.c.replica(2).ready());
  await lab.assertSame();
  await lab.c.closeAll();
});

test("a value damaged in the log is told, never served, and whoever needs it gets the state", async () => {
  const lab = new Lab(3, WHOLE_LOG);
  await lab.c.startAll();
  const leader = await lab.c.leader();
  const behind = lab.c.ids.find((id) => id !== leader)!;
  const other = 6 - leader - behind;
  await lab.put(leader, 10);
  await lab.stop(behind);
  for (let i = 0; i < 30; i += 1) {
    await lab.c.clock.settle(lab.c.replica(leader).propose(put(`key-${i}`, `needle ${i} ${VALUE}`)));
  }
  await lab.c.clock.pass(1_000);
  for (const id of [leader, other]) {
    const disk = lab.c.disks.get(id)!;
    for (const name of disk.names().filter((name) => name.startsWith("log-"))) {
      const bytes = disk.bytesOf(name);
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("needle 11 ");
      if (at >= 0) bytes[at]! ^= 1;
    }
  }
  await lab.c.clock.pass(65_000);
  for (const id of [leader, other]) {
    assert.match(lab.c.faults(id).join(), /^the value of slot \d+ is damaged in the log/);
    assert.equal(lab.c.replica(id).status().counters.damagedLogReads, 1);
  }
  await lab.c.start(behind);
  await lab.c.clock.until(() => lab.c.replica(behind).status().counters.snapshotsInstalled === 1);
  await lab.assertSame();
  assert.equal(text((await rangeOf(lab, behind, "key-11")).kvs[0]!.value), `needle 11 ${VALUE}`);
  await lab.c.closeAll();
});

test("compacted, too", async () => {
  const lab = new Lab(3, 0);
  await lab.c.startAll();
  await lab.put(1, 200);
  await lab.c.clock.settle(lab.c.replica(1).propose(compact(150)));
  await lab.put(1, 20);
  await lab.stop(3);
  lab.media.set(3, new MemoryMedium());
  await lab.c.start(3);
  await lab.c.clock.settle(lab.c.replica(3).ready());
  await lab.assertSame();
  await lab.c.closeAll();
});

test("a state that differs and whose store is damaged, too: fenced and rebuilt at once, and then neither", async () => {
  const lab = new Lab(3, 0, 8);
  await lab.c.startAll();
  const leader = await lab.c.leader();
  const bad = lab.c.ids.find((id) => id !== leader)!;
  await lab.put(leader, 200);
  lab.media.get(bad)!.damage(await lab.revisionOf(bad, "key-7"), 0);
  // A command that nobody has chosen.
  lab.machines.get(bad)!.apply(put("key-1", "rotten"));
  for (let i = 0; i < 16; i += 1) {
    await lab.c.clock.settle(lab.c.replica(leader).propose(put("key-2", `${i}`)));
  }
  // What is wrong is to be kept, and cannot be read.
  assert.ok((await lab.c.clock.settle(lab.c.replica(bad).crashed)) instanceof StoreCorrupt);
  await lab.stop(bad);
  const replica = await lab.c.start(bad);
  const { isServing, isFenced, rebuildingUpTo, alarms } = replica.status();
  assert.deepEqual([isServing, isFenced, rebuildingUpTo > 0], [false, true, true]);
  assert.match(alarms[0]!, /is not the one of the majority/);
  assert.match(alarms[1]!, /has lost the state of slots 1 to/);
  for (const local of [true, false]) {
    await assert.rejects(replica.read({ kind: "status" }, { local }), /not the one of the majority/);
  }
  await lab.c.clock.settle(replica.ready());
  const after = replica.status();
  assert.deepEqual([after.isServing, after.isFenced, after.rebuildingUpTo], [true, false, 0]);
  assert.deepEqual(after.alarms, []);
  await lab.assertSame();
  await lab.c.closeAll();
});
