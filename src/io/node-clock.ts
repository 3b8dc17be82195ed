// The Clock port on Node.js: a monotonic clock, timers, and the end of a turn of the event loop.
import type { Clock } from "../replica/ports.js";

export class NodeClock implements Clock {
  now(): number {
    return performance.now();
  }

  at(at: number, task: () => void): NodeJS.Timeout {
    return setTimeout(task, Math.max(0, Math.ceil(at - performance.now())));
  }

  cancel(handle: unknown): void {
    clearTimeout(handle as NodeJS.Timeout);
  }

  soon(task: () => void): void {
    setImmediate(task);
  }
}
