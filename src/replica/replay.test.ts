// What the core is told of a log (L5, A4, A5): executed slots that are not in it are not served, and those that cannot
// be read are faulty.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Recovered } from "../wal/recovered-state.js";
import { recoveredState } from "./replay.js";

const value = Uint8Array.of(0);
const recovered: Recovered = {
  promised: 65537,
  chosenUpTo: 10,
  compactedUpTo: 0,
  accepted: [11, 12].map((slot) => ({ slot, ballot: 65537, value })),
  learned: [{ slot: 14, value }],
  faulty: [{ from: 13, to: 13, ballot: 65537 }],
  damaged: 0,
};

test("a log that shows everything executed is told as it is", () => {
  assert.deepEqual(recoveredState(recovered, 10), {
    promised: 65537,
    chosenUpTo: 10,
    compactedUpTo: 0,
    accepted: recovered.accepted,
    learned: recovered.learned,
    faulty: recovered.faulty,
  });
});

test("L5: what the machine holds and the log does not show cannot be served", () => {
  const state = recoveredState({ ...recovered, chosenUpTo: 13, compactedUpTo: 13 }, 13);
  assert.equal(state.compactedUpTo, 13);
  assert.equal(state.chosenUpTo, 13);
  assert.deepEqual(state.accepted, []);
  assert.deepEqual(state.faulty, []);
  assert.deepEqual(state.learned, recovered.learned);
});

test("A4: a chosen slot that cannot be read again is faulty, with all after it that is not executed", () => {
  const state = recoveredState(recovered, 6);
  assert.equal(state.chosenUpTo, 6);
  assert.equal(state.compactedUpTo, 0);
  assert.deepEqual(state.faulty, [...recovered.faulty, { from: 7, to: 10, ballot: 0 }]);
});

test("A5: a compaction above what the machine holds is told up to there, and the slots between as faulty", () => {
  const faulty = [{ from: 7, to: 20, ballot: 0 }];
  const lost = { ...recovered, chosenUpTo: 6, compactedUpTo: 20, accepted: [], learned: [], faulty };
  const state = recoveredState(lost, 6);
  assert.deepEqual([state.chosenUpTo, state.compactedUpTo, state.faulty], [6, 6, faulty]);
});
