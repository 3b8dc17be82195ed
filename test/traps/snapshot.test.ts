// Traps of compaction and snapshots: F2 (second trace), F27, F39, and A5. What a snapshot replaces may be another value
// than what was voted or proposed here, and what is above it must stay.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf } from "../../src/paxos/ballot.js";
import { Cluster } from "../cluster/cluster.js";

/** Replica 1 leads three or five, which know slots 1 to 5 chosen. */
function cluster(replicas: number): Cluster {
  const made = new Cluster({ replicas, autoSync: true });
  made.elect(1);
  for (const text of ["a", "b", "c", "d", "e"]) {
    made.propose(1, text);
    made.settle();
  }
  made.run(60);
  return made;
}

/** Everything that was chosen is compacted at `id`. */
function compactAll(of: Cluster, id: number): void {
  of.compact(id, of.replica(id).disk.chosenUpTo);
}

test("F2: a leader that installs a snapshot over a slot that it proposed leads no more", () => {
  const of = cluster(5);
  of.propose(1, "old");
  for (const id of [3, 4, 5]) of.hold(1, id, "accept");
  of.pass(1, 2, "accept");
  of.flying = [];
  // 4 leads with 3 and 5, behind the back of 1, whose clock stands, and chooses another value in the same slot.
  of.replica(1).lag = 10_000;
  of.island(3, 4, 5);
  of.electBy(4, 3, 5);
  of.propose(4, "new");
  of.settle();
  of.run(60);
  assert.equal(of.hasExecuted(4, "new"), true);
  assert.equal(of.core(1).isLeading, true);
  of.offers.set(1, { state: [...of.replica(4).executed], at: 0 });
  of.install(1);
  assert.equal(of.core(1).isLeading, false);
  of.heal();
  assert.ok(
    of.run(20_000, () => of.ids.every((id) => of.hasExecuted(id, "new") && of.hasExecuted(id, "old"))),
  );
});

test("F27: a leader that was offered a snapshot hands over to the one who has it", () => {
  const of = cluster(3);
  of.step(1, { kind: "offered", from: 2, upTo: of.core(1).chosenUpTo + 100 });
  assert.equal(of.core(1).isLeading, false);
  assert.equal(of.find(1, 2, "transfer").length, 1);
});

test("F27: an offer of what is known here changes nothing", () => {
  const of = cluster(3);
  of.step(1, { kind: "offered", from: 2, upTo: of.core(1).chosenUpTo });
  assert.equal(of.core(1).isLeading, true);
  assert.equal(of.core(1).state.offeredUntil, 0);
});

test("F27: one that needs a snapshot stands for T only after the last offer", () => {
  const of = cluster(3);
  for (const id of [2, 3]) of.crash(id);
  of.crash(1);
  for (const id of [1, 2]) of.restart(id);
  of.step(1, { kind: "offered", from: 2, upTo: 1000 });
  const offered = of.now;
  of.run(450);
  assert.equal(of.core(1).state.election.canvass, null);
  assert.ok(of.run(2000, () => of.core(1).isLeading || of.core(2).isLeading));
  assert.ok(of.now > offered);
});

test("A5: an installed snapshot keeps the votes above it, and the promise", () => {
  const of = cluster(3);
  const upTo = of.core(2).chosenUpTo;
  of.propose(1, "above");
  of.pass(1, 3, "accept");
  const { acceptor } = of.core(3).state;
  const promised = acceptor.promised;
  const before = acceptor.votes.get(upTo + 1);
  assert.ok(before !== undefined);
  // As if it had been away, and taken a snapshot with all that was chosen then.
  of.core(3).state.learner.chosenUpTo = upTo - 2;
  of.core(3).state.acceptor.votes.set(upTo, { slot: upTo, ballot: ballotOf(1, 3), value: new Uint8Array(3) });
  of.core(3).state.acceptor.faulty = [
    { from: upTo - 1, to: upTo + 3, ballot: 0 },
    { from: upTo + 9, to: upTo + 9, ballot: 7 },
  ];
  of.ghost.replica(3).chosenUpTo = upTo - 2;
  of.offers.set(3, { state: of.replica(1).executed.slice(0, upTo), at: 0 });
  of.install(3);
  assert.equal(acceptor.promised, promised);
  assert.deepEqual(acceptor.votes.get(upTo + 1), before);
  assert.equal(acceptor.votes.has(upTo), false);
  assert.deepEqual(acceptor.faulty, [
    { from: upTo + 1, to: upTo + 3, ballot: 0 },
    { from: upTo + 9, to: upTo + 9, ballot: 7 },
  ]);
  assert.equal(of.core(3).state.learner.compactedUpTo, upTo);
});

