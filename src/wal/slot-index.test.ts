// The index when what it knows is compacted: against a plain map, and with whole pages gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.js";
import { CHOSEN, FAULTY, NOTHING, SlotIndex, VOTE } from "./slot-index.js";

function filled(last: number): SlotIndex {
  const index = new SlotIndex();
  for (let slot = 1; slot <= last; slot += 1) index.accepted(slot, 7, 1, slot * 10, 5, slot);
  return index;
}

test("compacted slots have nothing, those above are as they were, at the edges of pages too", () => {
  for (const upTo of [1, 1022, 1023, 1024, 1025, 2047, 2048, 3000, 4000, 9000]) {
    const index = filled(3000);
    index.chosen(2000);
    index.compact(upTo);
    assert.equal(index.compactedUpTo, upTo);
    assert.equal(index.watermark, Math.max(2000, upTo));
    for (let slot = 1; slot <= 3000; slot += 1) {
      const expected = slot <= upTo ? NOTHING : slot <= 2000 ? CHOSEN : VOTE;
      assert.equal(index.state(slot), expected, `slot ${slot}, compacted up to ${upTo}`);
      assert.equal(index.ballot(slot), slot <= upTo ? 0 : 7);
    }
    assert.deepEqual(index.slotsAfter(0)[0], upTo < 3000 ? upTo + 1 : undefined);
    assert.equal(index.chosenAfter(upTo), Math.max(upTo, 2000));
    assert.deepEqual(index.faultyAfter(upTo), []);
  }
});

test("a lower compaction changes nothing", () => {
  const index = filled(10);
  index.compact(8);
  index.compact(3);
  assert.deepEqual([index.compactedUpTo, index.slotsAfter(0)], [8, [9, 10]]);
});

test("nothing that comes later for a compacted slot is kept, and no watermark fixes a vote in it", () => {
  const index = filled(10);
  index.compact(20);
  index.accepted(15, 9, 2, 0, 1, 1);
  index.learned(16, 2, 0, 1, 1);
  index.damaged(17, 9);
  index.forget(18, 9);
  index.chosen(20);
  index.chosen(25);
  assert.deepEqual(index.slotsAfter(0), []);
  index.accepted(26, 9, 2, 0, 1, 1);
  assert.deepEqual([index.slotsAfter(0), index.state(26)], [[26], VOTE]);
  // Under the watermark and not known: its value was there once.
  assert.deepEqual(index.faultyAfter(20), [{ from: 21, to: 25, ballot: 0 }]);
});

test("A4: what is lost above a compaction is faulty, what is compacted is not", () => {
  const index = filled(10);
  index.compact(4);
  index.damaged(6, 8);
  index.lost(12);
  assert.deepEqual(index.faultyAfter(4), [{ from: 5, to: 12, ballot: 0 }]);
  index.compact(9);
  assert.deepEqual(index.faultyAfter(9), [{ from: 10, to: 12, ballot: 0 }]);
  index.compact(30);
  assert.deepEqual(index.faultyAfter(30), []);
  // A machine that holds less than what is compacted.
  assert.deepEqual(index.faultyAfter(28), [{ from: 29, to: 30, ballot: 0 }]);
});

test("a vote that a later watermark may fix is forgotten with its slot", () => {
  const index = new SlotIndex();
  index.chosen(10);
  index.accepted(5, 7, 1, 0, 1, 1);
  index.accepted(8, 7, 1, 0, 1, 1);
  index.compact(6);
  assert.equal(index.state(8), VOTE);
  index.chosen(11);
  assert.deepEqual([index.state(5), index.state(8)], [NOTHING, CHOSEN]);
});

test("L5: the last executed slot that is not shown as chosen", () => {
  const index = new SlotIndex();
  assert.equal(index.hiddenUpTo(0), 0);
  assert.equal(index.hiddenUpTo(Number.MAX_SAFE_INTEGER - 1), Number.MAX_SAFE_INTEGER - 1);
  for (const slot of [1, 2, 4, 5]) index.learned(slot, 1, 0, 1, 1);
  index.accepted(7, 7, 1, 0, 1, 1);
  assert.deepEqual(
    [2, 3, 5, 6, 7].map((slot) => index.hiddenUpTo(slot)),
    [0, 3, 3, 6, 7],
  );
  index.compact(4);
  assert.deepEqual(
    [2, 5].map((slot) => index.hiddenUpTo(slot)),
    [4, 4],
  );
});

test("any order of records and compactions: slots above are told as without any compaction", () => {
  const random = new Random(5);
  for (let walk = 0; walk < 300; walk += 1) {
    const [whole, compacted] = [new SlotIndex(), new SlotIndex()];
    let upTo = 0;
    for (let step = 0; step < 60; step += 1) {
      const slot = 1 + random.below(2500);
      const kind = random.below(6);
      for (const index of [whole, compacted]) {
        if (kind <= 1) index.accepted(slot, step, 1, step, 1, 1);
        else if (kind === 2) index.learned(slot, 1, step, 1, 1);
        else if (kind === 3) index.damaged(slot, step);
        else if (kind === 4) index.chosen(Math.floor(slot / 2));
        else if (step % 9 === 0) index.lost(slot);
      }
      if (random.below(5) === 0) {
        upTo = Math.max(upTo, random.below(2000));
        compacted.compact(upTo);
      }
      const above = whole.slotsAfter(upTo);
      assert.deepEqual(compacted.slotsAfter(0), above);
      for (const one of above) {
        assert.deepEqual(
          [compacted.state(one), compacted.ballot(one), compacted.position(one)],
          [whole.state(one), whole.ballot(one), whole.position(one)],
        );
      }
      if (whole.state(upTo + 1) === FAULTY) assert.equal(compacted.faultyAfter(upTo)[0]!.from, upTo + 1);
    }
  }
});
