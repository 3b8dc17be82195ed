// Who is let in, and what is noticed of runs: a table of hellos, then histories of runs (design 2.8, F15).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Admission } from "./admission.js";
import type { Hello } from "./handshake.js";

const disk = (replica: number) => replica.toString(16).padStart(32, "0");
const SELF = { clusterId: "00000000000000aa", replica: 1, diskId: disk(1), incarnation: 3, run: 11 };

const hello = (changed: Partial<Hello> = {}): Hello => ({
  clusterId: SELF.clusterId,
  replica: 2,
  to: 1,
  diskId: disk(2),
  incarnation: 5,
  run: 22,
  ...changed,
});

const admission = () => new Admission(SELF, (replica) => replica <= 3);

describe("admission of a hello", () => {
  const table: readonly [string, Partial<Hello>, number, RegExp | null][] = [
    ["a member", {}, 0, null],
    ["a member that was dialled", { to: 0 }, 2, null],
    ["another cluster", { clusterId: "00000000000000bb" }, 0, /cluster id is 00000000000000bb/],
    ["no member", { replica: 4 }, 0, /not a member/],
    ["another replica than dialled", { to: 0 }, 3, /replica 3 was expected at that address/],
    ["one that looked for another", { to: 3 }, 0, /looking for replica 3/],
    ["ourselves", { ...SELF, to: 1 }, 0, /dialled itself/],
    ["another process with our id", { replica: 1, run: 12 }, 0, /another replica 1/],
  ];
  for (const [what, changed, dialled, expected] of table) {
    test(what, () => {
      const refusal = admission().refusal(hello(changed), dialled, "10.0.0.2");
      if (expected === null) assert.equal(refusal, null);
      else assert.match(refusal!, expected);
    });
  }
});

describe("admission of runs", () => {
  test("the same run again, and a newer incarnation, are let in", () => {
    const door = admission();
    door.admit(hello());
    assert.equal(door.refusal(hello(), 0, ""), null);
    assert.equal(door.refusal(hello({ incarnation: 6, run: 23 }), 0, ""), null);
  });

  test("a lower incarnation is a restored copy", () => {
    const door = admission();
    door.admit(hello());
    assert.match(door.refusal(hello({ incarnation: 4 }), 0, "")!, /older copy/);
  });

  test("another run with the same incarnation is a copied directory", () => {
    const door = admission();
    door.admit(hello());
    assert.match(door.refusal(hello({ run: 23 }), 0, "")!, /copies of one data directory/);
  });

  test("another disk has incarnations of its own: whether it may vote is not decided here", () => {
    const door = admission();
    door.admit(hello());
    assert.equal(door.refusal(hello({ diskId: disk(99), incarnation: 1, run: 5 }), 0, ""), null);
  });

  test("what another replica has met counts as met", () => {
    const door = admission();
    assert.equal(door.told(hello()), null);
    assert.match(door.refusal(hello({ run: 23 }), 0, "")!, /copies/);
    assert.match(door.refusal(hello({ incarnation: 1 }), 0, "")!, /older copy/);
    assert.equal(door.refusal(hello(), 0, ""), null);
  });

  test("two runs met by two replicas are both refused until one has started anew", () => {
    const door = admission();
    door.admit(hello());
    assert.match(door.told(hello({ run: 23 }))!, /runs twice/);
    assert.equal(door.told(hello({ run: 23 })), null, "told once");
    assert.match(door.refusal(hello(), 0, "")!, /copies/);
    assert.match(door.refusal(hello({ run: 23 }), 0, "")!, /copies/);
    assert.equal(door.refusal(hello({ incarnation: 6, run: 24 }), 0, ""), null);
  });

  test("a replica learns that it runs twice itself", () => {
    const door = admission();
    assert.equal(door.told(SELF), null);
    assert.equal(door.told({ ...SELF, incarnation: 2, run: 5 }), null, "an earlier run of it");
    assert.match(door.told({ ...SELF, run: 12 })!, /replica 1 runs twice/);
  });

  test("what is met is told on, and what is remembered of one replica is bounded", () => {
    const door = admission();
    for (let i = 0; i < 100; i += 1) door.admit(hello({ diskId: disk(i) }));
    assert.equal(door.sightings().length, 8);
    assert.equal(door.sightings().at(-1)!.diskId, disk(99));
  });

  test("strangers are not remembered", () => {
    const door = admission();
    assert.equal(door.told(hello({ replica: 9 })), null);
    assert.deepEqual(door.sightings(), []);
  });
});
