// A clock for tests in one process: time passes only when nothing else is left to do, so that nothing is timed.
import assert from "node:assert/strict";
import type { Clock } from "../../src/replica/ports.js";

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

export class VirtualClock implements Clock {
  #now = 0;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  at(at: number, task: () => void): Timer {
    const timer = { at, task };
    this.#timers.add(timer);
    return timer;
  }

  cancel(handle: unknown): void {
    this.#timers.delete(handle as Timer);
  }

  soon(task: () => void): void {
    this.#soon.push(task);
  }

  /** Runs everything until `isDone`, at most for `ms` of its own time. */
  async until(isDone: () => boolean, ms = 60_000): Promise<void> {
    const end = this.#now + ms;
    while (!isDone()) {
      await new Promise(setImmediate);
      if (this.#soon.length > 0) {
        for (const task of this.#soon.splice(0)) task();
        continue;
      }
      if (isDone()) return;
      const next = this.#nextTimer();
      assert.ok(next !== null && next.at <= end, `what was waited for does not happen within ${ms} ms`);
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.task();
    }
  }

  /** Lets `ms` pass. */
  async pass(ms: number): Promise<void> {
    let isOver = false;
    this.at(this.#now + ms, () => {
      isOver = true;
    });
    await this.until(() => isOver, ms);
  }

  /** Runs everything until `promise` settles, and gives its outcome. */
  async settle<T>(promise: Promise<T>, ms = 60_000): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await this.until(() => isSettled, ms);
    return promise;
  }

  #nextTimer(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) if (next === null || timer.at < next.at) next = timer;
    return next;
  }
}
