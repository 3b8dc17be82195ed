// Traps of the proposer, the leader and reads: F2, F4 to F7, F13, F32. Each follows the trace that breaks a
// wrong reading.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf } from "../../src/paxos/ballot.js";
import { Memberships } from "../../src/paxos/membership.js";
import { Sessions } from "../../src/paxos/sessions.js";
import { type Command, commandsOf } from "../../src/paxos/value.js";
import { Cluster } from "../cluster/cluster.js";

/** 1 leads b1.1 with 2 and 3; its link to 3 closes, and 3, 4, 5 make 4 the leader of b2.4. 1 does not know. */
function rivals(): Cluster {
  const cluster = new Cluster({ replicas: 5, autoSync: true });
  cluster.island(1, 2, 3);
  cluster.elect(1);
  return cluster;
}

function overtake(cluster: Cluster): void {
  cluster.flying = [];
  cluster.setLink(1, 3, "closed");
  for (const [a, b] of [
    [3, 4],
    [3, 5],
    [4, 5],
  ] as const) {
    cluster.setLink(a, b, "up");
  }
  cluster.setLink(2, 3, "silent");
  cluster.elect(4, 20);
}

/** As `rivals`; 1 has proposed v in slot 1, accepted by 1 and 2; then w is chosen there at b2.4 by 3, 4, 5. */
function overtaken(): Cluster {
  const cluster = rivals();
  cluster.propose(1, "v");
  cluster.pass(1, 2, "accept");
  overtake(cluster);
  cluster.propose(4, "w");
  cluster.settle();
  cluster.run(60);
  assert.ok(cluster.core(1).isLeading && cluster.core(4).isLeading);
  assert.deepEqual(cluster.executedAt(5), ["w"]);
  return cluster;
}

test("F2: a leader that learns a value other than its own leads no more, before it can tell anyone 'chosen'", () => {
  const cluster = overtaken();
  cluster.setLink(1, 5, "up");
  cluster.step(5, { kind: "message", from: 1, message: { kind: "learn", fromSlot: 1 } });
  cluster.pass(5, 1, "learned");
  assert.equal(cluster.core(1).isLeading, false);
  assert.deepEqual(cluster.executedAt(1), ["w"]);
  cluster.setLink(1, 2, "up");
  cluster.setLink(1, 3, "up");
  cluster.run(400);
  assert.notEqual(cluster.executedAt(2)[0], "v", "v was not chosen");
  cluster.heal();
  assert.ok(cluster.run(5000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "w"))));
  for (const id of cluster.ids) assert.equal(cluster.executedAt(id)[0], "w");
});

test("F2: a leader that learned a value above a gap does not propose in that slot", () => {
  // Slots 1 and 2 are chosen at b2.4, and 1, which still leads b1.1, hears of slot 2 first.
  const cluster = rivals();
  overtake(cluster);
  cluster.propose(4, "w1");
  cluster.propose(4, "w2");
  cluster.settle();
  cluster.run(60);
  cluster.setLink(1, 5, "up");
  cluster.step(5, { kind: "message", from: 1, message: { kind: "learn", fromSlot: 2 } });
  const [gap] = cluster.hold(5, 1, "learned");
  cluster.deliver(gap!, true);
  assert.equal(cluster.core(1).isLeading, true);
  for (const text of ["v1", "v2"]) cluster.propose(1, text);
  cluster.settle();
  const proposed = [...cluster.ghost.proposed].filter(([, ballots]) => ballots.has(ballotOf(1, 1)));
  assert.deepEqual(
    proposed.map(([slot]) => slot),
    [1, 3],
    "slot 2 is known chosen and passed over",
  );
  cluster.heal();
  assert.ok(cluster.run(5000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "v2"))));
  assert.deepEqual(cluster.executedAt(2).slice(0, 2), ["w1", "w2"]);
});

test("F4: a replica whose own acceptor promised another ballot leads no more, and answers no read", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  const prepare = { kind: "prepare", ballot: ballotOf(2, 3), fromSlot: 1 } as const;
  const read = cluster.read(1);
  cluster.step(1, { kind: "message", from: 3, message: prepare });
  assert.equal(cluster.core(1).isLeading, false);
  cluster.setLink(1, 3, "silent");
  cluster.settle();
  assert.equal(
    cluster.replica(1).answered.has(read),
    false,
    "2 has acknowledged, and that is no quorum without 1",
  );
});

