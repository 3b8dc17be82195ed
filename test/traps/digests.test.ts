// Traps of comparing states (F14, 2.10): a corrupt leader fences nobody but itself; a fenced replica leads and answers
// nothing, but its votes go on to count; and it is one among the others again when its state has come anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeartbeatAckMessage, HeartbeatMessage } from "../../src/paxos/message.js";
import type { Notice } from "../../src/paxos/outbox.js";
import { Cluster } from "../cluster/cluster.js";

const SLOT = 64;

function led(replicas: number): { cluster: Cluster; told: [number, Notice][] } {
  const cluster = new Cluster({ replicas, autoSync: true });
  const told: [number, Notice][] = [];
  cluster.onNotice = (id, notice) => {
    if (notice.kind === "diverged" || (notice.kind === "divided" && !notice.isOpen)) told.push([id, notice]);
  };
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.settle();
  return { cluster, told };
}

function digest(cluster: Cluster, id: number, value: number, slot = SLOT): void {
  cluster.step(id, { kind: "digest", slot, digest: value });
}

function isFenced(cluster: Cluster, id: number): boolean {
  return cluster.core(id).state.digests.isFenced;
}

test("F14: a corrupt leader fences itself, and hands over to one of those who agree", () => {
  const { cluster, told } = led(3);
  digest(cluster, 1, 666);
  for (const id of [2, 3]) digest(cluster, id, 7);
  cluster.run(200);
  assert.deepEqual(
    cluster.ids.map((id) => isFenced(cluster, id)),
    [true, false, false],
  );
  const fences = told.filter(([, { kind }]) => kind === "diverged");
  assert.deepEqual(fences, [[1, { kind: "diverged", slot: SLOT, members: [2, 3] }]]);
  assert.ok(cluster.run(2000, () => cluster.leaders.length === 1 && cluster.leaders[0] !== 1));
  // It votes: with one of the others it makes a quorum, whoever it is.
  cluster.crash(cluster.leaders[0] === 2 ? 3 : 2);
  const [leader] = cluster.leaders;
  cluster.propose(leader!, "b");
  assert.ok(cluster.run(2000, () => cluster.hasExecuted(leader!, "b") && cluster.hasExecuted(1, "b")));
});

test("a leader that is fenced hands over to one of the majority, never to another one that differs", () => {
  const { cluster } = led(5);
  const transfers: number[] = [];
  cluster.onMessage = (from, to, message) => {
    if (message.kind === "transfer") transfers.push(from, to);
  };
  // 2 was heard last.
  cluster.crash(5);
  for (const id of [1, 2]) digest(cluster, id, 666);
  for (const id of [3, 4]) digest(cluster, id, 7);
  cluster.run(200);
  cluster.restart(5);
  digest(cluster, 5, 7);
  cluster.run(49);
  cluster.run(200);
  assert.equal(transfers[0], 1);
  assert.ok(transfers[1]! > 2);
  assert.ok(cluster.run(400, () => cluster.leaders.length === 1 && cluster.leaders[0]! > 2));
});

test("one that prepares when it turns out to differ does not lead", () => {
  for (const value of [7, 666]) {
    const { cluster } = led(3);
    for (const id of [1, 2]) digest(cluster, id, 7);
    cluster.run(200);
    cluster.crash(1);
    const { promised } = cluster.core(3);
    cluster.step(3, { kind: "message", from: 1, message: { kind: "transfer", ballot: promised, to: 3 } });
    assert.equal(cluster.core(3).state.proposer.phase, "preparing");
    digest(cluster, 3, value);
    assert.equal(cluster.core(3).state.proposer.phase, value === 7 ? "preparing" : "idle");
    cluster.settle();
    assert.equal(cluster.core(3).isLeading, value === 7);
  }
});

