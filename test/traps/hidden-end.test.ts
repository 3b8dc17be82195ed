// Traps of A8: a replica that cannot tell what was at the end of its log must not forget a vote that may count, and
// must not stay useless for ever. Each is a trace of the whole core, with every invariant after each event.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import { Cluster } from "../cluster/cluster.js";

const T = 500;

/** Replica 1 leads, and has chosen x with replica 2 alone, whose log then loses its end; 2 is down. */
function hidden(): Cluster {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  cluster.settle();
  cluster.setLink(1, 3, "silent");
  cluster.propose(1, "x");
  cluster.pass(1, 2, "accept");
  cluster.pass(2, 1, "accepted");
  assert.deepEqual(cluster.executedAt(1), ["x"]);
  cluster.flying = [];
  cluster.crash(2);
  cluster.hideEnd(2);
  return cluster;
}

function isFree(cluster: Cluster, id: ReplicaId): boolean {
  return cluster.core(id).state.acceptor.isFreeFaulty;
}

test("A8: at the ballot of the promise found the hidden vote may count: nothing is void, and nobody is elected by it", () => {
  const cluster = hidden();
  const ballot = cluster.core(1).promised;
  cluster.restart(2);
  cluster.island(1, 2);
  cluster.run(4 * T);
  assert.equal(cluster.core(1).promised, ballot, "with the third away the leader stays at its ballot");
  assert.equal(isFree(cluster, 2), true);
  cluster.crash(1);
  cluster.heal();
  cluster.run(10 * T);
  assert.deepEqual(cluster.leaders, [], "what replica 2 has forgotten nobody else has");
  cluster.restart(1);
  assert.ok(cluster.run(10 * T, () => cluster.ids.every((id) => cluster.hasExecuted(id, "x"))));
});

test("A8: a leader that others would elect takes a new ballot, the free slots heal, and the replica counts again", () => {
  const cluster = hidden();
  const ballot = cluster.core(1).promised;
  cluster.restart(2);
  cluster.heal();
  assert.ok(
    cluster.run(4 * T, () => !isFree(cluster, 2)),
    "within 4 T",
  );
  assert.ok(cluster.core(1).isLeading && cluster.core(1).promised > ballot);
  const healedAt = cluster.core(1).promised;
  cluster.run(8 * T);
  assert.equal(cluster.core(1).promised, healedAt, "one new ballot is enough");
  cluster.crash(1);
  cluster.propose(3, "y");
  assert.ok(cluster.run(6 * T, () => [2, 3].every((id) => cluster.hasExecuted(id, "y"))));
  assert.deepEqual(cluster.executedAt(2), ["x", "y"]);
});

test("A8: slots that the leader had to recover stay faulty until they are chosen", () => {
  const cluster = hidden();
  // It goes on with the votes that it has; nobody but replica 2 had x, and it does not know that x is chosen.
  cluster.replica(1).disk.chosenUpTo = 0;
  cluster.crash(1);
  cluster.ghost.replica(1).chosenUpTo = 0;
  cluster.restart(1);
  cluster.heal();
  cluster.electBy(1, 3);
  assert.equal(cluster.core(1).state.proposer.emptyAbove, 1);
  cluster.restart(2);
  cluster.step(1, { kind: "tick" });
  cluster.flying = cluster.find(1, 2, "heartbeat");
  cluster.pass(1, 2, "heartbeat");
  assert.deepEqual(cluster.core(2).state.acceptor.faulty, [{ from: 1, to: 1, ballot: 0 }]);
  // Its leader dies before it has proposed x again: of slot 1 the others cannot tell.
  cluster.flying = [];
  cluster.crash(1);
  cluster.propose(3, "y");
  cluster.run(10 * T);
  assert.deepEqual(cluster.executedAt(3), []);
  cluster.restart(1);
  assert.ok(cluster.run(20 * T, () => cluster.ids.every((id) => cluster.hasExecuted(id, "y"))));
  assert.deepEqual([...new Set(cluster.executedAt(3))], ["x", "y"]);
});

