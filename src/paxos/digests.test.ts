// Who can tell what from the digests of one slot, as a table; and what becomes of voices that come late, or twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Digests, judgeSlot, type Verdict } from "./digests.js";

/** Digests of the replicas 1, 2, ... in a row, `.` for one that is silent; replica 1 judges. */
function judged(row: string): Verdict {
  const voters = [...row].map((_, i) => i + 1);
  return judgeSlot(1, voters, 64, (replica) =>
    row[replica - 1] === "." ? undefined : row.charCodeAt(replica - 1),
  );
}

const TABLE: Readonly<Record<string, string>> = {
  // One alone is its own majority.
  a: "sound",
  ".": "open",
  // Of two none can be a majority against the other.
  "a.": "open",
  aa: "sound",
  ab: "divided for good",
  ".a": "open",
  // Of three two are.
  "a..": "open",
  "aa.": "sound",
  "ab.": "divided",
  aab: "sound",
  aba: "sound",
  abb: "diverged from 2 3",
  ".bb": "open",
  abc: "divided for good",
  // Of four three are; two against two are none.
  "aab.": "divided",
  aabb: "divided for good",
  "abb.": "divided",
  abbb: "diverged from 2 3 4",
  // Of five three are, also while the others are silent.
  "abbb.": "diverged from 2 3 4",
  "aabb.": "divided",
  aabbb: "diverged from 3 4 5",
  aabbc: "divided for good",
  aaabc: "sound",
  "ab...": "divided",
  "abc..": "divided",
  "abcd.": "divided for good",
};

for (const [row, expected] of Object.entries(TABLE)) {
  test(`digests ${row}: ${expected}`, () => {
    const verdict = judged(row);
    const text =
      verdict.kind === "diverged"
        ? `diverged from ${verdict.members.join(" ")}`
        : verdict.kind === "divided" && verdict.isFinal
          ? "divided for good"
          : verdict.kind;
    assert.equal(text, expected);
  });
}

const VOTERS = [1, 2, 3];

function digestsOf(...voices: readonly (readonly [number, number, number])[]): Digests {
  const digests = new Digests();
  for (const [replica, slot, digest] of voices) digests.note({ replica, slot, digest });
  return digests;
}

test("the newest slot that tells anything decides", () => {
  const agreed = [
    [1, 64, 7],
    [2, 64, 7],
    [3, 64, 7],
    [1, 128, 8],
  ] as const;
  assert.equal(digestsOf(...agreed).judge(1, VOTERS).kind, "sound");
  assert.deepEqual(digestsOf(...agreed, [2, 128, 9], [3, 128, 9]).judge(1, VOTERS), {
    kind: "diverged",
    slot: 128,
    members: [2, 3],
  });
  // What was agreed on before does not hide a later difference.
  assert.equal(digestsOf(...agreed, [2, 128, 9]).judge(1, VOTERS).kind, "divided");
});

test("one that is behind is judged by its own slots, whatever the others have said since", () => {
  const digests = digestsOf([1, 64, 7]);
  for (let slot = 64; slot <= 640; slot += 64) {
    for (const replica of [2, 3]) digests.note({ replica, slot, digest: slot });
  }
  assert.deepEqual(digests.judge(1, VOTERS), { kind: "diverged", slot: 64, members: [2, 3] });
});

test("a voice is news once; what a replica says last of a slot counts; old ones go", () => {
  const digests = digestsOf([2, 64, 7]);
  assert.equal(digests.note({ replica: 2, slot: 64, digest: 7 }), false);
  assert.equal(digests.note({ replica: 2, slot: 64, digest: 8 }), true);
  assert.deepEqual(digests.of(2), { replica: 2, slot: 64, digest: 8 });
  assert.equal(digests.note({ replica: 2, slot: 0, digest: 8 }), false);
  for (let slot = 128; slot <= 64 * 40; slot += 64) digests.note({ replica: 2, slot, digest: 1 });
  assert.ok(digests.voices.get(2)!.length <= 16);
  assert.equal(digests.note({ replica: 2, slot: 64, digest: 7 }), false);
  assert.equal(digests.of(2, 64), undefined);
  assert.equal(digests.of(2, 2500)!.slot, 64 * 39);
});

test("a copy goes its own way", () => {
  const digests = digestsOf([1, 64, 7]);
  const copy = digests.copy();
  copy.note({ replica: 1, slot: 128, digest: 8 });
  assert.equal(digests.of(1)!.slot, 64);
});
