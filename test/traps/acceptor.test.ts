// Traps of the acceptor and its disk: F1, F3, F8 to F12, F20. Each follows the trace that breaks a wrong reading.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Acceptor } from "../../src/paxos/acceptor.js";
import { ballotOf, LAST_SLOT } from "../../src/paxos/ballot.js";
import { majorityOf } from "../../src/paxos/membership.js";
import type { PromiseMessage } from "../../src/paxos/message.js";
import { PhaseOne } from "../../src/paxos/phase-one.js";
import { NOOP } from "../../src/paxos/value.js";
import { Cluster } from "../cluster/cluster.js";

test("F1: a late accept of an old ballot leaves a slot that is known chosen as it is", () => {
  const cluster = new Cluster({ replicas: 5, autoSync: true });
  cluster.island(1, 4, 5);
  cluster.elect(1);
  cluster.propose(1, "v");
  const late = cluster.hold(1, 4, "accept");
  cluster.flying = [];
  cluster.island(2, 3, 5);
  cluster.elect(2);
  cluster.propose(2, "w");
  cluster.settle();
  // Replica 4 learns w without ever promising the ballot at which it was chosen.
  cluster.setLink(2, 4, "up");
  cluster.run(200, () => cluster.hasExecuted(4, "w"));
  assert.equal(cluster.core(4).promised, ballotOf(1, 1));
  assert.deepEqual(cluster.executedAt(4), ["w"]);
  cluster.setLink(1, 4, "up");
  cluster.flying = [];
  cluster.deliver(late[0]!, true);
  const [answer] = cluster.hold(4, 1, "accepted");
  assert.deepEqual(answer!.message, { kind: "accepted", ballot: ballotOf(1, 1), upTo: 1, slots: [] });
  cluster.crash(4);
  cluster.restart(4);
  assert.deepEqual(cluster.executedAt(4), ["w"]);
});

test("F3: after a restart a replica serves the chosen value, not its own vote for another", () => {
  const cluster = new Cluster({ replicas: 5, autoSync: true });
  cluster.island(1, 2, 3);
  cluster.elect(1);
  cluster.propose(1, "v");
  cluster.pass(1, 2, "accept");
  cluster.flying = [];
  cluster.island(3, 4, 5);
  cluster.elect(4);
  cluster.propose(4, "w");
  cluster.settle();
  cluster.setLink(2, 4, "up");
  assert.ok(cluster.run(2000, () => cluster.hasExecuted(2, "w")));
  cluster.crash(2);
  cluster.restart(2);
  assert.deepEqual(cluster.executedAt(2), ["w"], "from its log");
  cluster.flying = [];
  cluster.step(2, { kind: "message", from: 5, message: { kind: "learn", fromSlot: 1 } });
  cluster.setLink(2, 5, "up");
  cluster.step(2, { kind: "message", from: 5, message: { kind: "learn", fromSlot: 1 } });
  const [served] = cluster.hold(2, 5, "learned");
  assert.deepEqual(served!.message, { kind: "learned", entries: cluster.replica(4).executed });
});

test("F3: a leader that executed on the acknowledgements of others and lost its own disk write claims nothing", () => {
  const cluster = new Cluster({ replicas: 3 });
  cluster.elect(1);
  cluster.propose(1, "x");
  for (const id of [2, 3]) {
    cluster.pass(1, id, "accept");
    cluster.sync(id);
    cluster.pass(id, 1, "accepted");
  }
  assert.deepEqual(cluster.executedAt(1), ["x"], "chosen by 2 and 3 before its own disk had it (P8)");
  cluster.crash(1);
  cluster.restart(1);
  assert.equal(cluster.core(1).chosenUpTo, 0);
  assert.ok(cluster.run(3000, () => cluster.hasExecuted(1, "x")));
});

test("F8: parts of two sendings of a promise may be mixed, for each says which slots it speaks for", () => {
  const big = (byte: number) => new Uint8Array(800_000).fill(byte);
  const ballot = ballotOf(2, 1);
  const votes = [1, 2, 3].map((slot) => ({ slot, ballot: ballotOf(1, 3), value: big(slot) }));
  const acceptor = new Acceptor(ballot, votes, []);
  const first = acceptor.promiseParts(ballot, 1, 0, 0);
  assert.deepEqual(
    first.map(({ from, to }) => [from, to]),
    [
      [1, 1],
      [2, 2],
      [3, LAST_SLOT],
    ],
  );
  acceptor.settle(1);
  const second = acceptor.promiseParts(ballot, 1, 1, 0);
  const membership = majorityOf([3]);
  const mixed = new PhaseOne(ballot);
  mixed.add(3, first[0]!);
  mixed.add(3, second.at(-1)!);
  assert.equal(mixed.isCovered(1, membership), true);
  assert.equal(mixed.isCovered(2, membership), false, "nobody has spoken for slot 2");
  assert.equal(mixed.isCovered(LAST_SLOT, membership), true);
  mixed.add(3, second[0]!);
  assert.equal(mixed.isCovered(2, membership), true);
  assert.equal(mixed.valueAt(2), votes[1]!.value);
});

test("F9: a faulty slot is never reported by an older vote that can still be read", () => {
  const [old, lost] = [ballotOf(1, 1), ballotOf(2, 2)];
  const acceptor = new Acceptor(
    lost,
    [{ slot: 7, ballot: old, value: NOOP }],
    [{ from: 7, to: 7, ballot: lost }],
  );
  const [promise] = acceptor.promiseParts(ballotOf(3, 3), 1, 0, 0);
  assert.deepEqual(promise!.accepted, []);
  assert.deepEqual(promise!.faulty, [{ from: 7, to: 7, ballot: lost }]);
});

