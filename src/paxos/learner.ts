// The learner: which values are chosen. It hands them out in slot order, without gaps, once (L3), and keeps the
// newest in memory for replicas that catch up. Source: Lamport, "Paxos Made Simple", sections 2.3 and 3.
import { assert } from "../base/assert.js";
import type { Slot } from "./ballot.js";
import type { ChosenEntry } from "./message.js";
import { sameValue, type Value } from "./value.js";

/** Bytes of chosen values kept in memory for others; older ones are served from the log on disk. */
const RECENT_BYTES = 32 << 20;

export class Learner {
  /** Every slot up to it is known chosen here, value and all. */
  chosenUpTo: Slot;
  /** Slots up to it cannot be served from here: chosen, but their values are gone from the log. */
  compactedUpTo: Slot;
  /** Known chosen above the first gap. */
  above: Map<Slot, Value>;
  /** Chosen values from `recentFrom` to `chosenUpTo`. */
  recent: Map<Slot, Value>;
  recentFrom: Slot;
  recentBytes: number;

  constructor(chosenUpTo: Slot, compactedUpTo: Slot, above: readonly ChosenEntry[]) {
    assert(compactedUpTo <= chosenUpTo, "compactedUpTo <= chosenUpTo");
    this.chosenUpTo = chosenUpTo;
    this.compactedUpTo = compactedUpTo;
    this.above = new Map();
    for (const entry of above) if (entry.slot > chosenUpTo) this.above.set(entry.slot, entry.value);
    this.recent = new Map();
    this.recentFrom = chosenUpTo + 1;
    this.recentBytes = 0;
  }

  isChosen(slot: Slot): boolean {
    return slot <= this.chosenUpTo || this.above.has(slot);
  }

  /** The chosen value of a slot, where it is known and in memory. */
  valueOf(slot: Slot): Value | undefined {
    return slot > this.chosenUpTo ? this.above.get(slot) : this.recent.get(slot);
  }

  /** Notes that `value` is chosen in `slot`; true when that is news. */
  mark(slot: Slot, value: Value): boolean {
    const known = this.valueOf(slot);
    if (known !== undefined) assert(sameValue(known, value), `two values chosen in slot ${slot}`);
    if (this.isChosen(slot)) return false;
    this.above.set(slot, value);
    return true;
  }

  /** The next entry to execute, moved below `chosenUpTo`; undefined at the first gap. */
  next(): ChosenEntry | undefined {
    const slot = this.chosenUpTo + 1;
    const value = this.above.get(slot);
    if (value === undefined) return undefined;
    this.above.delete(slot);
    this.chosenUpTo = slot;
    this.recent.set(slot, value);
    this.recentBytes += value.length;
    while (this.recentBytes > RECENT_BYTES && this.recentFrom < slot) this.#dropOldest();
    return { slot, value };
  }

  /** The log shows nothing up to `upTo` any more. */
  compact(upTo: Slot): void {
    this.compactedUpTo = Math.max(this.compactedUpTo, Math.min(upTo, this.chosenUpTo));
    while (this.recentFrom <= this.compactedUpTo) this.#dropOldest();
  }

  #dropOldest(): void {
    this.recentBytes -= this.recent.get(this.recentFrom)?.length ?? 0;
    this.recent.delete(this.recentFrom);
    this.recentFrom += 1;
  }

  /** The state after `upTo` came without the values that made it. */
  install(upTo: Slot): void {
    assert(upTo > this.chosenUpTo, "a snapshot is void at or below chosenUpTo (A5)");
    for (const slot of this.above.keys()) if (slot <= upTo) this.above.delete(slot);
    this.chosenUpTo = upTo;
    this.compactedUpTo = upTo;
    this.recent = new Map();
    this.recentFrom = upTo + 1;
    this.recentBytes = 0;
  }

  copy(): Learner {
    const copy = Object.assign(new Learner(this.chosenUpTo, this.compactedUpTo, []), this);
    copy.above = new Map(this.above);
    copy.recent = new Map(this.recent);
    return copy;
  }
}
