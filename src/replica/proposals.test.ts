// Proposals: numbers, `settled`, the window, and what a caller is told when the wait ends early (F17).
import assert from "node:assert/strict";
import { test } from "node:test";
import { Closed, OutcomeUnknown, Overloaded, Unavailable } from "./errors.js";
import { Proposals } from "./proposals.js";

const payload = Uint8Array.of(7);

function make(timeoutMs = 100): Proposals<string> {
  return new Proposals<string>(timeoutMs, () => {});
}

test("numbers count up from 1; settled is the lowest without an outcome, less one", async () => {
  const proposals = make();
  const first = proposals.propose(payload, 0, undefined);
  const second = proposals.propose(payload, 0, undefined);
  assert.deepEqual(proposals.take(), [
    { kind: "propose", number: 1, settled: 0, payload },
    { kind: "propose", number: 2, settled: 0, payload },
  ]);
  proposals.resolve(2, "b");
  const third = proposals.propose(payload, 0, undefined);
  assert.deepEqual(proposals.take(), [{ kind: "propose", number: 3, settled: 0, payload }]);
  proposals.resolve(1, "a");
  const fourth = proposals.propose(payload, 0, undefined);
  assert.deepEqual(proposals.take(), [{ kind: "propose", number: 4, settled: 2, payload }]);
  proposals.reject(3, new Error("no"));
  proposals.resolve(4, "d");
  proposals.resolve(4, "twice");
  assert.deepEqual(await Promise.all([first, second, fourth]), ["a", "b", "d"]);
  await assert.rejects(third, /no/);
  assert.equal(proposals.size, 0);
});

test("an abort before the hand-over rejects with its reason, and nothing is proposed", async () => {
  const proposals = make();
  const controller = new AbortController();
  const promise = proposals.propose(payload, 0, controller.signal);
  controller.abort(new Error("mine"));
  await assert.rejects(promise, /mine/);
  assert.deepEqual(proposals.take(), []);
  await assert.rejects(proposals.propose(payload, 0, controller.signal), /mine/);
  assert.equal(proposals.size, 0);
});

test("F17: after the hand-over an abort or a timeout is 'outcome unknown', never 'failed'", async () => {
  const proposals = make(100);
  const controller = new AbortController();
  const aborted = proposals.propose(payload, 0, controller.signal);
  const late = proposals.propose(payload, 0, undefined);
  const later = proposals.propose(payload, 50, undefined);
  proposals.take();
  controller.abort();
  await assert.rejects(aborted, OutcomeUnknown);
  assert.equal(proposals.deadline, 100);
  proposals.expire(100);
  await assert.rejects(late, OutcomeUnknown);
  assert.deepEqual(proposals.take(), [
    { kind: "abandon", number: 1 },
    { kind: "abandon", number: 2 },
  ]);
  assert.equal(proposals.deadline, 150);
  proposals.resolve(3, "c");
  assert.equal(await later, "c");
});

test("what was never handed over has failed for certain", async () => {
  const proposals = make(100);
  const promise = proposals.propose(payload, 0, undefined);
  proposals.expire(100);
  await assert.rejects(promise, Unavailable);
  assert.deepEqual(proposals.take(), []);
});

test("the window is 16,384 numbers above settled, answered ones in it included", async () => {
  const proposals = make();
  const all = Array.from({ length: 16_384 }, () => proposals.propose(payload, 0, undefined));
  proposals.take();
  await assert.rejects(proposals.propose(payload, 0, undefined), Overloaded);
  proposals.resolve(2, "b");
  await assert.rejects(proposals.propose(payload, 0, undefined), Overloaded);
  proposals.resolve(1, "a");
  const next = proposals.propose(payload, 0, undefined);
  assert.deepEqual(proposals.take(), [{ kind: "propose", number: 16_385, settled: 2, payload }]);
  proposals.failAll("closed");
  const outcomes = await Promise.allSettled([...all, next]);
  assert.equal(outcomes.filter(({ status }) => status === "rejected").length, 16_383);
});

test("the window is 64 MiB of commands, but never less than one", async () => {
  const proposals = make();
  const large = new Uint8Array(65 << 20);
  const first = proposals.propose(large, 0, undefined);
  await assert.rejects(proposals.propose(payload, 0, undefined), Overloaded);
  proposals.take();
  proposals.resolve(1, "a");
  assert.equal(await first, "a");
  const second = proposals.propose(payload, 0, undefined);
  proposals.take();
  proposals.resolve(2, "b");
  assert.equal(await second, "b");
});

test("a stop tells apart what was handed over and what was not; idle waits for both", async () => {
  const proposals = make();
  const handed = proposals.propose(payload, 0, undefined);
  proposals.take();
  const queued = proposals.propose(payload, 0, undefined);
  const idle = proposals.idle();
  proposals.failAll("replica 1 was closed");
  await assert.rejects(handed, OutcomeUnknown);
  await assert.rejects(queued, Closed);
  await idle;
});
