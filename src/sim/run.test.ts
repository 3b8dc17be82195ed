// Seeded runs: one seed gives one run, nothing breaks, and a run does what it is there for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawFirst, drawSchedule } from "./draw-schedule.js";
import { simulate } from "./run.js";

const drain = () => new Promise<void>((resolve) => setImmediate(resolve));

test("the same seed gives the same run, traced or not, and another seed another", async () => {
  const lines: string[] = [];
  const trace = (at: number, id: number, text: string) => lines.push(`${at} ${id} ${text}`);
  const plain = await simulate({ schedule: drawSchedule(7, 10_000), drain });
  const traced = await simulate({ schedule: drawSchedule(7, 10_000), drain, trace });
  const other = await simulate({ schedule: drawSchedule(8, 10_000), drain });
  assert.equal(plain.violation, null);
  assert.deepEqual(
    [traced.hash, traced.events, traced.operations],
    [plain.hash, plain.events, plain.operations],
  );
  assert.notEqual(other.hash, plain.hash);
  assert.ok(lines.length > 1000);
});

test("a run that is given its late operations as it comes to them is the same as one that has all", async () => {
  const whole = drawSchedule(7, 10_000);
  const plain = await simulate({ schedule: whole, drain });
  const first = whole.operations.filter(({ at }) => at <= 5000);
  let asked = 0;
  const later = () => {
    asked += 1;
    return whole.operations.slice(first.length);
  };
  const late = await simulate({ schedule: { ...whole, operations: first }, later, drain });
  const without = await simulate({ schedule: { ...whole, operations: first }, drain });
  assert.deepEqual([late.hash, late.operations, asked], [plain.hash, plain.operations, 1]);
  assert.ok(without.operations < plain.operations);
});

test("the first part of a schedule and the late operations are the whole, and most runs end with the first", () => {
  for (const seed of [7, 8, 9]) {
    const whole = drawSchedule(seed);
    const { schedule, later } = drawFirst(seed);
    assert.ok(schedule.operations.at(-1)!.at > schedule.end + 20_000);
    assert.ok(schedule.operations.length < whole.operations.length / 2);
    assert.deepEqual({ ...schedule, operations: [...schedule.operations, ...later()] }, whole);
  }
});

test("five seeds: nothing breaks, each has its operations and faults", async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const run = await simulate({ schedule: drawSchedule(seed), drain });
    assert.equal(run.violation, null, `seed ${seed}`);
    const faults = Object.values(run.faults);
    assert.ok(run.virtualMs >= 60_000 && run.operations >= 600, `seed ${seed}: ${run.operations} operations`);
    assert.ok(faults.length >= 3 && faults.reduce((sum, times) => sum + times, 0) >= 10, `seed ${seed}`);
    const done = run.history.filter(({ outcome }) => outcome.kind === "ok").length;
    assert.ok(done > run.operations / 3, `seed ${seed}: ${done} of ${run.operations} operations were done`);
  }
});
