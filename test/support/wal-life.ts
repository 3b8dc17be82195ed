// One life of a log in a test: it appends, notes what was proven, and can be ended in every way.
import assert from "node:assert/strict";
import type { Ballot, Slot } from "../../src/paxos/ballot.js";
import type { AcceptedRecord, ChosenRecord, LearnedRecord, LogRecord } from "../../src/paxos/outbox.js";
import type { Disk } from "../../src/wal/disk.js";
import type { Recovered } from "../../src/wal/recovered-state.js";
import type { Room } from "../../src/wal/room.js";
import { Wal } from "../../src/wal/wal.js";
import type { WalClock } from "../../src/wal/wal-options.js";

/** A clock that stands still until it is told to go on. */
export class ManualClock implements WalClock {
  #now = 0;
  readonly #timers = new Set<{ at: number; task: () => void }>();

  now(): number {
    return this.#now;
  }

  at(at: number, task: () => void): unknown {
    const timer = { at, task };
    this.#timers.add(timer);
    return timer;
  }

  cancel(handle: unknown): void {
    this.#timers.delete(handle as { at: number; task: () => void });
  }

  soon(task: () => void): void {
    queueMicrotask(task);
  }

  get timers(): number {
    return this.#timers.size;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at)) {
      if (timer.at <= this.#now && this.#timers.delete(timer)) timer.task();
    }
  }
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const textOf = (value: Uint8Array): string => new TextDecoder().decode(value);

export const vote = (slot: Slot, ballot: Ballot, value: string | Uint8Array): AcceptedRecord => ({
  kind: "accepted",
  slot,
  ballot,
  value: typeof value === "string" ? text(value) : value,
});
export const learned = (slot: Slot, value: string): LearnedRecord => ({
  kind: "learned",
  slot,
  value: text(value),
});
export const chosen = (upTo: Slot): ChosenRecord => ({ kind: "chosen", upTo });

export interface LifeOptions {
  readonly segmentBytes?: number;
  readonly appliedUpTo?: Slot;
  readonly clock?: ManualClock;
  readonly room?: Room;
}

/** Lets everything that waits in this process happen. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 3; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class WalLife {
  readonly wal: Wal;
  readonly recovered: Recovered;
  readonly clock: ManualClock;
  turn = 0;
  /** The turns proven, in the order of the proofs. */
  readonly proven: number[];
  readonly failures: Error[];
  /** Slots whose values were told to be damaged. */
  readonly damaged: number[];

  private constructor(
    wal: Wal,
    recovered: Recovered,
    clock: ManualClock,
    proven: number[],
    failures: Error[],
    damaged: number[],
  ) {
    this.wal = wal;
    this.recovered = recovered;
    this.clock = clock;
    this.proven = proven;
    this.failures = failures;
    this.damaged = damaged;
  }

  static async open(disk: Disk, options: LifeOptions = {}): Promise<WalLife> {
    const clock = options.clock ?? new ManualClock();
    const proven: number[] = [];
    const failures: Error[] = [];
    const damaged: number[] = [];
    const { wal, recovered } = await Wal.open(disk, {
      segmentBytes: 16 * 1024,
      ...options,
      clock,
      onSynced: ({ turn }) => proven.push(turn),
      onFailed: (error) => failures.push(error),
      onDamaged: (slot) => damaged.push(slot),
    });
    return new WalLife(wal, recovered, clock, proven, failures, damaged);
  }

  get provenTurn(): number {
    return this.proven.at(-1) ?? 0;
  }

  /** Appends one turn; its number. */
  append(records: readonly LogRecord[], promise: Ballot = 0, urgent = true): number {
    this.turn += 1;
    this.wal.append(this.turn, promise, records, urgent);
    return this.turn;
  }

  /** Appends one turn, and waits until it is proven. */
  async sync(records: readonly LogRecord[], promise: Ballot = 0): Promise<void> {
    const turn = this.append(records, promise);
    await quiet();
    assert.equal(this.provenTurn, turn);
  }

  /** Time passes until the mark of the last batch is written. */
  async mark(): Promise<void> {
    this.clock.advance(10);
    await quiet();
  }
}

/** What was recovered, readable: `s@b=v` for votes, `s=v` for chosen values after a gap. */
export function describeRecovered(recovered: Recovered): unknown {
  return {
    promised: recovered.promised,
    chosenUpTo: recovered.chosenUpTo,
    accepted: recovered.accepted.map(({ slot, ballot, value }) => `${slot}@${ballot}=${textOf(value)}`),
    learned: recovered.learned.map(({ slot, value }) => `${slot}=${textOf(value)}`),
    faulty: recovered.faulty.map(({ from, to, ballot }) => `${from}-${to}@${ballot}`),
  };
}

export async function readAll(wal: Wal, from = 1): Promise<string[]> {
  return (await wal.readChosen(from, 100_000_000)).map(({ slot, value }) => `${slot}=${textOf(value)}`);
}
