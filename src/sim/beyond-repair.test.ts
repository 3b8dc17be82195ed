// What excuses a core that makes no progress, and what does not: the grid of good, missing and damaged records (F22).
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf, LAST_SLOT } from "../paxos/ballot.js";
import { Memberships, majorityOf } from "../paxos/membership.js";
import type { Faulty } from "../paxos/message.js";
import { PaxosState, type RecoveredState } from "../paxos/state.js";
import { NOOP } from "../paxos/value.js";
import { blockedSlot } from "./beyond-repair.js";

const B1 = ballotOf(1, 1);
const B2 = ballotOf(2, 2);

/** Replicas 1 to n of five, each as its disk shows it. */
function states(...disks: readonly Partial<RecoveredState>[]): PaxosState[] {
  return disks.map((disk, at) => {
    const nothing = { promised: B2, chosenUpTo: 0, compactedUpTo: 0, accepted: [], learned: [], faulty: [] };
    return new PaxosState({
      self: at + 1,
      incarnation: 1,
      memberships: new Memberships(majorityOf([1, 2, 3, 4, 5]), 64),
      recovered: { ...nothing, ...disk },
      seed: at,
      now: 0,
      heartbeatMs: 50,
      electionMs: 500,
    });
  });
}

const voted = (ballot: number) => ({ accepted: [{ slot: 1, ballot, value: NOOP }] });
const hurt = (ballot: number, to = 1) => ({ faulty: [{ from: 1, to, ballot }] satisfies Faulty[] });

test("nothing is damaged: whatever is voted, nothing is an excuse", () => {
  assert.equal(blockedSlot(states({}, {}, {}), 3), null);
  assert.equal(blockedSlot(states(voted(B1), voted(B2), {}), 3), null);
});

test("one good copy of a ballot that is not below what was lost is enough", () => {
  assert.equal(blockedSlot(states(voted(B1), hurt(B1), hurt(B1)), 3), null);
  assert.equal(blockedSlot(states(hurt(B1), voted(B2), hurt(B2)), 3), null);
});

test("no good copy, one of a lower ballot, or damage of any ballot: that slot is beyond repair", () => {
  assert.match(blockedSlot(states(hurt(B1), hurt(B1), hurt(B1)), 3)!, /^slot 1:/);
  assert.match(blockedSlot(states(hurt(B1), {}, {}), 3)!, /^slot 1:/);
  assert.match(blockedSlot(states(voted(B1), hurt(B2), voted(B1)), 3)!, /^slot 1:/);
  assert.match(blockedSlot(states(voted(B1), hurt(0), voted(B1)), 3)!, /^slot 1:/);
});

test("a quorum without the damaged replica needs it for nothing", () => {
  assert.equal(blockedSlot(states(hurt(0, LAST_SLOT), {}, voted(B1), {}), 3), null);
  assert.match(blockedSlot(states(hurt(0, LAST_SLOT), {}, {}), 3)!, /any new command/);
  const behind = { chosenUpTo: 1, faulty: [{ from: 2, to: LAST_SLOT, ballot: 0 }] };
  assert.match(blockedSlot(states(behind, { chosenUpTo: 1 }, { chosenUpTo: 1 }), 3)!, /any new command/);
});

test("what one knows to be chosen and can show is learned from it; what it cannot show is not", () => {
  assert.equal(blockedSlot(states({ chosenUpTo: 1 }, hurt(0), hurt(0)), 3), null);
  assert.match(blockedSlot(states({ chosenUpTo: 1, compactedUpTo: 1 }, hurt(0), {}), 3)!, /^slot 1:/);
});