test("A5: a snapshot at or below what is known chosen is void", () => {
  const of = cluster(3);
  const { learner } = of.core(2).state;
  const { chosenUpTo } = learner;
  of.step(2, { kind: "installed", upTo: chosenUpTo - 1 });
  assert.equal(learner.chosenUpTo, chosenUpTo);
  assert.equal(learner.compactedUpTo, chosenUpTo - 1);
  assert.equal(of.core(2).state.recordedUpTo, chosenUpTo);
});

test("A5: what was known chosen above a gap is executed once the snapshot has closed it", () => {
  const of = cluster(3);
  const behind = of.core(1).chosenUpTo;
  of.island(1, 2);
  of.propose(1, "x");
  of.settle();
  of.run(60);
  compactAll(of, 2);
  const upTo = of.core(2).chosenUpTo;
  of.propose(1, "y");
  of.settle();
  of.run(60);
  of.heal();
  of.flying = [];
  const entries = of.replica(1).executed.slice(upTo);
  of.step(3, { kind: "message", from: 1, message: { kind: "learned", entries } });
  assert.equal(of.core(3).chosenUpTo, behind);
  of.offers.set(3, { state: of.replica(2).executed.slice(0, upTo), at: 0 });
  of.install(3);
  assert.ok(of.core(3).chosenUpTo > upTo);
  assert.ok(of.hasExecuted(3, "y"));
});

test("A5: what is compacted is offered as a snapshot, what is not is served, and a late vote there is acknowledged", () => {
  const of = cluster(3);
  const { chosenUpTo } = of.core(2);
  of.compact(2, chosenUpTo - 2);
  const notices: string[] = [];
  of.onNotice = (id, { kind }) => notices.push(`${id} ${kind}`);
  of.flying = [];
  of.step(2, { kind: "message", from: 3, message: { kind: "learn", fromSlot: chosenUpTo - 2 } });
  assert.deepEqual(notices, ["2 serveSnapshot"]);
  of.step(2, { kind: "message", from: 3, message: { kind: "learn", fromSlot: chosenUpTo - 1 } });
  assert.equal(of.find(2, 3, "learned").length, 1);
  const value = of.replica(1).executed[0]!.value;
  const { promised: ballot } = of.core(1);
  of.step(2, {
    kind: "message",
    from: 1,
    message: { kind: "accept", ballot, firstSlot: 1, values: [value], chosenUpTo },
  });
  assert.equal(of.find(2, 1, "accepted").length, 1);
  assert.equal(of.replica(2).disk.slots.has(1), false);
});

test("a replica that was away while everything it misses was compacted comes back by snapshot, also after a restart", () => {
  const of = cluster(3);
  of.crash(3);
  for (let i = 0; i < 20; i += 1) {
    of.propose(1, `x${i}`);
    of.settle();
  }
  of.run(60);
  for (const id of [1, 2]) compactAll(of, id);
  of.restart(3);
  assert.ok(of.run(3000, () => of.hasExecuted(3, "x19")));
  assert.ok(of.replica(3).disk.compactedUpTo > 20);
  of.crash(3);
  of.restart(3);
  of.propose(1, "last");
  assert.ok(of.run(3000, () => of.ids.every((id) => of.hasExecuted(id, "last"))));
});
