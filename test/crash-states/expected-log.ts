// What a log must show, worked out in the plainest way from the turns that were appended, what is compacted, and the
// state that is held.
import { crc32 } from "../../src/base/crc32.js";
import type { Ballot, Slot } from "../../src/paxos/ballot.js";
import type { Value } from "../../src/paxos/value.js";
import type { Turn } from "./fact.js";

interface Cast {
  readonly ballot: Ballot;
  readonly value: Value;
  isChosen: boolean;
}

const nameOf = (value: Value): string => `${crc32(value).toString(16)}:${value.length}`;

/** A line for each slot; `ballot` null: the value is known chosen. */
export function describeSlot(slot: Slot, ballot: Ballot | null, value: Value): string {
  return ballot === null ? `${slot}=${nameOf(value)}` : `${slot}@${ballot}=${nameOf(value)}`;
}

export class ExpectedLog {
  readonly #slots: Map<Slot, Cast>;
  promised: Ballot;

  constructor(turns: readonly Turn[]) {
    this.#slots = new Map();
    this.promised = 0;
    for (const turn of turns) this.#add(turn);
  }

  #add({ promise, records }: Turn): void {
    this.promised = Math.max(this.promised, promise);
    for (const record of records) {
      if (record.kind === "chosen") {
        for (const [slot, cast] of this.#slots) if (slot <= record.upTo) cast.isChosen = true;
      } else if (record.kind === "learned") {
        this.#slots.set(record.slot, { ballot: 0, value: record.value, isChosen: true });
      } else if (record.kind === "accepted") {
        this.promised = Math.max(this.promised, record.ballot);
        if (this.#slots.get(record.slot)?.isChosen) continue;
        this.#slots.set(record.slot, { ballot: record.ballot, value: record.value, isChosen: false });
      }
    }
  }

  #isChosen(slot: Slot): boolean {
    return this.#slots.get(slot)?.isChosen === true;
  }

  /** L5: the highest slot up to `held` whose chosen value the log does not show; `compacted` at least. */
  hiddenUpTo(compacted: Slot, held: Slot): Slot {
    let slot = held;
    while (slot > compacted && this.#isChosen(slot)) slot -= 1;
    return Math.max(slot, compacted);
  }

  chosenAfter(slot: Slot): Slot {
    let last = slot;
    while (this.#isChosen(last + 1)) last += 1;
    return last;
  }

  /** What is shown of slots above `compactedUpTo`. */
  describe(compactedUpTo: Slot): string {
    const lines: string[] = [];
    for (const [slot, { ballot, value, isChosen }] of [...this.#slots].sort((a, b) => a[0] - b[0])) {
      if (slot > compactedUpTo) lines.push(describeSlot(slot, isChosen ? null : ballot, value));
    }
    return lines.join(" ");
  }
}
