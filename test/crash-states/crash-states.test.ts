// A small part of what `npm run crash-states` does, and whether it sees the bugs that it is there to see.
import assert from "node:assert/strict";
import { test } from "node:test";
import { occurrences } from "../mutants/plant.js";
import { tryBug } from "./planted.js";
import { PLANTED_BUGS } from "./planted-bugs.js";
import { readSpot, spotText } from "./spot.js";
import { Unit } from "./unit.js";
import { sharesOf, WORKLOADS } from "./workloads.js";

const STATES = 120;
const SMALL = { seed: 1, variant: 0, mostOfPoint: 8, most: STATES };

for (const workload of WORKLOADS) {
  test(`${workload.name}: the states of one variant recover, the same ones every time`, async () => {
    const first = await new Unit(workload, SMALL).run();
    assert.equal(first.failure, null);
    assert.ok(first.sums.length > STATES / 10 && first.recoveries >= first.sums.length);
    assert.deepEqual(await new Unit(workload, SMALL).run(), first);
  });
}

test("one state can be tried alone, as its text says it", async () => {
  const [workload] = WORKLOADS;
  const unit = new Unit(workload!, SMALL);
  await unit.run();
  const spot = readSpot(spotText(unit.spot));
  assert.deepEqual(spot, unit.spot);
  const alone = await new Unit(workload!, { ...SMALL, alone: unit.spot }).run();
  assert.deepEqual([alone.failure, alone.points, alone.recoveries], [null, 1, 1]);
  const wrong = { ...unit.spot, choice: [9, 9, 9, 9, 9, 9] };
  assert.match(
    (await new Unit(workload!, { ...SMALL, alone: wrong }).run()).failure?.what ?? "",
    /no such choice/,
  );
  for (const text of ["append", "append/1/2", "append/1/x/0", "append/1/2/0,1", "Append/1/2/0"]) {
    assert.equal(readSpot(text), null, text);
  }
});

test("every workload has its share of the states", () => {
  const shares = [...sharesOf(20_000).values()];
  assert.equal(shares.length, WORKLOADS.length);
  assert.ok(Math.min(...shares) > 500 && shares.reduce((sum, share) => sum + share, 0) >= 20_000);
});

test("the text that a planted bug replaces is there once", () => {
  for (const bug of PLANTED_BUGS) {
    for (const edit of [bug, ...(bug.also ?? [])])
      assert.equal(occurrences(edit), 1, `${bug.name}: ${edit.find}`);
  }
});

for (const name of ["M21", "M22", "M23", "segment name", "both copies", "in place"]) {
  test(`a planted bug is caught: ${name}`, async () => {
    const bug = PLANTED_BUGS.find((one) => one.name === name)!;
    const { isCaught, text } = await tryBug(bug, { states: 3000, seed: 1, workers: 1 });
    assert.ok(isCaught, text);
  });
}
