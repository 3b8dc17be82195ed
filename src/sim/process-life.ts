// One life of a replica's process: what it scheduled happens only while it lives, and waits while it is paused; its
// clock runs at a rate of its own.
import type { Clock } from "../replica/ports.js";
import type { EventQueue, Task } from "./event-queue.js";

/** A turn and its microtasks take no time; what `soon` runs comes a little later, in milliseconds. */
const SOON_MS = 0.05;

/** Of a millisecond: readings are multiples of a power of two, so that sums and differences of them are exact. */
const TICKS = 1024;

export class ProcessLife implements Clock {
  readonly #queue: EventQueue;
  readonly #rate: number;
  readonly #bornAt: number;
  readonly #bornReading: number;
  /** What the clock has shown at least. */
  #shown: number;
  /** What came due during a pause. */
  #backlog: (() => void)[];
  isAlive: boolean;
  isPaused: boolean;

  /** `rate`: local milliseconds for each of true time. `reading`: of its clock at the start. */
  constructor(queue: EventQueue, rate: number, reading: number) {
    this.#queue = queue;
    this.#rate = rate;
    this.#bornAt = queue.now;
    this.#bornReading = reading;
    this.#shown = reading;
    this.#backlog = [];
    this.isAlive = true;
    this.isPaused = false;
  }

  now(): number {
    const reading = this.#bornReading + (this.#queue.now - this.#bornAt) * this.#rate;
    return Math.max(this.#shown, Math.floor(reading * TICKS) / TICKS);
  }

  at(at: number, task: () => void): Task {
    return this.after((at - this.now()) / this.#rate, () => {
      // Rounding must not let a timer fire before its time: it would be set again for now, for ever.
      this.#shown = Math.max(this.#shown, Math.ceil(at * TICKS) / TICKS);
      task();
    });
  }

  cancel(handle: unknown): void {
    (handle as Task).run = null;
  }

  soon(task: () => void): void {
    this.after(SOON_MS, task);
  }

  /** In true time: what the world does for this process, such as a disk that is ready. */
  after(ms: number, task: () => void): Task {
    return this.#queue.after(ms, () => this.run(task));
  }

  /** Now, or when the pause ends; never once it is dead. */
  run(task: () => void): void {
    if (!this.isAlive) return;
    if (this.isPaused) this.#backlog.push(task);
    else task();
  }

  resume(): void {
    this.isPaused = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const task of backlog) this.#queue.after(0, () => this.run(task));
  }

  die(): void {
    this.isAlive = false;
    this.#backlog = [];
  }
}
