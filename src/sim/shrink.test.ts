// Shrinking, of runs that a few lines decide: those are what is left.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawSchedule } from "./draw-schedule.js";
import type { RunResult } from "./run.js";
import type { Schedule } from "./schedule.js";
import { invariantOf, shrink } from "./shrink.js";

const WHOLE = drawSchedule(11);

/** What a run of `schedule` tells: what breaks, when, and whether the core had healed before. */
function told(
  schedule: Schedule,
  violation: string | null,
  virtualMs: number,
  healedAt: number | null,
): RunResult {
  const none = { hash: "", events: 0, operations: 0, faults: {}, recoveryMs: 0, history: [] };
  return { seed: schedule.seed, violation, virtualMs, healedAt, reached: new Map(), ...none };
}

/** Breaks when two faults and an operation of the whole schedule are there. */
function breaking(isHealed: boolean): (schedule: Schedule) => Promise<RunResult> {
  const faults = [WHOLE.faults[4]!.seed, WHOLE.faults[9]!.seed];
  const { request } = WHOLE.operations[200]!;
  return async (schedule) => {
    const { end, healing } = schedule;
    const isThere =
      faults.every((seed) => schedule.faults.some((fault) => fault.seed === seed)) &&
      schedule.operations.some((operation) => operation.request === request);
    const broken = isThere && (!isHealed || healing !== null) ? `agreement: slot ${end}` : null;
    if (isHealed) return told(schedule, broken, end + 1000, end);
    const last = Math.max(
      0,
      ...schedule.faults.map(({ at }) => at),
      ...schedule.operations.map(({ at }) => at),
    );
    return told(schedule, broken, last + 10, null);
  };
}

async function shrunkOf(isHealed: boolean, budget: number) {
  const run = breaking(isHealed);
  let runs = 0;
  const mayGoOn = () => {
    runs += 1;
    return runs <= budget;
  };
  return shrink(WHOLE, await run(WHOLE), { run, mayGoOn });
}

test("what decides is left, in a short run, be the core healed or not", async () => {
  for (const isHealed of [false, true]) {
    const { schedule, violation, isDone } = await shrunkOf(isHealed, 10_000);
    assert.ok(isDone);
    assert.deepEqual([schedule.faults.length, schedule.operations.length], [2, 1]);
    assert.deepEqual([schedule.goesOn, schedule.healing], [0, isHealed ? WHOLE.healing : null]);
    assert.match(violation, /^agreement: /);
    assert.ok(schedule.end < 3000, `ends at ${schedule.end}`);
    assert.ok(schedule.faults.every(({ duration }) => duration < 40));
  }
});

test("shrinking stops when it is told to, with what it has", async () => {
  const { schedule, runs, isDone } = await shrunkOf(false, 200);
  assert.deepEqual([runs, isDone], [200, false]);
  assert.ok(schedule.faults.length < WHOLE.faults.length && schedule.faults.length >= 2);
});

test("another invariant does not count as the same", async () => {
  const run = async (schedule: Schedule) => {
    const isWhole = schedule.operations.length > 100;
    return told(schedule, isWhole ? "agreement: slot 3" : "quorumLog: slot 3", 50_000, null);
  };
  const { schedule } = await shrink(WHOLE, await run(WHOLE), { run, mayGoOn: () => true });
  assert.equal(schedule.operations.length, 101);
});

test("the invariant that a violation names", () => {
  assert.equal(invariantOf("p2c: slot 3 at b1.2"), "p2c");
  assert.equal(invariantOf("time stands still at 17.5"), invariantOf("time stands still at 3.25"));
});