test("F5: a new leader answers no read before what its promises reported is chosen", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.island(1, 2);
  cluster.elect(1);
  cluster.propose(1, "x");
  cluster.settle();
  assert.deepEqual(cluster.executedAt(1), ["x"], "acknowledged to its caller");
  cluster.island(2, 3);
  cluster.electBy(3, 2);
  const [accept] = cluster.hold(3, 2, "accept");
  const read = cluster.read(3);
  cluster.settle();
  assert.equal(cluster.replica(3).answered.has(read), false, "heartbeats alone confirm nothing yet");
  cluster.deliver(accept!, true);
  cluster.settle();
  assert.equal(cluster.replica(3).answered.get(read), 1);
});

test("F5: a read that comes after a round has started waits for the next one", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  cluster.run(60);
  cluster.settle();
  const first = cluster.read(1);
  const early = [...cluster.hold(1, 2, "heartbeat"), ...cluster.hold(1, 3, "heartbeat")];
  const second = cluster.read(1);
  for (const heartbeat of early) cluster.deliver(heartbeat, true);
  const answers = [...cluster.hold(2, 1, "heartbeatAck"), ...cluster.hold(3, 1, "heartbeatAck")];
  cluster.deliver(answers[0]!, true);
  assert.equal(cluster.replica(1).answered.has(first), true);
  assert.equal(cluster.replica(1).answered.has(second), false);
  cluster.deliver(answers[1]!, true);
  assert.equal(cluster.replica(1).answered.has(second), false);
  cluster.settle();
  assert.equal(cluster.replica(1).answered.has(second), true);
});

test("F5: a round that another ballot refuses confirms nothing", () => {
  const cluster = overtaken();
  cluster.island(1, 3, 4, 5);
  const read = cluster.read(1);
  cluster.settle();
  assert.equal(cluster.core(1).isLeading, false);
  assert.equal(cluster.replica(1).answered.get(read) ?? 1, 1, "if at all, then by the new leader");
});

/** `from`, who leads, hands over to `id`, and `voters` promise: no time passes. */
function handOver(cluster: Cluster, from: number, id: number, ...voters: number[]): void {
  const ballot = cluster.core(from).promised;
  cluster.step(id, { kind: "message", from, message: { kind: "transfer", ballot, to: id } });
  for (const voter of voters) {
    cluster.pass(id, voter, "prepare");
    cluster.pass(voter, id, "promise");
  }
  assert.equal(cluster.core(id).isLeading, true);
}

test("F5: stepping down fails the reads that waited: a later ballot does not confirm an earlier round", () => {
  const cluster = new Cluster({ replicas: 5, autoSync: true });
  cluster.electBy(1, 2, 3);
  cluster.flying = [];
  handOver(cluster, 1, 5, 3, 4);
  cluster.propose(5, "w");
  for (const id of [3, 4]) {
    cluster.pass(5, id, "accept");
    cluster.pass(id, 5, "accepted");
  }
  assert.deepEqual(cluster.executedAt(5), ["w"], "acknowledged to its caller");
  cluster.flying = [];
  // A read begins at 2, goes to 1, which does not know better and starts a round at slot 0.
  const heartbeat = {
    kind: "heartbeat",
    round: 1,
    quorumConnected: true,
    emptyAbove: 0,
    full: false,
    digests: [],
  } as const;
  const told = { ...heartbeat, ballot: ballotOf(1, 1), chosenUpTo: 0 };
  cluster.step(2, { kind: "message", from: 1, message: told });
  const read = cluster.read(2);
  cluster.pass(2, 1, "readIndex");
  assert.equal(cluster.core(1).state.reads.rounds.length, 1);
  cluster.flying = [];
  const reject = { kind: "reject", ballot: ballotOf(1, 1), promised: ballotOf(2, 5) } as const;
  cluster.step(1, { kind: "message", from: 3, message: reject });
  handOver(cluster, 5, 1, 2, 3);
  for (const id of [2, 3]) {
    cluster.pass(1, id, "heartbeat");
    cluster.pass(id, 1, "heartbeatAck");
  }
  assert.equal(cluster.find(1, 2, "readIndexReply").length, 0);
  cluster.settle();
  cluster.run(1000);
  assert.ok(cluster.replica(2).answered.get(read)! >= 1);
});

