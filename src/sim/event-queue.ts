// Virtual time: everything that will happen, in the order of its time, then of its making. Nothing else makes time
// pass, so one seed gives one run.
import { assert } from "../base/assert.js";

export interface Task {
  /** In milliseconds of true time. */
  readonly at: number;
  readonly order: number;
  /** Null: cancelled. */
  run: (() => void) | null;
}

export class EventQueue {
  /** True time, in milliseconds. */
  now: number;
  /** Tasks run so far. */
  events: number;
  /** A binary heap. */
  readonly #heap: Task[];
  #order: number;

  constructor() {
    this.now = 0;
    this.events = 0;
    this.#heap = [];
    this.#order = 0;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Runs `run` when its time has come, not before what was made for the same time earlier. */
  at(at: number, run: () => void): Task {
    const heap = this.#heap;
    this.#order += 1;
    const task: Task = { at: Math.max(at, this.now), order: this.#order, run };
    let child = heap.length;
    heap.push(task);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[child] = heap[parent]!;
      child = parent;
    }
    heap[child] = task;
    return task;
  }

  after(ms: number, run: () => void): Task {
    return this.at(this.now + ms, run);
  }

  /** When the next task is due; Infinity: there is none. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Runs the next task; false: there is none. */
  step(): boolean {
    const task = this.#pop();
    if (task === undefined) return false;
    assert(task.at >= this.now, "time never goes back");
    this.now = task.at;
    const { run } = task;
    if (run !== null) {
      task.run = null;
      this.events += 1;
      run();
    }
    return true;
  }

  #pop(): Task | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[parent] = heap[child]!;
      parent = child;
    }
    heap[parent] = last;
    return first;
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
