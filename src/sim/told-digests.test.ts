// What may follow from what was told of states: every wrong fence, and every false alarm, is seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Memberships, majorityOf } from "../paxos/membership.js";
import { Ghost } from "./ghost.js";
import {
  areSame,
  asksTheWrong,
  callsDivided,
  dividedAfter,
  fencesTheWrong,
  onDigest,
  onOffer,
} from "./told-digests.js";

const SLOT = 16;

/** Digests of the replicas 1, 2, ... in a row, `.` for one that is silent; `rotsFrom`: as a fault would set it. */
function told(row: string, rotsFrom = 0): Ghost {
  const ids = [...row].map((_, i) => i + 1);
  const ghost = new Ghost(new Memberships(majorityOf(ids), 64));
  ghost.rotsFrom = rotsFrom;
  for (const id of ids) if (row[id - 1] !== ".") onDigest(ghost, id, SLOT, row.charCodeAt(id - 1));
  return ghost;
}

test("where nothing has rotted, all tell the same", () => {
  told("aaa", Number.POSITIVE_INFINITY);
  for (const rotsFrom of [Number.POSITIVE_INFINITY, SLOT + 1])
    assert.throws(() => told("aba", rotsFrom), /^InvariantBroken: sameStates: 2 .* slot 16 than 1$/);
  told("aba", SLOT);
});

test("who is fenced told another digest than a majority of the voters", () => {
  fencesTheWrong(told("abb"), 1, SLOT, [2, 3]);
  fencesTheWrong(told("aabbb"), 1, SLOT, [3, 4, 5]);
  // Most of five rotted alike: those who are right are fenced.
  fencesTheWrong(told("rrr.a"), 5, SLOT, [1, 2, 3]);
  const wrong: readonly (readonly [string, number, readonly number[]])[] = [
    // Two of five are none, also when somebody is named twice, or the fenced one itself.
    ["rraaa", 3, [1, 2]],
    ["rraaa", 3, [1, 2, 2]],
    ["rraaa", 3, [1, 2, 3]],
    ["rraaa", 3, [1, 2, 9]],
    // They did not say the same, or nothing, or what the fenced one said.
    ["rsaaa", 3, [1, 2, 4]],
    ["rra.a", 3, [1, 2, 4]],
    ["aaaaa", 3, [1, 2, 4]],
    [".rr", 1, [2, 3]],
  ];
  for (const [row, id, members] of wrong)
    assert.throws(() => fencesTheWrong(told(row), id, SLOT, members), /fencesTheWrong/, `${row} ${members}`);
  assert.throws(() => fencesTheWrong(told("abb"), 1, 32, [2, 3]), /nobody told any/);
});

test("who is fenced asks one of the majority for its state, until it has it", () => {
  const ghost = told("rraaa");
  fencesTheWrong(ghost, 1, SLOT, [3, 4, 5]);
  const any = { slot: SLOT, bytes: 0, sum: 0 };
  for (const peer of [3, 4, 5]) asksTheWrong(ghost, 1, [peer], any);
  asksTheWrong(ghost, 2, [1], any);
  assert.throws(
    () => asksTheWrong(ghost, 1, [2], any),
    /^InvariantBroken: asksTheWrong: 1, fenced for .* 3,4,5, asks 2/,
  );
  // A frame that is damaged at all of them may come from anybody who has the same snapshot.
  const good = { slot: SLOT, bytes: 700, sum: 9 };
  onOffer(ghost, 2, good);
  assert.throws(() => asksTheWrong(ghost, 1, [2], good), /asksTheWrong/);
  onOffer(ghost, 4, good);
  asksTheWrong(ghost, 1, [2], good);
  assert.throws(() => asksTheWrong(ghost, 1, [2], { ...good, sum: 8 }), /asksTheWrong/);
  ghost.sources.delete(1);
  asksTheWrong(ghost, 1, [2], any);
});

test("what a replica said before its state came anew was said, too", () => {
  const ghost = told("raa");
  onDigest(ghost, 1, SLOT, "a".charCodeAt(0));
  fencesTheWrong(ghost, 1, SLOT, [2, 3]);
  assert.equal(areSame(ghost, [1, 2, 3], SLOT), true);
  assert.equal(areSame(ghost, [1, 2, 3], SLOT + 1), false);
});

test("an alarm is false where all have told the same", () => {
  callsDivided(told("ab."), 1, SLOT);
  callsDivided(told("aa."), 1, 0);
  assert.throws(() => callsDivided(told("aa."), 1, SLOT), /callsDivided: 1/);
  assert.throws(() => callsDivided(told("ab."), 1, 32), /callsDivided: 1/);
});

test("states are divided where no majority told the same of the newest slot that tells anything", () => {
  const rows = { "ab.": SLOT, aab: 0, abc: SLOT, "aab..": SLOT, aabbb: 0, "aa...": 0 };
  for (const [row, slot] of Object.entries(rows)) assert.equal(dividedAfter(told(row)), slot, row);
  const ghost = told("aabb.");
  for (const id of [1, 2, 3]) onDigest(ghost, id, 2 * SLOT, 1);
  assert.equal(dividedAfter(ghost), 0);
});
