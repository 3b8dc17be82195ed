// Everything is closed, also after something that could not be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { closeAll } from "./closing.js";

test("what comes after a failure is closed as well, in order, and the first one is told", async () => {
  const closed: number[] = [];
  const step = (number: number, fails: boolean) => async () => {
    await Promise.resolve();
    closed.push(number);
    if (fails) throw new Error(`${number}`);
  };
  await closeAll([step(1, false), () => undefined, step(2, false)]);
  await assert.rejects(closeAll([step(3, true), step(4, false), step(5, true), step(6, false)]), /3/);
  assert.deepEqual(closed, [1, 2, 3, 4, 5, 6]);
});
