// The disk of an explored replica: the promise, and the records of the log in the order in which they were synced.
// What the log shows at a restart is decided by the code of `wal/` and `replica/`, not here (A4, L5).
import { type Ballot, LAST_SLOT, type Slot } from "../../paxos/ballot.js";
import type { Accepted, ChosenEntry, Faulty } from "../../paxos/message.js";
import type { LogRecord } from "../../paxos/outbox.js";
import type { RecoveredState } from "../../paxos/state.js";
import { NOOP, type Value } from "../../paxos/value.js";
import { recoveredState } from "../../replica/replay.js";
import { CHOSEN, FAULTY, SlotIndex, VOTE } from "../../wal/slot-index.js";

/** What the log shows for one slot. */
interface Shown {
  readonly slot: Slot;
  readonly state: number;
  readonly ballot: Ballot;
  readonly value: Value;
}

/** `hidden`: what was written before it may have gone on, and nobody can tell how (A4). */
type LittleRecord = LogRecord | { readonly kind: "hidden" };

/** Plain data, never changed: a write gives a new one. */
export class LittleDisk {
  readonly promised: Ballot;
  readonly log: readonly LittleRecord[];
  /** What the log shows as chosen, without a gap. */
  readonly chosenUpTo: Slot;
  readonly #watermark: Slot;
  readonly #shown: readonly Shown[];
  readonly #faulty: readonly Faulty[];
  readonly #lostUpTo: Slot;

  constructor(promised: Ballot, log: readonly LittleRecord[]) {
    this.promised = promised;
    this.log = log;
    const index = new SlotIndex();
    for (const [at, record] of log.entries()) {
      if (record.kind === "accepted") index.accepted(record.slot, record.ballot, 1, at, 0, 0);
      else if (record.kind === "learned") index.learned(record.slot, 1, at, 0, 0);
      else if (record.kind === "void") index.voidFrom(record.from);
      else if (record.kind === "hidden") index.lost(LAST_SLOT);
      else index.chosen(record.upTo);
    }
    this.chosenUpTo = index.chosenAfter(0);
    this.#watermark = index.watermark;
    this.#lostUpTo = index.lostUpTo;
    this.#faulty = index.faultyAfter(this.chosenUpTo);
    this.#shown = index.slotsAfter(0).map((slot) => {
      const state = index.state(slot);
      const record = log[index.position(slot).offset]!;
      const value = state !== FAULTY && "value" in record ? record.value : NOOP;
      return { slot, state, ballot: index.ballot(slot), value };
    });
  }

  /** A6: the promise is also the highest of all ballots in the log. */
  write(promise: Ballot, records: readonly LogRecord[]): LittleDisk {
    let promised = Math.max(this.promised, promise);
    for (const record of records) {
      if (record.kind === "accepted" || record.kind === "void") promised = Math.max(promised, record.ballot);
    }
    return new LittleDisk(promised, [...this.log, ...records]);
  }

  /** The end of the log is damaged: it cannot be told in which slots there were votes. */
  hideEnd(): LittleDisk {
    return new LittleDisk(this.promised, [...this.log, { kind: "hidden" }]);
  }

  /** What the log shows, as text: logs that show the same are the same to every reader. */
  describe(textOf: (value: Value) => string): string {
    const slots = this.#shown.map((s) => `${s.slot}:${s.state}:${s.ballot}:${textOf(s.value)}`);
    return `${this.promised} ${this.#watermark} ${this.#lostUpTo} ${slots.join(" ")}`;
  }

  /** The values that the log shows as chosen, from `fromSlot` on, up to the first gap. */
  chosenFrom(fromSlot: Slot): ChosenEntry[] {
    const entries: ChosenEntry[] = [];
    for (const { slot, state, value } of this.#shown) {
      if (slot === fromSlot + entries.length && state === CHOSEN) entries.push({ slot, value });
    }
    return entries;
  }

  /** What a replica starts from whose machine executes again all that the log shows as chosen. */
  recover(): RecoveredState {
    const { promised, chosenUpTo } = this;
    const accepted: Accepted[] = [];
    const learned: ChosenEntry[] = [];
    for (const { slot, state, ballot, value } of this.#shown) {
      if (slot <= chosenUpTo) continue;
      if (state === VOTE) accepted.push({ slot, ballot, value });
      else if (state === CHOSEN) learned.push({ slot, value });
    }
    const faulty = [...this.#faulty];
    const recovered = { promised, chosenUpTo, compactedUpTo: 0, accepted, learned, faulty, damaged: 0 };
    return recoveredState(recovered, chosenUpTo);
  }
}
