// Reads: one question for all of a turn, answered from the state once it is far enough.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Unavailable } from "./errors.js";
import { Reads } from "./reads.js";

function make(query: (name: string) => string | Promise<string> = (name) => `${name}!`) {
  return new Reads<string, string>(query, 100, () => {});
}

test("all reads of one turn share a question; the next turn asks a new one", async () => {
  const reads = make();
  const both = [reads.read("a", 0, undefined), reads.read("b", 0, undefined)];
  assert.deepEqual(reads.take(), [{ kind: "read", id: 1 }]);
  const third = reads.read("c", 0, undefined);
  assert.deepEqual(reads.take(), [{ kind: "read", id: 2 }]);
  reads.ready(1, 5, 5);
  assert.deepEqual(await Promise.all(both), ["a!", "b!"]);
  reads.ready(2, 7, 5);
  reads.ready(2, 5, 5);
  reads.applied(6);
  assert.notEqual(reads.deadline, Number.POSITIVE_INFINITY);
  reads.applied(7);
  assert.equal(await third, "c!");
  assert.equal(reads.deadline, Number.POSITIVE_INFINITY);
});

test("answers wait for their own slot, whatever order they come in", async () => {
  let applied = 0;
  const reads = make((name) => `${name}@${applied}`);
  const promises = ["x", "y", "z"].map((name) => {
    const promise = reads.read(name, 0, undefined);
    reads.take();
    return promise;
  });
  reads.ready(1, 9, 0);
  reads.ready(2, 3, 0);
  reads.ready(3, 6, 0);
  for (applied = 1; applied < 10; applied += 1) reads.applied(applied);
  assert.deepEqual(await Promise.all(promises), ["x@9", "y@3", "z@6"]);
});

test("a read that nobody confirms in time is unavailable, and its question is given up", async () => {
  const reads = make();
  const [asked, waiting] = [reads.read("a", 0, undefined), reads.read("b", 0, undefined)];
  reads.take();
  const other = reads.read("c", 10, undefined);
  reads.take();
  reads.ready(2, 50, 0);
  const queued = reads.read("d", 0, undefined);
  reads.expire(100);
  for (const promise of [asked, waiting, queued]) await assert.rejects(promise, Unavailable);
  assert.deepEqual(reads.take(), [{ kind: "abandonRead", id: 1 }]);
  reads.expire(110);
  await assert.rejects(other, Unavailable);
  reads.applied(60);
});

test("an abort rejects with its reason; the question goes with its last read", async () => {
  const reads = make();
  const controller = new AbortController();
  const promise = reads.read("a", 0, controller.signal);
  reads.take();
  controller.abort(new Error("mine"));
  await assert.rejects(promise, /mine/);
  assert.deepEqual(reads.take(), [{ kind: "abandonRead", id: 1 }]);
  reads.ready(1, 0, 0);
});

test("a read that is done wakes nobody: neither one that was given up before its turn nor the first of a group", async () => {
  const reads = make();
  const early = reads.read("early", 0, undefined);
  const deadline = reads.deadline;
  assert.ok(Number.isFinite(deadline));
  reads.expire(deadline);
  await assert.rejects(early, Unavailable);
  assert.equal(reads.deadline, Number.POSITIVE_INFINITY);
  const controller = new AbortController();
  const first = reads.read("first", 0, controller.signal);
  const second = reads.read("second", 1, undefined);
  reads.take();
  controller.abort(new Error("mine"));
  await assert.rejects(first, /mine/);
  assert.equal(reads.deadline, deadline + 1);
  reads.expire(deadline + 1);
  await assert.rejects(second, Unavailable);
  assert.equal(reads.deadline, Number.POSITIVE_INFINITY);
});

test("what the query throws is the reader's alone", async () => {
  const reads = make((name) => {
    if (name === "bad") throw new RangeError("no such thing");
    return name;
  });
  const [bad, good] = [reads.read("bad", 0, undefined), reads.read("good", 0, undefined)];
  reads.take();
  reads.ready(1, 0, 0);
  await assert.rejects(bad, RangeError);
  assert.equal(await good, "good");
});
