// Virtual time: everything that will happen, in the order of its time, then of its making. Nothing else makes time
// pass, so one seed gives one run.
import { assert } from "../base/assert.js";

/** Whose task it is: says whether it may run now; if not, it takes the task and runs it later, or never. */
export interface TaskOwner {
  admits(task: Task): boolean;
}

/** More in one moment are an endless loop. */
const MOST_DEFERRED = 100_000;

export interface Task {
  /** In milliseconds of true time. */
  readonly at: number;
  /** Given by the queue. */
  order: number;
  /** Null: the world itself. */
  readonly owner: TaskOwner | null;
  /** Called with the task itself, so that tasks of one kind can share a function. Null: cancelled. */
  run: ((task: Task) => void) | null;
}

export class EventQueue {
  /** True time, in milliseconds. */
  now: number;
  /** Tasks run so far. */
  events: number;
  /** A promise may have settled: microtasks must be let run before the next step. */
  isStirred: boolean;
  /** A binary heap; and the times of its tasks, for a time in an object is another object that must be looked up. */
  readonly #heap: Task[];
  #times: Float64Array;
  #order: number;
  /** What runs before time goes on, in order: the first so many; the array is used again and again. */
  readonly #deferred: Task[];
  #deferredCount: number;

  constructor() {
    this.now = 0;
    this.events = 0;
    this.isStirred = false;
    this.#heap = [];
    this.#times = new Float64Array(256);
    this.#order = 0;
    this.#deferred = [];
    this.#deferredCount = 0;
  }

  get size(): number {
    return this.#heap.length + this.#deferredCount;
  }

  /** Runs `run` when its time has come, not before what was made for the same time earlier. */
  at(at: number, run: () => void, owner: TaskOwner | null = null): Task {
    const task: Task = { at: Math.max(at, this.now), order: 0, owner, run };
    this.put(task);
    return task;
  }

  /** As `at`, with a task that was made elsewhere. */
  put(task: Task): void {
    const heap = this.#heap;
    this.#order += 1;
    task.order = this.#order;
    let child = heap.length;
    heap.push(task);
    if (child === this.#times.length) this.#enlarge();
    const times = this.#times;
    const { at } = task;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const time = times[parent]!;
      // Of those of one time the new one is the last.
      if (time <= at) break;
      heap[child] = heap[parent]!;
      times[child] = time;
      child = parent;
    }
    heap[child] = task;
    times[child] = at;
  }

  #enlarge(): void {
    const larger = new Float64Array(2 * this.#times.length);
    larger.set(this.#times);
    this.#times = larger;
  }

  after(ms: number, run: () => void, owner: TaskOwner | null = null): Task {
    return this.at(this.now + ms, run, owner);
  }

  /** Runs `run` at the end of the event that runs now, before anything else and in the same moment. */
  defer(run: () => void, owner: TaskOwner | null): void {
    this.#deferred[this.#deferredCount] = { at: this.now, order: 0, owner, run };
    this.#deferredCount += 1;
  }

  /** When the next task is due; Infinity: there is none. */
  get next(): number {
    if (this.#deferredCount > 0) return this.now;
    return this.#heap.length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!;
  }

  /** Runs the next task, and what it defers; false: there is none. */
  step(): boolean {
    if (this.#deferredCount > 0) {
      this.#runDeferred();
      return true;
    }
    const task = this.#pop();
    if (task === undefined) return false;
    assert(task.at >= this.now, "time never goes back");
    this.now = task.at;
    this.#run(task);
    if (this.#deferredCount > 0) this.#runDeferred();
    return true;
  }

  #runDeferred(): void {
    const deferred = this.#deferred;
    // What a deferred task defers runs after those that wait.
    for (let i = 0; i < this.#deferredCount; i += 1) {
      assert(i < MOST_DEFERRED, "no task defers another without end");
      this.#run(deferred[i]!);
    }
    this.#deferredCount = 0;
  }

  #run(task: Task): void {
    const { run, owner } = task;
    if (run === null || (owner !== null && !owner.admits(task))) return;
    task.run = null;
    this.events += 1;
    run(task);
  }

  #pop(): Task | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    const times = this.#times;
    const { length } = heap;
    const { at, order } = last;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= length) break;
      const right = child + 1;
      if (right < length) {
        const difference = times[right]! - times[child]!;
        if (difference < 0 || (difference === 0 && heap[right]!.order < heap[child]!.order)) child = right;
      }
      const time = times[child]!;
      if (at < time || (at === time && order < heap[child]!.order)) break;
      heap[parent] = heap[child]!;
      times[parent] = time;
      parent = child;
    }
    heap[parent] = last;
    times[parent] = at;
    return first;
  }
}
