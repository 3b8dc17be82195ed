// The list of planted bugs follows the code: each text that one changes is there, once, and each bug has its name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MUTANTS } from "./mutants.js";
import { occurrences } from "./plant.js";
import { QUICKEST } from "./quickest.js";
import { SMALL_LIMITS } from "./small-limits.js";

test("every text that a planted bug changes is in the compiled code once", () => {
  const edits = MUTANTS.flatMap((mutant) => [mutant, ...(mutant.also ?? [])]);
  const wrong = [...SMALL_LIMITS, ...edits].filter((edit) => occurrences(edit) !== 1);
  assert.deepEqual(
    wrong.map(({ file, find }) => `${file}: ${find}`),
    [],
  );
});

test("the list of the quickest names planted bugs, each once", () => {
  assert.deepEqual(
    QUICKEST.filter((name) => !MUTANTS.some((mutant) => mutant.name === name)),
    [],
  );
  assert.equal(new Set(QUICKEST).size, QUICKEST.length);
});

test("every planted bug changes something, under a name of its own", () => {
  for (const { name, find, replace } of MUTANTS) assert.notEqual(find, replace, name);
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
});
