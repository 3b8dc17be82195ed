// The explorer catches the planted bugs that a small configuration can show, each with a counter-example.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { MUTANTS } from "./mutants.js";
import { plant } from "./plant.js";

/** The planted bug, the configuration that shows it, and the invariant that breaks. */
const CAUGHT: readonly (readonly [string, string, string])[] = [
  ["M10", "single-decree-small", "agreement"],
  ["M13", "multi-paxos-one-slot", "watermarksTrue"],
  ["M14", "multi-paxos-one-slot", "watermarksTrue"],
  ["M18", "multi-paxos-one-slot", "learnsOnlyChosen"],
  ["F1", "multi-paxos-one-slot", "chosenSlotsAreLeft"],
  ["F3", "multi-paxos-one-slot", "learnsOnlyChosen"],
  ["F4", "multi-paxos-one-slot", "leaderHoldsBallot"],
  ["A8 found", "multi-paxos-hidden-end-small", "voidsOnlyVoid"],
  ["A8 above", "multi-paxos-hidden-end-small", "voidsOnlyVoid"],
  ["F20", "multi-paxos-one-ballot", "persistBeforeSend"],
];

function exploreIn(directory: string, ...args: readonly string[]) {
  const program = join(directory, "dist/src/cli/explore/main.js");
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8", timeout: 300_000 });
}

describe("the explorer", () => {
  for (const [name, config, invariant] of CAUGHT) {
    const mutant = MUTANTS.find((candidate) => candidate.name === name)!;
    test(`catches ${name}: ${mutant.what}`, () => {
      const { directory, remove } = plant(mutant);
      try {
        const { status, stdout, stderr } = exploreIn(directory, "--config", config);
        assert.equal(status, 1, stdout + stderr);
        assert.match(stdout, new RegExp(`^broken: ${invariant}: `, "m"));
        assert.match(stdout, /^ {3}1 {2}\S/m, "the first line of the counter-example");
      } finally {
        remove();
      }
    });
  }

  test("finds nothing where nothing is planted, and is told its mistakes in a sentence", () => {
    const { directory, remove } = plant(null);
    try {
      const well = exploreIn(directory, "--config", "single-decree-small");
      assert.equal(well.status, 0, well.stderr);
      assert.match(well.stdout, /^single-decree-small: 3285 states, depth 24, /);
      for (const args of [["--config", "none"], ["--speed"], ["more"]]) {
        const wrong = exploreIn(directory, ...args);
        assert.equal(wrong.status, 2);
        assert.match(wrong.stderr, /^explore: .+\n$/);
      }
      const help = exploreIn(directory, "--help");
      assert.equal(help.status, 0);
      assert.match(help.stdout, /multi-paxos/);
    } finally {
      remove();
    }
  });
});
