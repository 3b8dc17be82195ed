// A simulated disk: turns are appended in order and become durable in order (A7). A crash keeps any prefix of
// what was not synced, down to single records of a turn; recovery reads the log as A2 and L5 say.
import assert from "node:assert/strict";
import { type Ballot, LAST_SLOT, type Slot } from "../../src/paxos/ballot.js";
import type { Accepted, ChosenEntry, Faulty } from "../../src/paxos/message.js";
import type { LogRecord } from "../../src/paxos/outbox.js";
import type { Value } from "../../src/paxos/value.js";

export interface AppendedTurn {
  readonly turn: number;
  readonly promise: Ballot;
  readonly records: readonly LogRecord[];
}

export interface RecoveredLog {
  promised: Ballot;
  chosenUpTo: Slot;
  compactedUpTo: Slot;
  accepted: Accepted[];
  learned: ChosenEntry[];
  faulty: Faulty[];
}

/** What a crash leaves of the turns that were not synced: so many whole turns, then so many records of the next. */
export interface Survivors {
  readonly turns: number;
  readonly records: number;
  /** Whether the promise of the torn turn survives. */
  readonly promise: boolean;
}

export const LOSE_ALL: Survivors = { turns: 0, records: 0, promise: false };

interface SlotOnDisk {
  readonly value: Value;
  /** 0: a learned value. */
  readonly ballot: Ballot;
}

export class TestDisk {
  promised: Ballot = 0;
  chosenUpTo: Slot = 0;
  /** Slots up to it are in the state only. */
  compactedUpTo: Slot = 0;
  /** What made the state: the entries up to `compactedUpTo`. */
  state: readonly ChosenEntry[] = [];
  /** Slots whose records a test has made unreadable (A4). */
  faulty: Faulty[] = [];
  readonly slots = new Map<Slot, SlotOnDisk>();
  readonly pending: AppendedTurn[] = [];
  /** Told of every record as it becomes durable. */
  onDurable: (record: LogRecord) => void = () => {};

  append(turn: number, promise: Ballot, records: readonly LogRecord[]): void {
    this.pending.push({ turn, promise, records: [...records] });
  }

  /** Makes everything up to `turn` durable. */
  sync(turn: number): void {
    while (this.pending.length > 0 && this.pending[0]!.turn <= turn) this.#write(this.pending.shift()!);
  }

  crash(survivors: Survivors): void {
    for (let i = 0; i < survivors.turns && this.pending.length > 0; i += 1)
      this.#write(this.pending.shift()!);
    const torn = this.pending.shift();
    this.pending.length = 0;
    if (torn === undefined) return;
    if (survivors.promise && torn.promise > this.promised) this.promised = torn.promise;
    for (const record of torn.records.slice(0, survivors.records)) this.#writeRecord(record);
  }

  /** The state after the slots of `state` is durable, and the log forgets them. */
  compact(state: readonly ChosenEntry[]): void {
    this.state = state;
    this.compactedUpTo = state.length;
    this.chosenUpTo = Math.max(this.chosenUpTo, state.length);
    for (const slot of this.slots.keys()) if (slot <= state.length) this.slots.delete(slot);
  }

  /** The end of the log cannot be read, and it is not known what was there: all that is not known chosen (A4). */
  hideEnd(): void {
    for (const slot of this.slots.keys()) if (slot > this.chosenUpTo) this.slots.delete(slot);
    this.faulty = [{ from: this.chosenUpTo + 1, to: LAST_SLOT, ballot: 0 }];
  }

  #write(appended: AppendedTurn): void {
    if (appended.promise > this.promised) this.promised = appended.promise;
    for (const record of appended.records) this.#writeRecord(record);
  }

  #writeRecord(record: LogRecord): void {
    if (record.kind === "void") {
      this.promised = Math.max(this.promised, record.ballot);
      this.faulty = this.faulty
        .filter(({ from }) => from < record.from)
        .map((range) => ({ ...range, to: Math.min(range.to, record.from - 1) }));
    } else if (record.kind !== "chosen" && record.slot <= this.compactedUpTo) {
      // The log takes it and shows it to nobody.
      if (record.kind === "accepted") this.promised = Math.max(this.promised, record.ballot);
    } else if (record.kind === "accepted") {
      // A6: the promise is also the highest of all ballots in the log.
      if (record.ballot > this.promised) this.promised = record.ballot;
      const before = this.slots.get(record.slot);
      if (before?.ballot !== 0) this.slots.set(record.slot, { value: record.value, ballot: record.ballot });
    } else if (record.kind === "learned") {
      this.slots.set(record.slot, { value: record.value, ballot: 0 });
    } else {
      for (let slot = this.chosenUpTo + 1; slot <= record.upTo; slot += 1) {
        assert(
          this.slots.has(slot),
          `the log says that slot ${slot} is chosen and does not show its value (L5)`,
        );
      }
      if (record.upTo > this.chosenUpTo) this.chosenUpTo = record.upTo;
    }
    this.onDurable(record);
  }

  /** The values of the slots known chosen, from 1. */
  chosen(): ChosenEntry[] {
    const entries = [...this.state];
    for (let slot = this.compactedUpTo + 1; slot <= this.chosenUpTo; slot += 1) {
      entries.push({ slot, value: this.slots.get(slot)!.value });
    }
    return entries;
  }

  recover(): RecoveredLog {
    const recovered: RecoveredLog = {
      promised: this.promised,
      chosenUpTo: this.chosenUpTo,
      compactedUpTo: this.compactedUpTo,
      accepted: [],
      learned: [],
      faulty: this.faulty.filter(({ to }) => to > this.chosenUpTo),
    };
    for (const slot of [...this.slots.keys()].sort((a, b) => a - b)) {
      const { value, ballot } = this.slots.get(slot)!;
      if (slot <= this.chosenUpTo) continue;
      if (ballot === 0) recovered.learned.push({ slot, value });
      else recovered.accepted.push({ slot, ballot, value });
    }
    return recovered;
  }
}
