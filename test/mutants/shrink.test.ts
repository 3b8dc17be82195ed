// A planted bug breaks a seed; what is left of it when it is shrunk breaks the same in the copy that has the bug, and
// nothing in one without.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { invariantOf } from "../../src/sim/shrink.js";
import { MUTANTS } from "./mutants.js";
import { type Planted, plant } from "./plant.js";

function run(
  { directory }: Planted,
  program: string,
  ...args: string[]
): { status: number | null; out: string } {
  const { status, stdout } = spawnSync(process.execPath, [join(directory, "dist", program), ...args], {
    encoding: "utf8",
    cwd: directory,
  });
  return { status, out: stdout };
}

function violationOf(out: string): string | null {
  return (JSON.parse(out) as { violation: string | null }).violation;
}

test("a planted bug, shrunk to a scenario of a few lines", () => {
  const planted = plant(MUTANTS.find(({ name }) => name === "M13")!);
  const sound = plant(null);
  try {
    const campaign = run(planted, "test/mutants/until-broken.js", "0", "1", "40").out;
    const { by, violation } = JSON.parse(campaign) as { by: string; violation: string };
    const seed = by.replace("seed ", "");
    const file = join(planted.directory, "left.scenario");
    assert.equal(run(planted, "src/cli/sim/main.js", "--seed", seed, "--shrink", file).status, 1);
    const again = run(planted, "src/cli/sim/main.js", "--scenario", file);
    assert.equal(again.status, 1);
    assert.equal(invariantOf(violationOf(again.out)!), invariantOf(violation));
    const text = readFileSync(file, "utf8");
    assert.ok(text.includes(`breaks    ${violationOf(again.out)!.replace(/\s+/g, " ")}\n`), text);
    assert.ok(text.split("\n").filter((line) => / s {2}/.test(line)).length <= 10, text);
    const without = run(sound, "src/cli/sim/main.js", "--scenario", file);
    assert.deepEqual([without.status, violationOf(without.out)], [0, null]);
  } finally {
    planted.remove();
    sound.remove();
  }
});
