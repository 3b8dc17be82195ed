// What a start may find of the state: only what its log showed as chosen, or what a snapshot has brought.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Memberships, majorityOf } from "../paxos/membership.js";
import type { RecoveredState } from "../paxos/state.js";
import { NOOP } from "../paxos/value.js";
import { Ghost } from "./ghost.js";
import { checkRecovered } from "./recovery-watch.js";
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