test("A8: a promise that covers the slots waits for the record that they are void; lost with it, they are faulty again", () => {
  for (const isSynced of [false, true]) {
    const cluster = hidden();
    cluster.setLink(1, 2, "silent");
    cluster.heal();
    cluster.elect(3);
    cluster.restart(2);
    cluster.flying = [];
    cluster.autoSync = false;
    cluster.now += 50;
    cluster.step(3, { kind: "tick" });
    cluster.pass(3, 2, "heartbeat");
    assert.equal(isFree(cluster, 2), false);
    // In a later turn, and nothing of either is on disk.
    const ballot = cluster.core(3).promised;
    cluster.step(1, { kind: "message", from: 3, message: { kind: "transfer", ballot, to: 1 } });
    cluster.sync(1);
    cluster.pass(1, 2, "prepare");
    assert.equal(cluster.find(2, 1, "promise").length, 0);
    if (isSynced) {
      cluster.sync(2);
      const promise = cluster.find(2, 1, "promise")[0]!.message;
      assert.ok(promise.kind === "promise");
      assert.deepEqual(promise.faulty, []);
    }
    cluster.crash(2);
    cluster.restart(2);
    assert.equal(isFree(cluster, 2), !isSynced);
  }
});

test("A8: the word of a leader that is deposed, or dead, is as good as ever, while another chooses at a higher ballot", () => {
  for (const isDead of [false, true]) {
    const cluster = hidden();
    cluster.setLink(1, 2, "silent");
    cluster.heal();
    cluster.elect(3);
    cluster.settle();
    cluster.restart(2);
    // What replica 3 says of its ballot is late by an age.
    cluster.flying = [];
    cluster.now += 50;
    cluster.step(3, { kind: "tick" });
    const word = cluster.hold(3, 2, "heartbeat");
    const { ballot, emptyAbove } = cluster.core(3).state.proposer;
    cluster.island(1, 3);
    cluster.elect(1);
    cluster.propose(1, "y");
    cluster.settle();
    assert.deepEqual([cluster.executedAt(1), emptyAbove], [["x", "y"], 1]);
    if (isDead) cluster.crash(3);
    for (const flying of word) cluster.deliver(flying, true);
    assert.equal(isFree(cluster, 2), false);
    assert.equal(cluster.core(2).promised, ballot);
    // It counts, and the others' y, which it has never heard of, is found by those that it elects.
    if (isDead) cluster.restart(3);
    cluster.crash(1);
    cluster.heal();
    cluster.propose(3, "z");
    assert.ok(cluster.run(10 * T, () => [2, 3].every((id) => cluster.hasExecuted(id, "z"))));
    assert.deepEqual(cluster.executedAt(2).slice(0, 2), ["x", "y"]);
  }
});

test("A8: two that ask in five share a new ballot, and it does not matter who leads when it comes to it", () => {
  for (const dies of [false, true]) {
    const cluster = new Cluster({ replicas: 5, autoSync: true });
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.settle();
    for (const id of [4, 5]) {
      cluster.crash(id);
      cluster.hideEnd(id);
      cluster.restart(id);
    }
    const ballot = cluster.core(1).promised;
    if (dies) cluster.crash(1);
    const isHealed = () => [4, 5].every((id) => !isFree(cluster, id));
    if (dies) {
      cluster.run(4 * T);
      assert.equal(isHealed(), false, "two that are whole and two that are not elect nobody");
      cluster.restart(1);
    }
    assert.ok(cluster.run(8 * T, isHealed));
    assert.equal(cluster.leaders.length, 1);
    const leader = cluster.core(cluster.leaders[0]!);
    assert.ok(leader.promised > ballot);
    const { promised } = leader;
    cluster.run(8 * T);
    assert.equal(leader.promised, promised);
  }
});

test("A8: a replica that starts again and again, damaged, costs a ballot in 4 T at most", () => {
  const cluster = hidden();
  cluster.restart(2);
  cluster.heal();
  const ballots = new Set<number>();
  const end = cluster.now + 20 * T;
  while (cluster.now < end) {
    cluster.run(60);
    cluster.crash(2);
    cluster.hideEnd(2);
    cluster.restart(2);
    for (const id of cluster.leaders) ballots.add(cluster.core(id).promised);
  }
  assert.ok(ballots.size <= 6 && ballots.size >= 2, `${ballots.size} ballots`);
  assert.ok(cluster.run(8 * T, () => !isFree(cluster, 2)));
});
