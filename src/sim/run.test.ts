// Seeded runs: one seed gives one run, nothing breaks, and a run does what it is there for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawSchedule } from "./draw-schedule.js";
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
