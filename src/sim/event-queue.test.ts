// Virtual time: order, cancelling, and nothing in the past.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.js";
import { EventQueue } from "./event-queue.js";

test("tasks run in the order of their time, then of their making", () => {
  const queue = new EventQueue();
  const random = new Random(1);
  const made: { at: number; order: number }[] = [];
  const ran: { at: number; order: number }[] = [];
  for (let order = 0; order < 1000; order += 1) {
    const task = { at: random.below(50), order };
    made.push(task);
    queue.at(task.at, () => {
      assert.equal(queue.now, task.at);
      ran.push(task);
    });
  }
  while (queue.step());
  assert.deepEqual(
    ran,
    made.sort((a, b) => a.at - b.at || a.order - b.order),
  );
  assert.equal(queue.events, 1000);
});

test("what is deferred runs in the same moment, before anything else; without end it is a fault", () => {
  const queue = new EventQueue();
  const ran: string[] = [];
  queue.at(1, () => {
    queue.defer(() => ran.push(`deferred at ${queue.now}`), null);
    ran.push("first");
  });
  queue.at(1, () => ran.push("second"));
  while (queue.step());
  assert.deepEqual(ran, ["first", "deferred at 1", "second"]);
  const again = (): void => queue.defer(again, null);
  queue.at(2, again);
  assert.throws(() => queue.step(), /without end/);
});

test("what is due already runs now, after what waits for now; what is cancelled never runs", () => {
  const queue = new EventQueue();
  const ran: string[] = [];
  queue.at(5, () => {
    queue.at(5, () => ran.push("second"));
    queue.at(1, () => ran.push("third"));
    ran.push("first");
  });
  const cancelled = queue.after(7, () => ran.push("never"));
  cancelled.run = null;
  while (queue.step());
  assert.deepEqual(ran, ["first", "second", "third"]);
  assert.equal(queue.next, Number.POSITIVE_INFINITY);
});
