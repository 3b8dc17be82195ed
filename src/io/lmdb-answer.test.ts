// The wait for an answer of lmdb that comes, fails, or never comes.
import assert from "node:assert/strict";
import { stat } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { answered } from "./lmdb-answer.js";

const LIMITS = { probeMs: 5, mostMs: 40 };
const NEVER = new Promise<void>(() => {});
const isWell = (): void => {};

test("an answer that comes is the end of it", async () => {
  let probes = 0;
  const probe = (): void => {
    probes += 1;
  };
  await answered(Promise.resolve(), probe, LIMITS);
  const seen = probes;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(probes, seen, "nothing is probed any more");
});

test("an answer that fails fails with its error", async () => {
  await assert.rejects(answered(Promise.reject(new Error("no")), isWell, LIMITS), /^Error: no$/);
});

test("an answer that never comes fails when lmdb has given up", async () => {
  let probes = 0;
  const probe = (): void => {
    probes += 1;
    if (probes === 2) throw new Error("MDB_PANIC");
  };
  await assert.rejects(answered(NEVER, probe, { probeMs: 5, mostMs: 60_000 }), /MDB_PANIC/);
});

test("an answer that never comes fails after the limit", async () => {
  await assert.rejects(answered(NEVER, isWell, LIMITS), /the store has not finished a write in 0.04 s/);
});

test("a process that stood still for longer than the limit is told the answer that came meanwhile", async () => {
  // After this come the timers, and only then what the system has done.
  await new Promise(setImmediate);
  const answer = new Promise<void>((resolve) => stat(tmpdir(), () => resolve()));
  const waiting = answered(answer, isWell, LIMITS);
  for (const until = performance.now() + 2 * LIMITS.mostMs; performance.now() < until; );
  await waiting;
});
