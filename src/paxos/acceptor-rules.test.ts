// Every relation of two ballots against each rule of the acceptor, and every order of reports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { highestVote, mayAccept, mayPromise } from "./acceptor-rules.js";
import { ballotOf, NO_BALLOT } from "./ballot.js";

const BALLOTS = [NO_BALLOT, ballotOf(1, 1), ballotOf(1, 2), ballotOf(1, 65535), ballotOf(2, 1)];

test("an acceptor promises what is above, repeats what is equal, rejects what is below", () => {
  for (const [i, promised] of BALLOTS.entries()) {
    for (const [j, ballot] of BALLOTS.entries()) {
      const expected = j > i ? "promise" : j === i && j > 0 ? "again" : "reject";
      assert.equal(mayPromise(promised, ballot), expected, `${ballot} after ${promised}`);
    }
  }
});

test("an acceptor accepts at its promise and above, never without a ballot", () => {
  for (const [i, promised] of BALLOTS.entries()) {
    for (const [j, ballot] of BALLOTS.entries()) assert.equal(mayAccept(promised, ballot), j > 0 && j >= i);
  }
});

test("the vote of the highest ballot wins, whatever the order of the reports", () => {
  const low = { ballot: ballotOf(1, 3), value: Uint8Array.of(1) };
  const middle = { ballot: ballotOf(2, 1), value: Uint8Array.of(2) };
  const high = { ballot: ballotOf(2, 2), value: Uint8Array.of(3) };
  const orders = [
    [low, middle, high],
    [low, high, middle],
    [middle, low, high],
    [middle, high, low],
    [high, low, middle],
    [high, middle, low],
  ];
  for (const order of orders) assert.equal(highestVote(order), high);
  assert.equal(highestVote([]), null);
});
