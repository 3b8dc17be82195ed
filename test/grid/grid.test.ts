// A small part of what `npm run grid` does, and whether it sees the bugs that it is there to see.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { occurrences, plant } from "../mutants/plant.js";
import { COMBINATIONS, isDamaged, lostParts, mapOf, PARTS, REPLICAS, spread } from "./combination.js";
import { GRIDS } from "./grid.js";
import { PLANTED_BUGS } from "./planted-bugs.js";

const EVERY = 137;

test("of 4,096 combinations 2,401 have a good copy of each part", () => {
  const all = Array.from({ length: COMBINATIONS }, (_, combination) => combination);
  assert.equal(all.filter((combination) => lostParts(combination).length === 0).length, 7 ** PARTS.length);
  assert.equal(new Set(all.map(mapOf)).size, COMBINATIONS);
  assert.equal(mapOf(0b0100_0000_0010), "1:.x.. 2:.... 3:..x.");
  assert.equal(mapOf(spread(0b0100_0000_0010)), "1:xxxx 2:.... 3:xxxx");
  assert.ok(REPLICAS.every((replica) => PARTS.every((part) => isDamaged(COMBINATIONS - 1, replica, part))));
});

for (const { name, make } of GRIDS) {
  test(`${name}: what has a good copy comes back, what has none stays unavailable`, async () => {
    const grid = await make();
    for (let combination = 0; combination < COMBINATIONS; combination += EVERY) {
      const isLost = lostParts(grid.effect(combination)).length > 0;
      const outcome = await grid.try(combination);
      assert.deepEqual(outcome, { kind: isLost ? "unavailable" : "recovered" }, mapOf(combination));
    }
  });
}

test("the text that a planted bug replaces is there once", () => {
  for (const bug of PLANTED_BUGS) assert.equal(occurrences(bug), 1, `${bug.name}: ${bug.find}`);
});

for (const bug of PLANTED_BUGS) {
  test(`a planted bug is caught: ${bug.name}`, () => {
    const { shownBy } = bug;
    const run = (directory: string) => {
      const program = join(directory, "dist/test/grid/main.js");
      return spawnSync(process.execPath, [program, "--replay", shownBy], {
        cwd: directory,
        encoding: "utf8",
      });
    };
    const planted = plant(bug);
    try {
      const { status, stdout, stderr } = run(planted.directory);
      assert.deepEqual([status, stderr], [1, ""], stdout);
    } finally {
      planted.remove();
    }
    assert.equal(run(".").status, 0, "without the bug");
  });
}
