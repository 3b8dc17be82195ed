// What is scheduled happens while the process lives, waits while it is paused, and its clock runs at its own rate.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../base/random.js";
import { EventQueue } from "./event-queue.js";
import { ProcessLife } from "./process-life.js";

test("a fast clock fires early in true time, and never before the time that it shows", () => {
  const queue = new EventQueue();
  const life = new ProcessLife(queue, new Random(1), 1.25, 1000);
  const begun = life.now();
  let fired = 0;
  life.at(begun + 100.3, () => {
    fired = queue.now;
    assert.ok(life.now() >= begun + 100.3);
  });
  while (queue.step());
  assert.ok(Math.abs(fired - 80.24) < 0.01, `fired at ${fired}`);
});

test("a pause holds everything back, in order; death drops it", () => {
  const queue = new EventQueue();
  const life = new ProcessLife(queue, new Random(1), 1, 0);
  const ran: number[] = [];
  for (const at of [1, 2, 3]) life.after(at, () => ran.push(at));
  life.isPaused = true;
  while (queue.step());
  assert.equal(ran.length, 0);
  life.resume();
  life.after(1, () => ran.push(4));
  while (queue.step());
  assert.deepEqual(ran, [1, 2, 3, 4]);
  life.after(1, () => ran.push(5));
  life.die();
  while (queue.step());
  assert.deepEqual(ran, [1, 2, 3, 4]);
});

test("a timer that came due in a pause can still be cancelled by what else comes then", () => {
  const queue = new EventQueue();
  const life = new ProcessLife(queue, new Random(1), 1, 0);
  const ran: string[] = [];
  life.after(1, () => life.cancel(timer));
  const timer = life.after(2, () => ran.push("cancelled"));
  life.isPaused = true;
  while (queue.step());
  life.resume();
  while (queue.step());
  assert.deepEqual(ran, []);
});

test("soon is the same moment after all that runs, or a little later", () => {
  const queue = new EventQueue();
  const life = new ProcessLife(queue, new Random(1), 1, 0);
  const delays: number[] = [];
  for (let at = 0; at < 100; at += 1) {
    life.after(at, () => {
      let isOver = false;
      life.soon(() => {
        assert.ok(isOver);
        delays.push(queue.now - at);
      });
      isOver = true;
    });
  }
  while (queue.step());
  assert.equal(delays.length, 100);
  const later = delays.filter((ms) => ms > 0).length;
  assert.ok(later > 3 && later < 40, `${later} of 100`);
});
