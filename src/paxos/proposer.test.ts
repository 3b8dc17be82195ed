// Proposer and learner, exhaustively: counting votes per slot and ballot (L1), free slots (P4, P5), and handing out
// chosen values in order, without gaps, once (L3), for every order in which they can come.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf, LAST_SLOT, type ReplicaId } from "./ballot.js";
import { Learner } from "./learner.js";
import { Memberships, majorityOf } from "./membership.js";
import { Proposer } from "./proposer.js";
import { NOOP } from "./value.js";

function leading(memberships: Memberships, firstSlot: number): Proposer {
  const proposer = new Proposer();
  proposer.prepare(ballotOf(1, 1), firstSlot, 1, 0);
  for (const from of memberships.first.voters) {
    const part = { accepted: [], faulty: [], chosenUpTo: 0, compactedUpTo: 0 };
    proposer.phaseOne.add(from, {
      kind: "promise",
      ballot: proposer.ballot,
      from: 1,
      to: LAST_SLOT,
      ...part,
    });
  }
  proposer.phase = "leading";
  return proposer;
}

function* sequences(of: readonly ReplicaId[], length: number): Generator<ReplicaId[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const rest of sequences(of, length - 1)) for (const one of of) yield [...rest, one];
}

test("L1: a slot is chosen exactly when a phase-2 quorum of its voters has voted, each counted once", () => {
  for (const n of [1, 2, 3, 4, 5]) {
    const membership = majorityOf(Array.from({ length: n }, (_, i) => i + 1));
    const memberships = new Memberships(membership, 64);
    // Two outsiders vote as well.
    for (const votes of sequences([...membership.voters.slice(0, 3), 8, 9], 4)) {
      const proposer = leading(memberships, 1);
      proposer.propose(1, NOOP, [], 1, 0);
      const proposal = proposer.inFlight.get(1)!;
      const seen = new Set<ReplicaId>();
      for (const voter of votes) {
        if (voter <= n) seen.add(voter);
        assert.equal(
          proposer.count(proposal, voter, memberships, 0),
          seen.size >= membership.phase2,
          `${votes}`,
        );
      }
    }
  }
});

test("P5: every pair of slot and chosenUpTo: a slot is free only within alpha of what is known", () => {
  for (const alpha of [1, 2, 5]) {
    const memberships = new Memberships(majorityOf([1, 2, 3]), alpha);
    const proposer = leading(memberships, 1);
    for (let slot = 1; slot <= 12; slot += 1) {
      for (let chosenUpTo = 0; chosenUpTo < slot; chosenUpTo += 1) {
        assert.equal(proposer.mayProposeNew(slot, memberships, chosenUpTo), slot <= chosenUpTo + alpha);
      }
    }
  }
});

test("P6: a ballot is used once, and one who stops has nothing left to count", () => {
  const memberships = new Memberships(majorityOf([1, 2, 3]), 64);
  const proposer = leading(memberships, 1);
  proposer.propose(1, NOOP, [], 1, 0);
  assert.throws(() => proposer.propose(1, NOOP, [], 1, 0), /once/);
  proposer.stop();
  assert.equal(proposer.inFlight.size, 0);
  assert.throws(() => proposer.propose(2, NOOP, [], 1, 0), /only a leader/);
  for (const ballot of [ballotOf(1, 1), proposer.ballot])
    assert.throws(() => proposer.prepare(ballot, 1, 2, 0), /once/);
});

test("L3: values that come in any order, some of them twice, are handed out in slot order, without gaps, once", () => {
  for (const order of sequences([1, 2, 3, 4], 5)) {
    const learner = new Learner(0, 0, []);
    const known = new Set<number>();
    const out: number[] = [];
    for (const slot of order) {
      assert.equal(learner.mark(slot, Uint8Array.of(slot)), !known.has(slot));
      known.add(slot);
      for (let entry = learner.next(); entry !== undefined; entry = learner.next()) {
        assert.deepEqual(entry.value, Uint8Array.of(entry.slot));
        out.push(entry.slot);
      }
      let contiguous = 0;
      while (known.has(contiguous + 1)) contiguous += 1;
      assert.equal(learner.chosenUpTo, contiguous);
      for (let other = 1; other <= 5; other += 1) assert.equal(learner.isChosen(other), known.has(other));
    }
    assert.deepEqual(
      out,
      Array.from({ length: learner.chosenUpTo }, (_, i) => i + 1),
    );
  }
});

test("a second value for a slot is our bug, and stops the replica", () => {
  for (const isHandedOut of [false, true]) {
    const learner = new Learner(0, 0, []);
    learner.mark(1, Uint8Array.of(1));
    if (isHandedOut) learner.next();
    assert.throws(() => learner.mark(1, Uint8Array.of(2)), /two values chosen in slot 1/);
  }
});
