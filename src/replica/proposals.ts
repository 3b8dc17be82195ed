// Commands of the callers here, from `propose` to their outcome, found by number (2.9). Rule: a number is given
// when the command is handed to the core, so "nothing was proposed" is true of every command without one.

import type { Event } from "../paxos/event.js";
import { SESSION_WINDOW } from "../paxos/sessions.js";
import type { CancelSignal } from "./cancel.js";
import { Closed, OutcomeUnknown, Overloaded, Unavailable } from "./errors.js";

/** Bytes of commands without an outcome. */
const WINDOW_BYTES = 64 << 20;
const NOTHING: readonly Event[] = [];

interface Pending<Result> {
  /** 0: not handed to the core yet. */
  number: number;
  readonly payload: Uint8Array;
  readonly deadline: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: CancelSignal | undefined;
  onAbort: () => void;
}

export class Proposals<Result> {
  readonly #timeoutMs: number;
  /** Called when `take` has something to give. */
  readonly #onWork: () => void;
  /** In the order of the calls; not handed over. */
  #queued: Set<Pending<Result>>;
  /** Handed over, by number, ascending. */
  readonly #pending: Map<number, Pending<Result>>;
  #abandoned: number[];
  #last: number;
  /** Every number up to it has its outcome. */
  #settled: number;
  #bytes: number;
  #idleWaiters: (() => void)[];

  constructor(timeoutMs: number, onWork: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onWork = onWork;
    this.#queued = new Set();
    this.#pending = new Map();
    this.#abandoned = [];
    this.#last = 0;
    this.#settled = 0;
    this.#bytes = 0;
    this.#idleWaiters = [];
  }

  /** Commands without an outcome. */
  get size(): number {
    return this.#queued.size + this.#pending.size;
  }

  /** When the oldest one is given up; Infinity: there is none. */
  get deadline(): number {
    // Asked after every turn, mostly when there is nothing.
    if (this.#pending.size > 0) for (const pending of this.#pending.values()) return pending.deadline;
    if (this.#queued.size > 0) for (const pending of this.#queued) return pending.deadline;
    return Number.POSITIVE_INFINITY;
  }

  /** Rejects with `Overloaded` when too many or too large ones wait. */
  propose(payload: Uint8Array, now: number, signal: CancelSignal | undefined): Promise<Result> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#last + this.#queued.size - this.#settled >= SESSION_WINDOW) {
      return Promise.reject(new Overloaded(`${SESSION_WINDOW} commands wait already: try again later`));
    }
    if (this.#bytes + payload.length > WINDOW_BYTES && this.size > 0) {
      return Promise.reject(new Overloaded(`${this.#bytes} bytes of commands wait already: try again later`));
    }
    return new Promise((resolve, reject) => {
      const deadline = now + this.#timeoutMs;
      const onAbort = () => this.#abort(pending);
      const pending: Pending<Result> = { number: 0, payload, deadline, resolve, reject, signal, onAbort };
      signal?.addEventListener("abort", onAbort);
      this.#queued.add(pending);
      this.#bytes += payload.length;
      this.#onWork();
    });
  }

  /** Events for the core: what was given up, and what is handed over with this call. */
  take(): readonly Event[] {
    if (this.#abandoned.length === 0 && this.#queued.size === 0) return NOTHING;
    const events: Event[] = [];
    for (const number of this.#abandoned) events.push({ kind: "abandon", number });
    this.#abandoned = [];
    if (this.#queued.size === 0) return events;
    for (const pending of this.#queued) {
      this.#last += 1;
      pending.number = this.#last;
      this.#pending.set(pending.number, pending);
    }
    for (const { number, payload } of this.#queued) {
      events.push({ kind: "propose", number, settled: this.#settled, payload });
    }
    this.#queued = new Set();
    return events;
  }

  resolve(number: number, result: Result): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    this.#remove(pending);
    pending.resolve(result);
  }

  reject(number: number, error: Error): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    this.#remove(pending);
    pending.reject(error);
  }

  /** Gives up what has waited too long. */
  expire(now: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.deadline > now) break;
      this.#giveUp(pending, new OutcomeUnknown(`no outcome within ${this.#timeoutMs} ms`));
    }
    for (const pending of this.#queued) {
      if (pending.deadline > now) break;
      this.#remove(pending);
      pending.reject(new Unavailable("the replica has not joined its cluster yet: nothing was proposed"));
    }
  }

  /** The state came from a snapshot: of what was executed on the way to it nobody here has seen the result. */
  superseded(hasExecuted: (number: number) => boolean): void {
    for (const pending of this.#pending.values()) {
      if (!hasExecuted(pending.number)) continue;
      this.#giveUp(
        pending,
        new OutcomeUnknown("executed, and the result is gone: this replica was far behind"),
      );
    }
  }

  /** What is executed here from now on is not to be told to anyone. */
  giveUpAll(reason: string): void {
    for (const pending of this.#queued) {
      this.#remove(pending);
      pending.reject(new Unavailable(`${reason}: nothing was proposed`));
    }
    for (const pending of this.#pending.values()) this.#giveUp(pending, new OutcomeUnknown(reason));
  }

  /** The replica stops: nothing will have an outcome any more. */
  failAll(reason: string): void {
    for (const pending of this.#queued) {
      this.#remove(pending);
      pending.reject(new Closed(`${reason}: nothing was proposed`));
    }
    for (const pending of this.#pending.values()) {
      this.#remove(pending);
      pending.reject(new OutcomeUnknown(`${reason} before the outcome was known`));
    }
  }

  /** Resolves when every command has its outcome. */
  idle(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #abort(pending: Pending<Result>): void {
    if (pending.number === 0) {
      this.#remove(pending);
      pending.reject(pending.signal?.reason);
    } else {
      this.#giveUp(pending, new OutcomeUnknown("aborted after the command was handed over"));
    }
  }

  #giveUp(pending: Pending<Result>, error: Error): void {
    this.#remove(pending);
    this.#abandoned.push(pending.number);
    pending.reject(error);
    this.#onWork();
  }

  #remove(pending: Pending<Result>): void {
    if (pending.number === 0) this.#queued.delete(pending);
    else this.#pending.delete(pending.number);
    this.#bytes -= pending.payload.length;
    pending.signal?.removeEventListener("abort", pending.onAbort);
    while (this.#settled < this.#last && !this.#pending.has(this.#settled + 1)) this.#settled += 1;
    if (this.size > 0) return;
    for (const resolve of this.#idleWaiters) resolve();
    this.#idleWaiters = [];
  }
}
