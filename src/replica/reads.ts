// Reads of the callers here: all that come in one turn share one question to the core, and each is answered
// from the machine once everything up to the slot that the core names is executed (2.7).
import type { Slot } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { CancelSignal } from "./cancel.js";
import { Overloaded, Unavailable } from "./errors.js";

/** Reads without an answer. */
const WINDOW = 65_536;
const NOTHING: readonly Event[] = [];

interface PendingRead {
  /** Of its group; 0: not asked for yet. */
  id: number;
  isDone: boolean;
  readonly deadline: number;
  readonly answer: () => void;
  readonly reject: (error: unknown) => void;
}

export class Reads<Query, Answer> {
  readonly #query: (query: Query) => Answer | Promise<Answer>;
  readonly #timeoutMs: number;
  readonly #onWork: () => void;
  #queued: PendingRead[];
  /** Asked for: reads by the id of their question. */
  readonly #asked: Map<number, PendingRead[]>;
  /** Linearizable once `slot` is executed; ascending. */
  readonly #waiting: { readonly slot: Slot; readonly reads: readonly PendingRead[] }[];
  #abandoned: number[];
  #lastId: number;
  #size: number;

  constructor(query: (query: Query) => Answer | Promise<Answer>, timeoutMs: number, onWork: () => void) {
    this.#query = query;
    this.#timeoutMs = timeoutMs;
    this.#onWork = onWork;
    this.#queued = [];
    this.#asked = new Map();
    this.#waiting = [];
    this.#abandoned = [];
    this.#lastId = 0;
    this.#size = 0;
  }

  /** When the oldest read is given up, or before; Infinity: there is none. */
  get deadline(): number {
    // Asked after every turn, mostly when there is nothing.
    if (this.#size === 0) return Number.POSITIVE_INFINITY;
    let deadline = deadlineOf(this.#queued);
    for (const { reads } of this.#waiting) deadline = Math.min(deadline, deadlineOf(reads));
    for (const reads of this.#asked.values()) return Math.min(deadline, deadlineOf(reads));
    return deadline;
  }

  /** Rejects with `Overloaded`, or `Unavailable` when nobody confirms it in time, or as the machine's query does. */
  read(query: Query, now: number, signal: CancelSignal | undefined): Promise<Answer> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#size >= WINDOW)
      return Promise.reject(new Overloaded(`${WINDOW} reads wait already: try again later`));
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#abort(read, signal?.reason);
      const read: PendingRead = {
        id: 0,
        isDone: false,
        deadline: now + this.#timeoutMs,
        answer: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve(answerOf(this.#query, query));
        },
        reject: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort);
      this.#queued.push(read);
      this.#size += 1;
      this.#onWork();
    });
  }

  /** Events for the core: questions that nobody waits for any more, and one for all new reads. */
  take(): readonly Event[] {
    if (this.#abandoned.length === 0 && this.#queued.length === 0) return NOTHING;
    const events: Event[] = [];
    for (const id of this.#abandoned) events.push({ kind: "abandonRead", id });
    this.#abandoned = [];
    const reads = this.#queued.filter(({ isDone }) => !isDone);
    this.#queued = [];
    if (reads.length === 0) return events;
    this.#lastId += 1;
    for (const read of reads) read.id = this.#lastId;
    this.#asked.set(this.#lastId, reads);
    events.push({ kind: "read", id: this.#lastId });
    return events;
  }

  /** The question `id` is answered: its reads are linearizable once `slot` is executed. */
  ready(id: number, slot: Slot, appliedUpTo: Slot): void {
    const reads = this.#asked.get(id);
    if (reads === undefined) return;
    this.#asked.delete(id);
    if (slot <= appliedUpTo) {
      this.#answer(reads);
      return;
    }
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.slot > slot) at -= 1;
    this.#waiting.splice(at, 0, { slot, reads });
  }

  applied(appliedUpTo: Slot): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.slot <= appliedUpTo) {
      this.#answer(this.#waiting.shift()!.reads);
    }
  }

  /** Gives up what has waited too long; a question is given up with the last of its reads. */
  expire(now: number): void {
    if (this.deadline > now) return;
    const error = new Unavailable(`no quorum confirmed the read within ${this.#timeoutMs} ms`);
    for (const read of this.#queued) if (read.deadline <= now) this.#fail(read, error);
    this.#queued = this.#queued.filter(({ isDone }) => !isDone);
    for (const [id, reads] of this.#asked) {
      if (deadlineOf(reads) > now) break;
      for (const read of reads) if (read.deadline <= now) this.#fail(read, error);
      this.#forgetWhenDone(id);
    }
    for (let i = this.#waiting.length - 1; i >= 0; i -= 1) {
      const { reads } = this.#waiting[i]!;
      for (const read of reads) if (read.deadline <= now) this.#fail(read, error);
      if (reads.every(({ isDone }) => isDone)) this.#waiting.splice(i, 1);
    }
  }

  failAll(error: Error): void {
    for (const read of this.#queued) this.#fail(read, error);
    for (const reads of this.#asked.values()) for (const read of reads) this.#fail(read, error);
    for (const { reads } of this.#waiting) for (const read of reads) this.#fail(read, error);
    this.#queued = [];
    this.#asked.clear();
    this.#waiting.length = 0;
  }

  #answer(reads: readonly PendingRead[]): void {
    for (const read of reads) {
      if (read.isDone) continue;
      read.isDone = true;
      this.#size -= 1;
      read.answer();
    }
  }

  #fail(read: PendingRead, error: unknown): void {
    if (read.isDone) return;
    read.isDone = true;
    this.#size -= 1;
    read.reject(error);
  }

  #abort(read: PendingRead, reason: unknown): void {
    this.#fail(read, reason);
    if (read.id !== 0) this.#forgetWhenDone(read.id);
  }

  #forgetWhenDone(id: number): void {
    if (this.#asked.get(id)?.every(({ isDone }) => isDone) !== true) return;
    this.#asked.delete(id);
    this.#abandoned.push(id);
    this.#onWork();
  }
}

/** Of the oldest read that is still waited for: one that is done must not wake the replica again and again. */
function deadlineOf(reads: readonly PendingRead[]): number {
  for (const { isDone, deadline } of reads) if (!isDone) return deadline;
  return Number.POSITIVE_INFINITY;
}

/** As a promise, also when the query throws. */
async function answerOf<Query, Answer>(
  run: (query: Query) => Answer | Promise<Answer>,
  query: Query,
): Promise<Answer> {
  return run(query);
}