test("what was said of a state counts no more when another one was installed", () => {
  for (const more of [null, 0, 1]) {
    const isInstalled = more !== null;
    const { cluster } = led(3);
    digest(cluster, 2, 666);
    digest(cluster, 1, 7);
    cluster.run(200);
    // Also one whose slots were learned meanwhile.
    if (isInstalled) cluster.step(2, { kind: "installed", upTo: cluster.core(2).chosenUpTo + more });
    digest(cluster, 3, 7);
    cluster.run(200);
    assert.equal(isFenced(cluster, 2), !isInstalled);
    // What came with the new one counts.
    if (!isInstalled) continue;
    for (const id of cluster.ids) digest(cluster, id, id === 2 ? 666 : 7, 2 * SLOT);
    cluster.run(200);
    assert.equal(isFenced(cluster, 2), true);
  }
});

test("it is told once", () => {
  const { cluster, told } = led(5);
  digest(cluster, 5, 666);
  for (const id of [1, 2, 3]) digest(cluster, id, 7);
  cluster.run(200);
  digest(cluster, 4, 7);
  cluster.run(200);
  assert.deepEqual(
    told.filter(([, { kind }]) => kind === "diverged").map(([id]) => id),
    [5],
  );
});

test("F14: the leader's digest alone moves nobody", () => {
  const { cluster, told } = led(3);
  digest(cluster, 1, 666);
  digest(cluster, 2, 7);
  cluster.run(1000);
  assert.equal(told.length, 0);
});

test("a leader that turns out to differ answers no read with the acknowledgement that says so", () => {
  for (const said of [666, 7]) {
    const { cluster } = led(3);
    const { state } = cluster.core(1);
    const acknowledge = (from: number, round: number, value: number) => {
      const { ballot } = state.proposer;
      const digests = { digestSlot: SLOT, digest: value };
      const message = {
        kind: "heartbeatAck",
        ballot,
        round,
        syncedUpTo: 0,
        ...digests,
        lease: false,
        damaged: false,
        full: false,
      } as const;
      cluster.step(1, { kind: "message", from, message });
    };
    digest(cluster, 1, 666);
    acknowledge(2, state.heartbeats.round, 7);
    const read = cluster.read(1);
    cluster.flying = [];
    acknowledge(3, state.heartbeats.round, said);
    assert.equal(cluster.replica(1).answered.has(read), said === 666);
    assert.equal(cluster.core(1).isLeading, said === 666);
  }
});

test("a follower that is told of a majority by heartbeats fences itself, and does not stand", () => {
  const { cluster, told } = led(3);
  for (const id of [1, 2]) digest(cluster, id, 7);
  digest(cluster, 3, 666);
  cluster.run(200);
  assert.deepEqual(told.at(-1), [3, { kind: "diverged", slot: SLOT, members: [1, 2] }]);
  assert.equal(cluster.core(1).isLeading, true);
  // Not of itself, and not when it is asked to.
  for (const id of [1, 2]) cluster.crash(id);
  cluster.run(10_000);
  assert.equal(cluster.core(3).state.election.canvass, null);
  const { promised } = cluster.core(3);
  cluster.step(3, { kind: "message", from: 1, message: { kind: "transfer", ballot: promised, to: 3 } });
  assert.equal(cluster.core(3).promised, promised);
  // When its state has come anew it stands again.
  cluster.step(3, { kind: "resynced" });
  cluster.restart(2);
  assert.ok(cluster.run(5000, () => cluster.leaders.length === 1));
});

test("one that an earlier life has fenced does not lead before its state has come anew", () => {
  const { cluster } = led(3);
  cluster.crash(1);
  for (const id of [2, 3]) cluster.step(id, { kind: "fenced", members: [1] });
  cluster.run(10_000);
  assert.deepEqual(cluster.leaders, []);
  cluster.step(3, { kind: "resynced" });
  assert.ok(cluster.run(5000, () => cluster.leaders[0] === 3));
});

test("what was said of the old state is void when the new one is there", () => {
  const { cluster, told } = led(3);
  for (const id of [1, 2]) digest(cluster, id, 7);
  digest(cluster, 3, 666);
  cluster.run(200);
  cluster.step(3, { kind: "resynced" });
  assert.equal(cluster.core(3).state.digests.of(3), undefined);
  digest(cluster, 3, 7);
  cluster.run(1000);
  assert.equal(isFenced(cluster, 3), false);
  assert.equal(told.filter(([, { kind }]) => kind === "diverged").length, 1);
  assert.equal(cluster.core(1).state.digests.of(3)!.digest, 7);
});

