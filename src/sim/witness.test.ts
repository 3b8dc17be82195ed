// Which operation an executed command was: the one told its result, else one of unknown outcome, a failed one last.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Recorded } from "./client.js";
import type { Outcome } from "./history/operation.js";
import type { ExecutedCommand } from "./watched-machine.js";
import { witnessOf } from "./witness.js";

/** Deletions of one key have the same bytes, whoever asks. */
const DELETION = "delete k0";

function deletion(process: number, call: number, outcome: Outcome): Recorded {
  const isTold = outcome.kind !== "unknown";
  const request = { kind: "delete", key: "k0" } as const;
  return {
    process,
    call,
    return: isTold ? call + 10 : Number.POSITIVE_INFINITY,
    request,
    outcome,
    payload: DELETION,
  };
}

function told(revision: number, deleted: number): Outcome {
  return { kind: "ok", revision, response: { kind: "delete", deleted } };
}

function executed(slot: number, revision: number, deleted: number, time: number): ExecutedCommand {
  return { slot, at: 0, payload: DELETION, bytes: new Uint8Array(0), revision, deleted, time };
}

test("a deletion that failed is not taken for the executed one while another of unknown outcome explains it", () => {
  const history = [deletion(1, 0, { kind: "failed" }), deletion(2, 1, { kind: "unknown" })];
  const found = witnessOf(history, [executed(1, 2, 1, 5)]);
  assert.deepEqual(
    found.map(({ operation }) => operation),
    [1],
  );
});

test("one that failed is taken when nothing else explains it, so that the check sees the lie", () => {
  const history = [deletion(1, 0, { kind: "failed" }), deletion(2, 9, { kind: "unknown" })];
  const found = witnessOf(history, [executed(1, 2, 1, 5)]);
  assert.deepEqual(
    found.map(({ operation }) => operation),
    [0],
  );
});

test("the one told the result comes first, each operation is taken once, in the order of slots", () => {
  const history = [
    deletion(1, 0, { kind: "unknown" }),
    deletion(2, 0, told(2, 1)),
    deletion(3, 0, told(2, 0)),
  ];
  const found = witnessOf(history, [executed(3, 2, 0, 7), executed(2, 2, 0, 6), executed(1, 2, 1, 5)]);
  assert.deepEqual(
    found.map(({ operation }) => operation),
    [1, 2, 0],
  );
});

test("a command that nobody asked for has no operation", () => {
  assert.throws(() => witnessOf([], [executed(4, 2, 1, 5)]), /nobody asked for what was executed in slot 4/);
});
