// The test cluster itself: what its disk keeps and loses, and that its invariants notice what they are there for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf } from "../../src/paxos/ballot.js";
import { Memberships, majorityOf } from "../../src/paxos/membership.js";
import type { AcceptMessage, PromiseMessage } from "../../src/paxos/message.js";
import { NOOP } from "../../src/paxos/value.js";
import { castVote, Ghost, putVote } from "../../src/sim/ghost.js";
import * as invariants from "../../src/sim/invariants.js";
import { onAppend, onExecute, onSend } from "../../src/sim/observe.js";
import { Cluster } from "./cluster.js";
import { LOSE_ALL, TestDisk } from "./disk.js";

const [X, Y] = [Uint8Array.of(2, 1), Uint8Array.of(2, 2)];
const LOW = ballotOf(1, 1);
const HIGH = ballotOf(2, 2);

test("a cluster elects, chooses, executes everywhere and answers reads", () => {
  const cluster = new Cluster({ replicas: 3 });
  cluster.elect(1);
  cluster.propose(1, "x");
  cluster.settle();
  cluster.run(200);
  const read = cluster.read(2);
  cluster.settle();
  assert.equal(cluster.replica(2).answered.get(read), 1);
  for (const id of cluster.ids) assert.deepEqual(cluster.executedAt(id), ["x"]);
});

test("nothing that waits for the disk leaves before a sync, and a crash takes it away", () => {
  const cluster = new Cluster({ replicas: 3 });
  cluster.elect(1);
  cluster.propose(1, "x");
  cluster.deliver(cluster.find(1, 2, "accept")[0]!);
  assert.equal(cluster.find(2, 1, "accepted").length, 0);
  cluster.crash(2);
  assert.equal(cluster.replica(2).disk.slots.size, 0);
  cluster.restart(2);
  cluster.deliver(cluster.find(1, 3, "accept")[0]!);
  cluster.sync(3);
  assert.equal(cluster.find(3, 1, "accepted").length, 1);
  cluster.crash(3);
  cluster.restart(3);
  assert.equal(cluster.core(3).state.acceptor.votes.size, 1);
});

test("a disk recovers the last vote, the learned value above it, and what is fixed by a watermark", () => {
  const disk = new TestDisk();
  disk.append(1, LOW, [{ kind: "accepted", slot: 1, ballot: LOW, value: X }]);
  disk.append(2, HIGH, [
    { kind: "accepted", slot: 2, ballot: HIGH, value: X },
    { kind: "learned", slot: 1, value: Y },
    { kind: "chosen", upTo: 1 },
    { kind: "learned", slot: 4, value: Y },
  ]);
  disk.sync(2);
  const recovered = disk.recover();
  assert.deepEqual(disk.chosen(), [{ slot: 1, value: Y }]);
  assert.deepEqual(recovered.accepted, [{ slot: 2, ballot: HIGH, value: X }]);
  assert.deepEqual(recovered.learned, [{ slot: 4, value: Y }]);
  assert.equal(recovered.promised, HIGH);
});

test("a crash keeps whole turns, then single records, in order", () => {
  const disk = new TestDisk();
  const vote = (slot: number, ballot: number) => ({ kind: "accepted", slot, ballot, value: X }) as const;
  for (const turn of [1, 2]) disk.append(turn, LOW, [vote(turn * 2, LOW), vote(turn * 2 + 1, LOW)]);
  disk.append(3, HIGH, []);
  disk.crash({ turns: 1, records: 1, promise: false });
  assert.deepEqual([...disk.slots.keys()], [2, 3, 4]);
  disk.append(4, HIGH, []);
  disk.crash(LOSE_ALL);
  assert.equal(disk.recover().promised, LOW);
});

function promiseOf(ballot: number, accepted: PromiseMessage["accepted"]): PromiseMessage {
  const to = Number.MAX_SAFE_INTEGER;
  return { kind: "promise", ballot, from: 1, to, accepted, faulty: [], chosenUpTo: 0, compactedUpTo: 0 };
}

function acceptOf(ballot: number, value: Uint8Array): AcceptMessage {
  return { kind: "accept", ballot, firstSlot: 1, values: [value], chosenUpTo: 0 };
}

/** A ghost of three replicas that have promised nothing. */
function ghostOf(): Ghost {
  return new Ghost(new Memberships(majorityOf([1, 2, 3]), 64));
}