test("A4: a value known chosen above a hole that damage made is in the promise, though the vote for it is not", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.island(1, 3);
  cluster.elect(1);
  for (const text of ["x", "y"]) {
    cluster.propose(1, text);
    cluster.settle();
  }
  cluster.run(200, () => cluster.hasExecuted(3, "y"));
  // Of the log of 3 the record of slot 1 is damaged, so it shows slot 2 as chosen, and nothing below it.
  cluster.isDamaged = true;
  cluster.crash(3);
  const { disk } = cluster.replica(3);
  const y = disk.slots.get(2)!.value;
  disk.slots.delete(1);
  disk.slots.set(2, { value: y, ballot: 0 });
  disk.chosenUpTo = 0;
  disk.faulty = [{ from: 1, to: 1, ballot: cluster.core(1).promised }];
  cluster.ghost.forget(3);
  cluster.ghost.replica(3).learned.set(2, y);
  cluster.ghost.replica(3).durableLearned.set(2, y);
  cluster.crash(1);
  cluster.island(2, 3);
  cluster.restart(3);
  cluster.elect(2);
  cluster.propose(2, "z");
  cluster.settle();
  const proposed = [...cluster.ghost.proposed.get(2)!].map(([, value]) => value);
  assert.equal(proposed.length, 2, "replica 2 proposes in it again");
  for (const value of proposed) assert.deepEqual(value, y);
});

test("F9: a slot is not healed by the vote of another replica: without a quorum that covers it, nothing is proposed", () => {
  // w was chosen by 2 and 3 at b2; the record of 3 is damaged, 2 is away, 1 has an older vote for v.
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  cluster.propose(1, "v");
  cluster.flying = [];
  cluster.island(2, 3);
  cluster.elect(2);
  cluster.propose(2, "w");
  cluster.pass(2, 3, "accept");
  cluster.settle();
  cluster.isDamaged = true;
  cluster.crash(3);
  cluster.replica(3).disk.slots.delete(1);
  cluster.replica(3).disk.chosenUpTo = 0;
  cluster.replica(3).disk.faulty = [{ from: 1, to: 1, ballot: cluster.core(2).promised }];
  cluster.ghost.replica(3).durableVotes.clear();
  cluster.ghost.forget(3);
  cluster.crash(2);
  cluster.restart(3);
  cluster.island(1, 3);
  cluster.run(3000);
  assert.equal(cluster.core(1).chosenUpTo, 0);
  cluster.restart(2);
  cluster.heal();
  assert.ok(cluster.run(5000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "w"))));
  assert.equal(cluster.executedAt(1)[0], "w");
});

test("F10: an accept repeated while its write is under way is not acknowledged before that write is done", () => {
  const cluster = new Cluster({ replicas: 3 });
  cluster.elect(1);
  cluster.propose(1, "x");
  const [accept] = cluster.hold(1, 2, "accept");
  cluster.deliver(accept!, true);
  cluster.deliver(accept!, true);
  assert.equal(cluster.find(2, 1).length, 0);
  cluster.crash(2);
  cluster.restart(2);
  assert.equal(cluster.find(2, 1, "accepted").length, 0);
  assert.equal(cluster.core(2).state.acceptor.votes.size, 0);
});

test("F11: votes and promises leave in the order of their steps, each after all that was written before it", () => {
  const cluster = new Cluster({ replicas: 3 });
  cluster.elect(1);
  cluster.propose(1, "x");
  cluster.pass(1, 2, "accept");
  const acceptTurn = cluster.replica(2).turn;
  const ballot = ballotOf(2, 3);
  cluster.step(2, { kind: "message", from: 3, message: { kind: "prepare", ballot, fromSlot: 1 } });
  assert.equal(cluster.find(2, 3, "promise").length, 0);
  cluster.sync(2, acceptTurn);
  assert.equal(cluster.find(2, 1, "accepted").length, 1);
  assert.equal(cluster.find(2, 3, "promise").length, 0);
  cluster.sync(2);
  const promise = cluster.hold(2, 3, "promise")[0]!.message as PromiseMessage;
  assert.deepEqual(
    promise.accepted.map(({ slot }) => slot),
    [1],
  );
});

test("F12: what was promised in an earlier life binds the next: nothing lower, and no lower ballot of its own", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  const high = ballotOf(9, 3);
  cluster.step(2, { kind: "message", from: 3, message: { kind: "prepare", ballot: high, fromSlot: 1 } });
  cluster.crash(2);
  cluster.restart(2);
  assert.equal(cluster.core(2).promised, high);
  cluster.flying = [];
  const low = ballotOf(5, 1);
  cluster.step(2, { kind: "message", from: 1, message: { kind: "prepare", ballot: low, fromSlot: 1 } });
  const [answer] = cluster.hold(2, 1);
  assert.deepEqual(answer!.message, { kind: "reject", ballot: low, promised: high });
  cluster.elect(2);
  assert.ok(cluster.core(2).promised > high);
});

test("F20: an accept lost in between is not acknowledged by the one that came", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  cluster.propose(1, "lost");
  cluster.flying = [];
  cluster.propose(1, "kept");
  cluster.pass(1, 2, "accept");
  const [answer] = cluster.hold(2, 1, "accepted");
  assert.deepEqual(answer!.message, { kind: "accepted", ballot: ballotOf(1, 1), upTo: 0, slots: [2] });
  cluster.deliver(answer!, true);
  assert.equal(cluster.ghost.chosen.has(1), false);
  assert.deepEqual(cluster.executedAt(1), []);
  assert.equal(cluster.core(1).state.learner.isChosen(2), true);
});
