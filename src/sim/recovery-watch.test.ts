// What a start may find of the state: only what its log showed as chosen, or what a snapshot has brought.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf } from "../paxos/ballot.js";
import { Memberships, majorityOf } from "../paxos/membership.js";
import type { RecoveredState } from "../paxos/state.js";
import { NOOP } from "../paxos/value.js";
import { Ghost } from "./ghost.js";
import { onAppend } from "./observe.js";
import { checkRecovered, onRecovered } from "./recovery-watch.js";
import { onChunk } from "./told-digests.js";

const ID = 1;
const FOUND: RecoveredState = {
  promised: 0,
  chosenUpTo: 7,
  compactedUpTo: 7,
  accepted: [],
  learned: [],
  faulty: [],
};

function executedUpTo7(): Ghost {
  const ghost = new Ghost(new Memberships(majorityOf([1, 2, 3]), 64));
  for (let slot = 1; slot <= 7; slot += 1) ghost.chosen.set(slot, NOOP);
  ghost.chosenPrefix = 7;
  ghost.replica(ID).chosenUpTo = 7;
  return ghost;
}

test("a state that is on disk before its log shows what it executed is found", () => {
  assert.throws(() => checkRecovered(executedUpTo7(), ID, FOUND, 1, false), /executedIsShown: 1 .* up to 7/);
});

test("a snapshot of what was learned meanwhile may have brought it", () => {
  const ghost = executedUpTo7();
  onChunk(ghost, ID, 6);
  assert.throws(() => checkRecovered(ghost, ID, FOUND, 1, false), /executedIsShown/);
  onChunk(ghost, ID, 7);
  checkRecovered(ghost, ID, FOUND, 1, false);
});

test("what a fenced replica wrote down may be found", () => {
  const ghost = executedUpTo7();
  ghost.fenced.add(ID);
  checkRecovered(ghost, ID, FOUND, 1, false);
});

test("a state that was never executed came in a snapshot, one of its own perhaps", () => {
  const ghost = executedUpTo7();
  ghost.replica(ID).chosenUpTo = 6;
  checkRecovered(ghost, ID, FOUND, 1, false);
});

test("what a replica had learned and lost to damage it may vote for again, and not what it still has", () => {
  const ghost = executedUpTo7();
  const replica = ghost.replica(ID);
  for (const slot of [8, 9]) replica.durableLearned.set(slot, NOOP);
  for (const slot of [8, 9]) ghost.chosen.set(slot, NOOP);
  const learned = [{ slot: 9, value: NOOP }];
  const found = { ...FOUND, compactedUpTo: 0, learned, faulty: [{ from: 8, to: 8, ballot: 0 }] };
  onRecovered(ghost, ID, found, 1, true);
  const ballot = ballotOf(1, 1);
  const vote = (slot: number) => ({ kind: "accepted", slot, ballot, value: NOOP }) as const;
  onAppend(ghost, ID, vote(8));
  assert.throws(() => onAppend(ghost, ID, vote(9)), /chosenSlotsAreLeft/);
});