test("of two that differ both say so at once, once, and when they agree again", () => {
  const { cluster, told } = led(2);
  digest(cluster, 1, 7);
  digest(cluster, 2, 8);
  cluster.run(200);
  assert.equal(told.length, 2);
  cluster.run(3000);
  assert.deepEqual(told.map(([id, notice]) => [id, notice.kind, (notice as { slot: number }).slot]).sort(), [
    [1, "divided", SLOT],
    [2, "divided", SLOT],
  ]);
  for (const id of [1, 2]) digest(cluster, id, 9, 2 * SLOT);
  cluster.run(200);
  assert.deepEqual(
    told
      .slice(2)
      .map(([id, notice]) => [id, (notice as { slot: number }).slot])
      .sort(),
    [
      [1, 0],
      [2, 0],
    ],
  );
});

test("states that differ are told at once, for nobody must take one of them, and told again when a majority agrees", () => {
  const { cluster } = led(3);
  const told: string[] = [];
  cluster.onNotice = (id, notice) => {
    if (notice.kind === "divided") told.push(`${id} ${notice.slot} ${notice.isOpen}`);
  };
  digest(cluster, 1, 7);
  digest(cluster, 2, 8);
  cluster.run(300);
  assert.deepEqual([...told].sort(), [`1 ${SLOT} true`, `2 ${SLOT} true`]);
  told.length = 0;
  digest(cluster, 3, 7);
  cluster.run(300);
  assert.deepEqual([...told].sort(), ["1 0 false", "2 0 false"]);
});

test("while a third one may decide, those who differ wait for it, four election timeouts long", () => {
  const { cluster, told } = led(3);
  cluster.crash(3);
  digest(cluster, 1, 7);
  digest(cluster, 2, 8);
  cluster.run(1900);
  assert.equal(told.length, 0);
  cluster.run(300);
  assert.deepEqual(told.map(([id, { kind }]) => `${id} ${kind}`).sort(), ["1 divided", "2 divided"]);
  assert.deepEqual([isFenced(cluster, 1), isFenced(cluster, 2)], [false, false]);
});

test("heartbeats tell the newest digest of everyone, acknowledgements that of the slot which the leader names", () => {
  const { cluster } = led(3);
  digest(cluster, 1, 7);
  digest(cluster, 2, 7);
  digest(cluster, 2, 8, 2 * SLOT);
  const beats: HeartbeatMessage[] = [];
  const acks: [number, HeartbeatAckMessage][] = [];
  cluster.onMessage = (from, _to, message) => {
    if (message.kind === "heartbeat") beats.push(message);
    if (message.kind === "heartbeatAck") acks.push([from, message]);
  };
  cluster.run(200);
  const last = acks.filter(([from]) => from === 2).at(-1)![1];
  assert.deepEqual([last.digestSlot, last.digest], [SLOT, 7]);
  assert.deepEqual(beats.at(-1)!.digests, [
    { replica: 1, slot: SLOT, digest: 7 },
    { replica: 2, slot: SLOT, digest: 7 },
  ]);
  // One that has none says none; nobody speaks for another, and outsiders do not count.
  const none = acks.filter(([from]) => from === 3).at(-1)![1];
  assert.deepEqual([none.digestSlot, none.digest], [0, 0]);
  const ballot = cluster.core(1).promised;
  const lie: HeartbeatMessage = {
    kind: "heartbeat",
    ballot,
    chosenUpTo: 1,
    round: 1,
    quorumConnected: true,
    emptyAbove: 0,
    full: false,
    digests: [
      { replica: 2, slot: SLOT, digest: 1 },
      { replica: 9, slot: SLOT, digest: 1 },
    ],
  };
  cluster.step(2, { kind: "message", from: 1, message: lie });
  const { digests } = cluster.core(2).state;
  assert.equal(digests.of(2, SLOT)!.digest, 7);
  assert.equal(digests.of(9), undefined);
});
