// What may wait, and what counts as more of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PaxosState } from "../paxos/state.js";
import { bounds } from "./bounds.js";

function waitingAtLeader(numbers: readonly number[]): PaxosState {
  const none = { size: 0 };
  const waiting = numbers.map((number) => ({ command: { origin: 1, incarnation: 1, number }, via: 2 }));
  const state = {
    forwarding: { pending: none, unsent: [] },
    proposer: { waiting, inFlight: none },
    told: [],
    acceptor: { votes: none },
    learner: { above: none },
    reads: { open: none, attempts: [], waiting: [], rounds: [] },
    unsyncedUpTo: [],
  };
  return state as unknown as PaxosState;
}

test("a command that is handed over again and again waits once, others do not", () => {
  bounds(5, waitingAtLeader(Array.from({ length: 500 }, (_, i) => i % 40)));
  assert.throws(
    () => bounds(5, waitingAtLeader(Array.from({ length: 41 }, (_, i) => i))),
    /bounds: 5 has 41 commands that wait at the leader/,
  );
});