/** Each breach that the invariants must notice, done by hand. */
const BREACHES: readonly { name: string; breach: (ghost: Ghost) => void }[] = [
  {
    name: "agreement",
    breach: (ghost) => {
      invariants.agreement(ghost, 1, X);
      invariants.agreement(ghost, 1, Y);
    },
  },
  { name: "nonTriviality", breach: (ghost) => invariants.nonTriviality(ghost, 1, Uint8Array.of(1, 0)) },
  {
    name: "acceptGuard",
    breach: (ghost) => {
      ghost.replica(1).promised = HIGH;
      onAppend(ghost, 1, { kind: "accepted", slot: 1, ballot: LOW, value: X });
    },
  },
  {
    name: "voteImmutability",
    breach: (ghost) => {
      for (const value of [X, Y]) onAppend(ghost, 1, { kind: "accepted", slot: 1, ballot: LOW, value });
    },
  },
  {
    name: "chosenSlotsAreLeft",
    breach: (ghost) => {
      ghost.replica(1).chosenUpTo = 1;
      onAppend(ghost, 1, { kind: "accepted", slot: 1, ballot: LOW, value: X });
    },
  },
  {
    name: "learnsOnlyChosen",
    breach: (ghost) => onAppend(ghost, 1, { kind: "learned", slot: 1, value: X }),
  },
  {
    name: "contiguity",
    breach: (ghost) => {
      ghost.chosen.set(2, X);
      onExecute(ghost, 1, { slot: 2, value: X });
    },
  },
  { name: "persistBeforeSend", breach: (ghost) => onSend(ghost, 1, promiseOf(LOW, [])) },
  {
    name: "persistBeforeSend",
    breach: (ghost) => onSend(ghost, 1, { kind: "accepted", ballot: LOW, upTo: 1, slots: [] }),
  },
  {
    name: "promiseMonotonic",
    breach: (ghost) => {
      ghost.replica(1).spokenPromise = HIGH;
      invariants.promiseMonotonic(1, ghost.replica(1), LOW);
    },
  },
  {
    name: "promiseTruth",
    breach: (ghost) => {
      ghost.replica(1).durablePromise = HIGH;
      castVote(ghost.replica(1), 1, LOW, X);
      onSend(ghost, 1, promiseOf(HIGH, []));
    },
  },
  { name: "ballotUniqueness", breach: (ghost) => invariants.ballotUniqueness(ghost, 2, LOW) },
  {
    name: "ballotUniqueness",
    breach: (ghost) => {
      invariants.ballotUniqueness(ghost, 1, LOW);
      ghost.replica(1).incarnation += 1;
      invariants.ballotUniqueness(ghost, 1, LOW);
    },
  },
  {
    name: "p2c",
    breach: (ghost) => {
      ghost.promises.set(HIGH, new Map([[1, [promiseOf(HIGH, [{ slot: 1, ballot: LOW, value: X }])]]]));
      ghost.promises.get(HIGH)!.set(2, [promiseOf(HIGH, [])]);
      onSend(ghost, 2, acceptOf(HIGH, NOOP));
    },
  },
  {
    name: "P5",
    breach: (ghost) => {
      ghost.chosen.set(65, X);
      onSend(ghost, 1, { ...acceptOf(LOW, X), firstSlot: 65 });
    },
  },
  {
    name: "watermarksTrue",
    breach: (ghost) => onSend(ghost, 1, { ...acceptOf(LOW, X), chosenUpTo: 1 }),
  },
  {
    name: "watermarksTrue",
    breach: (ghost) => {
      invariants.agreement(ghost, 1, X);
      ghost.replica(1).chosenUpTo = 1;
      putVote(ghost.proposed, 1, LOW, Y);
      onSend(ghost, 1, { ...acceptOf(LOW, X), chosenUpTo: 1 });
    },
  },
  { name: "leaderHoldsBallot", breach: () => invariants.leaderHoldsBallot(1, LOW, HIGH) },
  {
    name: "linearizableRead",
    breach: (ghost) => {
      ghost.reads.set("1.0.7", { replica: 1, atLeast: 5 });
      invariants.linearizableRead(ghost, 1, 7, 4);
    },
  },
  {
    name: "quorumLog",
    breach: (ghost) => {
      ghost.chosen.set(1, X);
      invariants.quorumLog(ghost, false, (id) => id === 1);
    },
  },
];

test("every invariant notices its breach", () => {
  for (const { name, breach } of BREACHES) {
    assert.throws(
      () => breach(ghostOf()),
      { name: "InvariantBroken", message: new RegExp(`^${name}: `) },
      name,
    );
  }
});
