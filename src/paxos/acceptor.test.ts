// The acceptor, exhaustively: every relation of ballots, of slots, and every kind of record, against A1 to A4.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Acceptor } from "./acceptor.js";
import { type Ballot, ballotOf, LAST_SLOT, NO_BALLOT, type Slot } from "./ballot.js";
import type { Accepted, Faulty, PromiseMessage } from "./message.js";
import { encodeBatch, NOOP, type Value } from "./value.js";

const BALLOTS: readonly Ballot[] = [NO_BALLOT, ballotOf(1, 1), ballotOf(1, 2), ballotOf(2, 1)];
const COMMAND = encodeBatch([
  { origin: 1, incarnation: 1, number: 1, settled: 0, payload: Uint8Array.of(7) },
]);
const VALUES: readonly Value[] = [NOOP, COMMAND];

test("prepare: promises what is above, repeats what is equal, rejects what is below, and never lowers a promise", () => {
  for (const promised of BALLOTS) {
    for (const ballot of BALLOTS) {
      const acceptor = new Acceptor(promised, [], []);
      assert.equal(
        acceptor.prepare(ballot),
        ballot !== NO_BALLOT && ballot >= promised,
        `${ballot} on ${promised}`,
      );
      assert.equal(acceptor.promised, Math.max(promised, ballot));
    }
  }
});

test("admits: takes what is at the promise or above, and then has promised it (A3)", () => {
  for (const promised of BALLOTS) {
    for (const ballot of BALLOTS) {
      const acceptor = new Acceptor(promised, [], []);
      const taken = ballot !== NO_BALLOT && ballot >= promised;
      assert.equal(acceptor.admits(ballot), taken);
      assert.equal(acceptor.promised, taken ? ballot : promised);
    }
  }
});

test("vote: every combination of an older vote, a new ballot, slot and value", () => {
  for (const before of BALLOTS) {
    for (const ballot of BALLOTS.filter((b) => b !== NO_BALLOT && b >= before)) {
      for (const oldValue of VALUES) {
        for (const value of ballot === before ? [oldValue] : VALUES) {
          for (const slot of [1, 2]) {
            const old: Accepted[] =
              before === NO_BALLOT ? [] : [{ slot: 1, ballot: before, value: oldValue }];
            const acceptor = new Acceptor(ballot, old, []);
            const isNew = slot === 2 || ballot !== before;
            assert.equal(
              acceptor.vote(slot, ballot, value),
              isNew,
              "new votes go to disk, repeated ones are there",
            );
            assert.deepEqual(acceptor.votes.get(slot), { slot, ballot, value });
            if (slot === 2) assert.deepEqual(acceptor.votes.get(1), old[0]);
          }
        }
      }
    }
  }
});

/** What a promise must say of `slot`, by the rules alone. */
function truth(
  slot: Slot,
  from: Slot,
  chosenUpTo: Slot,
  votes: readonly Accepted[],
  faulty: readonly Faulty[],
) {
  if (slot < from) return "not asked";
  if (slot <= chosenUpTo) return "chosen";
  if (faulty.some((range) => range.from <= slot && slot <= range.to)) return "faulty";
  return votes.some((vote) => vote.slot === slot) ? "accepted" : "nothing";
}

/** What the parts say of it. */
function told(slot: Slot, parts: readonly PromiseMessage[]): string {
  const speaking = parts.filter((part) => part.from <= slot && slot <= part.to);
  if (speaking.length === 0) return "not asked";
  assert.equal(speaking.length, 1, "one part speaks for a slot");
  const [part] = speaking;
  const isFaulty = part!.faulty.some((range) => range.from <= slot && slot <= range.to);
  const isAccepted = part!.accepted.some((vote) => vote.slot === slot);
  if (slot <= part!.chosenUpTo) {
    assert.ok(!isFaulty && !isAccepted, "nothing is said of what is known chosen (S9)");
    return "chosen";
  }
  assert.ok(!(isFaulty && isAccepted), "a faulty slot has no readable vote (A4)");
  return isFaulty ? "faulty" : isAccepted ? "accepted" : "nothing";
}

test("promise: says of every slot exactly what is true of it, for every pattern of four slots", () => {
  const ballot = ballotOf(3, 3);
  // Per slot: nothing, a vote, a fault, or a vote with a fault over it.
  for (let pattern = 0; pattern < 256; pattern += 1) {
    const votes: Accepted[] = [];
    const faulty: Faulty[] = [];
    for (let slot = 1; slot <= 4; slot += 1) {
      const kind = (pattern >> (2 * (slot - 1))) & 3;
      if ((kind & 1) !== 0) votes.push({ slot, ballot: BALLOTS[1]!, value: VALUES[slot % 2]! });
      if ((kind & 2) !== 0) faulty.push({ from: slot, to: slot, ballot: BALLOTS[2]! });
    }
    for (let chosenUpTo = 0; chosenUpTo <= 4; chosenUpTo += 1) {
      for (let from = 1; from <= 5; from += 1) {
        const acceptor = new Acceptor(ballot, votes, faulty);
        const parts = acceptor.promiseParts(ballot, from, chosenUpTo, 0);
        for (const slot of [1, 2, 3, 4, 5, LAST_SLOT]) {
          assert.equal(
            told(slot, parts),
            truth(slot, from, chosenUpTo, votes, faulty),
            `${pattern} ${chosenUpTo}`,
          );
        }
        for (const part of parts) for (const vote of part.accepted) assert.ok(votes.includes(vote));
      }
    }
  }
});

test("heal: a vote or a chosen value takes one slot out of a faulty range and leaves the rest", () => {
  for (let from = 1; from <= 5; from += 1) {
    for (let to = from; to <= 5; to += 1) {
      for (let slot = 1; slot <= 5; slot += 1) {
        for (const how of ["vote", "settle"] as const) {
          const acceptor = new Acceptor(BALLOTS[2]!, [], [{ from, to, ballot: BALLOTS[1]! }]);
          if (how === "vote") acceptor.vote(slot, BALLOTS[2]!, NOOP);
          else acceptor.settle(slot);
          for (let other = 1; other <= 5; other += 1) {
            assert.equal(acceptor.isFaulty(other), other !== slot && other >= from && other <= to);
          }
          for (const range of acceptor.faulty) assert.ok(range.from <= range.to);
        }
      }
    }
  }
});

test("a copy goes its own way", () => {
  const acceptor = new Acceptor(BALLOTS[1]!, [{ slot: 1, ballot: BALLOTS[1]!, value: NOOP }], []);
  const copy = acceptor.copy();
  copy.vote(2, BALLOTS[2]!, COMMAND);
  copy.prepare(BALLOTS[3]!);
  assert.equal(acceptor.promised, BALLOTS[1]);
  assert.deepEqual([...acceptor.votes.keys()], [1]);
});
