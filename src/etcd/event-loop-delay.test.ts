// Delays of the event loop: without the resolution, since the last look.
import assert from "node:assert/strict";
import test from "node:test";
import { EventLoopDelay, NO_DELAYS } from "./event-loop-delay.js";

/** Ticks that came so late, in milliseconds from the tick before. */
class Ticks {
  #late: number[] = [];
  isEnabled = false;

  tick(...late: number[]): void {
    this.#late.push(...late);
  }
  get count(): number {
    return this.#late.length;
  }
  get mean(): number {
    return (this.#late.reduce((sum, ms) => sum + ms, 0) / this.#late.length) * 1e6;
  }
  get max(): number {
    return Math.max(...this.#late) * 1e6;
  }
  percentile(percent: number): number {
    const sorted = [...this.#late].sort((a, b) => a - b);
    return sorted[Math.ceil((sorted.length * percent) / 100) - 1]! * 1e6;
  }
  reset(): void {
    this.#late = [];
  }
  enable(): boolean {
    this.isEnabled = true;
    return true;
  }
  disable(): boolean {
    this.isEnabled = false;
    return true;
  }
}

const inMs = (seconds: number): number => Math.round(seconds * 1e6) / 1e3;

test("a tick that comes when it is due is no delay, and each look begins anew", () => {
  const ticks = new Ticks();
  const delay = new EventLoopDelay(ticks, 10);
  assert.ok(ticks.isEnabled);
  assert.deepEqual(delay.take(), NO_DELAYS);
  ticks.tick(...Array.from({ length: 998 }, () => 10), 15, 70);
  const { mean, p50, p90, p99, p999, max } = delay.take();
  assert.deepEqual([mean, p50, p90, p99, p999, max].map(inMs), [0.065, 0, 0, 0, 5, 60]);
  assert.deepEqual(delay.take(), NO_DELAYS);
  // Timers may fire a little early.
  ticks.tick(9.9, 9.8);
  assert.deepEqual(delay.take(), NO_DELAYS);
  delay.close();
  assert.equal(ticks.isEnabled, false);
});

test("the real one sees a loop that stood still", async () => {
  const delay = new EventLoopDelay();
  const turn = () => new Promise((resolve) => setTimeout(resolve, 30));
  delay.take();
  // The first tick after a look only begins to count.
  await turn();
  const until = performance.now() + 60;
  while (performance.now() < until);
  await turn();
  const { max } = delay.take();
  delay.close();
  assert.ok(max > 0.045, `${max} s`);
});
