// What the core is told of a log (L5, A4): executed slots that it does not show are not served, and those that
// cannot be read are faulty.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Recovered } from "../wal/recovered-state.js";
import { recoveredState } from "./replay.js";

const value = Uint8Array.of(0);
const recovered: Recovered = {
  promised: 65537,
  chosenUpTo: 10,
  accepted: [11, 12].map((slot) => ({ slot, ballot: 65537, value })),
  learned: [{ slot: 14, value }],
  faulty: [{ from: 13, to: 13, ballot: 65537 }],
  damaged: 0,
};

test("a log that shows everything executed is told as it is", () => {
  assert.deepEqual(recoveredState(recovered, 10, 10), {
    promised: 65537,
    chosenUpTo: 10,
    compactedUpTo: 0,
    accepted: recovered.accepted,
    learned: recovered.learned,
    faulty: recovered.faulty,
  });
});

test("L5: what the machine holds above the newest watermark of the log cannot be served", () => {
  const state = recoveredState({ ...recovered, chosenUpTo: 13 }, 10, 13);
  assert.equal(state.compactedUpTo, 13);
  assert.equal(state.chosenUpTo, 13);
  assert.deepEqual(state.accepted, []);
  assert.deepEqual(state.faulty, []);
  assert.deepEqual(state.learned, recovered.learned);
});

test("A4: a chosen slot that cannot be read again is faulty, with all after it that is not executed", () => {
  const state = recoveredState(recovered, 10, 6);
  assert.equal(state.chosenUpTo, 6);
  assert.equal(state.compactedUpTo, 0);
  assert.deepEqual(state.faulty, [...recovered.faulty, { from: 7, to: 10, ballot: 0 }]);
});
