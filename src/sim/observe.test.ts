// What the observer takes for hidden by damage: not what a replica shows all the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ballot, ballotOf } from "../paxos/ballot.js";
import { Memberships, majorityOf } from "../paxos/membership.js";
import type { PromiseMessage } from "../paxos/message.js";
import { Ghost } from "./ghost.js";
import { promiseTruth } from "./invariants.js";
import { onAppend, onDurable, onStart } from "./observe.js";

const ID = 1;
const SLOT = 2;
const FROM_ONE = [{ from: 1, to: Number.MAX_SAFE_INTEGER, ballot: 0 }];
const [B1, B2, B3] = [1, 2, 3].map((round) => ballotOf(round, 2)) as [Ballot, Ballot, Ballot];

function accepted(ballot: Ballot) {
  return { kind: "accepted", slot: SLOT, ballot, value: Uint8Array.of(7, ballot % 251) } as const;
}

/** A replica with these votes in its log, at its start: it shows that of `shown`, and says that it may miss some. */
function startedWith(ballots: readonly Ballot[], shown: Ballot | null): Ghost {
  const ghost = new Ghost(new Memberships(majorityOf([1, 2, 3]), 64));
  for (const ballot of ballots) {
    onAppend(ghost, ID, accepted(ballot));
    onDurable(ghost, ID, accepted(ballot));
  }
  ghost.forget(ID);
  onStart(ghost, ID, {
    promised: ballots.at(-1)!,
    chosenUpTo: 0,
    compactedUpTo: 0,
    accepted: shown === null ? [] : [accepted(shown)],
    learned: [],
    faulty: FROM_ONE,
  });
  return ghost;
}

/** Says in a promise of B3 what the vote in the slot is; throws where that is not the truth. */
function promises(ghost: Ghost, ballot: Ballot | null): void {
  const promise: PromiseMessage = {
    kind: "promise",
    ballot: B3,
    from: 1,
    to: Number.MAX_SAFE_INTEGER,
    accepted: ballot === null ? [] : [accepted(ballot)],
    faulty: [],
    compactedUpTo: 0,
    chosenUpTo: 0,
  };
  promiseTruth(ghost, ID, ghost.replica(ID), promise);
}

test("a vote that was written after the damage is shown, and no void takes it away", () => {
  const ghost = startedWith([B1, B2], B2);
  onAppend(ghost, ID, { kind: "void", from: 1, ballot: B3 });
  promises(ghost, B2);
});

test("a vote that is hidden behind an older one that is shown is void after it", () => {
  const ghost = startedWith([B1, B2], B1);
  assert.throws(() => promises(ghost, B1), /missing or too old/);
  onAppend(ghost, ID, { kind: "void", from: 1, ballot: B3 });
  promises(ghost, B1);
  assert.throws(() => promises(ghost, B2), /no such vote/);
});

test("a hidden vote that is cast again is shown, and no void takes it away", () => {
  const ghost = startedWith([B2], null);
  onAppend(ghost, ID, accepted(B2));
  onAppend(ghost, ID, { kind: "void", from: 1, ballot: B3 });
  promises(ghost, B2);
  assert.throws(() => promises(ghost, null), /missing or too old/);
});