test("F6: who knows only that slots are chosen, not with what, proposes nothing beyond alpha", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true, alpha: 2 });
  cluster.island(1, 2);
  cluster.elect(1);
  for (let i = 1; i <= 6; i += 1) {
    cluster.propose(1, `x${i}`);
    cluster.settle();
  }
  cluster.run(100);
  assert.equal(cluster.core(2).chosenUpTo, 6);
  cluster.island(2, 3);
  cluster.electBy(3, 2);
  cluster.propose(3, "y");
  cluster.step(3, { kind: "tick" });
  const ballot = cluster.core(3).promised;
  const slots = [...cluster.ghost.proposed]
    .filter(([, ballots]) => ballots.has(ballot))
    .map(([slot]) => slot);
  assert.ok(
    slots.every((slot) => slot <= 2),
    slots.join(" "),
  );
  cluster.heal();
  assert.ok(cluster.run(5000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "y"))));
});

test("F7: quorums and alpha come with the membership, and phase-1 and phase-2 quorums always meet", () => {
  const voters = [1, 2, 3, 4, 5];
  for (let phase1 = 1; phase1 <= 5; phase1 += 1) {
    for (let phase2 = 1; phase2 <= 5; phase2 += 1) {
      const make = () => new Memberships({ voters, phase1, phase2 }, 64);
      if (phase1 + phase2 > 5) assert.equal(make().first.phase2, phase2);
      else assert.throws(make, /meet/);
    }
  }
  assert.throws(() => new Memberships({ voters, phase1: 3, phase2: 3 }, 0), /alpha/);
});

test("F13: a command chosen after a later one of the same origin still takes effect, and each only once", () => {
  const sessions = new Sessions();
  const command = (number: number, incarnation = 1, settled = 0): Command => {
    return { origin: 1, incarnation, number, settled, payload: Uint8Array.of(number) };
  };
  assert.equal(sessions.execute(command(2)), true);
  assert.equal(sessions.execute(command(1)), true, "not a duplicate, although 1 <= 2");
  assert.equal(sessions.execute(command(1)), false);
  assert.equal(sessions.execute(command(1, 2)), true, "a new life counts from 1 again");
  assert.equal(sessions.execute(command(3, 1)), false, "an older life has no effect any more");
  assert.equal(sessions.execute(command(9, 2, 8)), true);
  assert.equal(sessions.execute(command(7, 2)), false, "settled: a late copy");
});

test("F13: commands that a dying leader reorders each take effect once", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  for (const text of ["first", "second"]) {
    cluster.propose(3, text);
    cluster.pass(3, 1, "forward");
  }
  // Only the second reaches a quorum; the leader dies with the first.
  const [lost, kept] = cluster.hold(1, 2, "accept");
  assert.ok(lost !== undefined && kept !== undefined);
  cluster.deliver(kept, true);
  cluster.flying = [];
  cluster.crash(1);
  assert.ok(cluster.run(5000, () => [2, 3].every((id) => cluster.hasExecuted(id, "first"))));
  cluster.run(1000);
  const sessions = new Sessions();
  const effects: string[] = [];
  for (const { value } of cluster.replica(3).executed) {
    for (const command of commandsOf(value)) {
      if (sessions.execute(command)) effects.push(new TextDecoder().decode(command.payload));
    }
  }
  assert.deepEqual(effects.sort(), ["first", "second"]);
});

test("F32: bytes that are no value hold no commands, everywhere alike, and stop nobody", () => {
  const values = [[], [0, 0], [1], [1, 255], [1, 1, 1, 1, 1, 0, 9], [2, 1, 2, 3], [255]].map((v) =>
    Uint8Array.from(v),
  );
  for (const value of values) assert.deepEqual(commandsOf(value), []);
});
