// One life of a replica's process: what it scheduled happens only while it lives, and waits while it is paused; its
// clock runs at a rate of its own.
import type { Random } from "../base/random.js";
import type { Clock } from "../replica/ports.js";
import type { EventQueue, Task, TaskOwner } from "./event-queue.js";

/** Mostly what is to run soon runs in the same moment; in so many of all cases so much later, in milliseconds. */
const LATER_CHANCE = 0.15;
const LATER_MS = 0.5;

/** Of a millisecond: readings are multiples of a power of two, so that sums and differences of them are exact. */
const TICKS = 1024;

export class ProcessLife implements Clock, TaskOwner {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #rate: number;
  readonly #bornAt: number;
  readonly #bornReading: number;
  /** What the clock has shown at least. */
  #shown: number;
  /** What came due during a pause. */
  #backlog: Task[];
  isAlive: boolean;
  isPaused: boolean;
  /** Promises of its code that somebody waits for: after its tasks microtasks are let run. */
  awaited: number;
  /** Answers that clients wait for: after what may have given one microtasks are let run. */
  asked: number;

  /** `rate`: local milliseconds for each of true time. `reading`: of its clock at the start. */
  constructor(queue: EventQueue, random: Random, rate: number, reading: number) {
    this.#queue = queue;
    this.#random = random;
    this.#rate = rate;
    this.#bornAt = queue.now;
    this.#bornReading = reading;
    this.#shown = reading;
    this.#backlog = [];
    this.isAlive = true;
    this.isPaused = false;
    this.awaited = 0;
    this.asked = 0;
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

  /** A turn takes no time, but what comes in a little later is at times in the same one. */
  soon(task: () => void): void {
    if (this.#random.next() < LATER_CHANCE) this.after(LATER_MS * this.#random.next(), task);
    else this.defer(task);
  }

  /** In the same moment, after what runs. */
  defer(task: () => void): void {
    this.#queue.defer(task, this);
  }

  /** In true time: what the world does for this process, such as a disk that is ready. */
  after(ms: number, task: () => void): Task {
    return this.#queue.after(ms, task, this);
  }

  admits(task: Task): boolean {
    if (!this.isAlive) return false;
    if (this.isPaused) {
      this.#backlog.push(task);
      return false;
    }
    return this.enters();
  }

  /** Whether its code may run now; what runs may settle what somebody waits for. */
  enters(): boolean {
    if (!this.isAlive || this.isPaused) return false;
    if (this.awaited > 0) this.#queue.isStirred = true;
    return true;
  }

  /** Its machine was used: the answer that a client waits for may be there. Errors may be told a little later. */
  mayAnswer(): void {
    if (this.asked > 0) this.#queue.isStirred = true;
  }

  /** Now, or when the pause ends; never once it is dead. */
  run(task: () => void): void {
    if (this.isAlive && this.isPaused)
      this.#backlog.push({ at: this.#queue.now, order: 0, owner: this, run: task });
    else if (this.enters()) task();
  }

  /** What came due meanwhile comes at once, as what waits in a kernel does; what one task cancels does not come. */
  resume(): void {
    this.isPaused = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    this.after(0, () => {
      for (const task of backlog) {
        const { run } = task;
        task.run = null;
        if (this.isAlive) run?.(task);
      }
    });
  }

  die(): void {
    this.isAlive = false;
    this.#backlog = [];
  }
}
