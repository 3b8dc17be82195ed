// Where in the log the record of each slot is, and what the log shows for it: a vote, a value known chosen, or
// damage. Columns in pages of typed arrays; fed in log order, by recovery and by every synced batch (L5, A4).
import { type Ballot, LAST_SLOT, type Slot } from "../paxos/ballot.js";
import type { Faulty } from "../paxos/message.js";

/** Slots of a page: so few that a log of little does not ask for much. */
const PAGE = 256;

export const NOTHING = 0;
/** The last record is a vote, and nothing after it says that its value is chosen. */
export const VOTE = 1;
/** The record holds the chosen value. */
export const CHOSEN = 2;
/** A record after the last readable one is damaged. */
export const FAULTY = 3;

class Page {
  readonly state = new Uint8Array(PAGE);
  readonly segment = new Uint32Array(PAGE);
  readonly offset = new Uint32Array(PAGE);
  readonly length = new Uint32Array(PAGE);
  readonly crc = new Uint32Array(PAGE);
  readonly ballot = new Float64Array(PAGE);
}

/** Where a value is: segment, offset in it, length and checksum. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

export class SlotIndex {
  readonly #pages: Map<number, Page>;
  /** Slots at or below the watermark that got a vote after it: a later watermark may fix them. */
  readonly #reopened: Set<Slot>;
  /** Highest `chosen` record seen. */
  watermark: Slot;
  /** Up to here a slot without any record may have lost one. */
  lostUpTo: Slot;
  /** Slots up to it are gone: nothing is kept of them, whatever the log still has or gets (A5). */
  compactedUpTo: Slot;

  constructor() {
    this.#pages = new Map();
    this.#reopened = new Set();
    this.watermark = 0;
    this.lostUpTo = 0;
    this.compactedUpTo = 0;
  }

  #page(slot: Slot): Page {
    const number = Math.floor(slot / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Page();
      this.#pages.set(number, page);
    }
    return page;
  }

  state(slot: Slot): number {
    return this.#pages.get(Math.floor(slot / PAGE))?.state[slot % PAGE] ?? NOTHING;
  }

  ballot(slot: Slot): Ballot {
    return this.#pages.get(Math.floor(slot / PAGE))?.ballot[slot % PAGE] ?? 0;
  }

  position(slot: Slot): Position {
    const page = this.#page(slot);
    const at = slot % PAGE;
    return {
      segment: page.segment[at]!,
      offset: page.offset[at]!,
      length: page.length[at]!,
      crc: page.crc[at]!,
    };
  }

  #put(
    slot: Slot,
    state: number,
    ballot: Ballot,
    segment: number,
    offset: number,
    length: number,
    crc: number,
  ) {
    if (slot <= this.compactedUpTo) return;
    const page = this.#page(slot);
    const at = slot % PAGE;
    page.state[at] = state;
    page.ballot[at] = ballot;
    page.segment[at] = segment;
    page.offset[at] = offset;
    page.length[at] = length;
    page.crc[at] = crc;
  }

  accepted(slot: Slot, ballot: Ballot, segment: number, offset: number, length: number, crc: number): void {
    // The value of a chosen slot is fixed: a late vote in it is of no account (F1, L5).
    if (this.state(slot) === CHOSEN) return;
    this.#put(slot, VOTE, ballot, segment, offset, length, crc);
    if (slot <= this.watermark && slot > this.compactedUpTo) this.#reopened.add(slot);
  }

  learned(slot: Slot, segment: number, offset: number, length: number, crc: number): void {
    this.#put(slot, CHOSEN, 0, segment, offset, length, crc);
  }

  /** L5: the vote that the log shows in each slot up to `upTo` is for the chosen value. */
  chosen(upTo: Slot): void {
    for (const slot of this.#reopened) {
      if (slot > upTo) continue;
      this.#fix(slot);
      this.#reopened.delete(slot);
    }
    this.restate(upTo);
  }

  /** As `chosen`, but votes cast after the watermark passed their slot stay votes. */
  restate(upTo: Slot): void {
    if (upTo <= this.watermark) return;
    const first = Math.floor((this.watermark + 1) / PAGE);
    const last = Math.floor(upTo / PAGE);
    if (last - first < this.#pages.size) {
      for (let number = first; number <= last; number += 1) this.#fixPage(number, upTo);
    } else {
      for (const number of this.#pages.keys()) {
        if (number >= first && number <= last) this.#fixPage(number, upTo);
      }
    }
    this.watermark = upTo;
  }

  #fixPage(number: number, upTo: Slot): void {
    if (!this.#pages.has(number)) return;
    const from = Math.max(number * PAGE, this.watermark + 1);
    const to = Math.min(number * PAGE + PAGE - 1, upTo);
    for (let slot = from; slot <= to; slot += 1) this.#fix(slot);
  }

  #fix(slot: Slot): void {
    const page = this.#page(slot);
    if (page.state[slot % PAGE] === VOTE) page.state[slot % PAGE] = CHOSEN;
  }

  /** A record of `slot` cannot be read; `ballot` 0: not known. A value known chosen before it stays what it is. */
  damaged(slot: Slot, ballot: Ballot): void {
    if (this.state(slot) === CHOSEN) return;
    this.#put(slot, FAULTY, ballot, 0, 0, 0, 0);
    this.#reopened.delete(slot);
  }

  /** The value of `slot` was not handed over after all. */
  forget(slot: Slot, ballot: Ballot): void {
    this.#put(slot, FAULTY, ballot, 0, 0, 0, 0);
  }

  /** Records of slots up to `upTo` are lost, it is not known of which: all not known chosen are faulty. */
  lost(upTo: Slot): void {
    for (const page of this.#pages.values()) {
      for (let at = 0; at < PAGE; at += 1) {
        if (page.state[at] !== VOTE && page.state[at] !== FAULTY) continue;
        page.state[at] = FAULTY;
        page.ballot[at] = 0;
      }
    }
    this.#reopened.clear();
    this.lostUpTo = Math.max(this.lostUpTo, upTo);
  }

  /** What damage hides in slots from `from` on is void. */
  voidFrom(from: Slot): void {
    for (const [number, page] of this.#pages) {
      for (let at = 0; at < PAGE; at += 1) {
        if (number * PAGE + at < from || page.state[at] !== FAULTY) continue;
        page.state[at] = NOTHING;
        page.ballot[at] = 0;
      }
    }
    this.lostUpTo = Math.min(this.lostUpTo, from - 1);
  }

  /** The highest slot of which there is any record; 0: none. */
  get highest(): Slot {
    return this.slotsAfter(0).at(-1) ?? 0;
  }

  /** All slots up to `upTo` are chosen, and their values in the state of the machine: nothing here speaks of them. */
  compact(upTo: Slot): void {
    if (upTo <= this.compactedUpTo) return;
    this.compactedUpTo = upTo;
    this.watermark = Math.max(this.watermark, upTo);
    const last = Math.floor(upTo / PAGE);
    for (const number of this.#pages.keys()) if (number < last) this.#pages.delete(number);
    this.#pages.get(last)?.state.fill(NOTHING, 0, (upTo % PAGE) + 1);
    this.#pages.get(last)?.ballot.fill(0, 0, (upTo % PAGE) + 1);
    for (const slot of this.#reopened) if (slot <= upTo) this.#reopened.delete(slot);
  }

  /** L5: the highest slot up to `appliedUpTo` whose chosen value is not here. */
  hiddenUpTo(appliedUpTo: Slot): Slot {
    let slot = appliedUpTo;
    while (slot > this.compactedUpTo && this.state(slot) === CHOSEN) slot -= 1;
    return Math.max(slot, this.compactedUpTo);
  }

  /** The last slot of the unbroken row of values known chosen that follows `slot`. */
  chosenAfter(slot: Slot): Slot {
    let last = slot;
    while (this.state(last + 1) === CHOSEN) last += 1;
    return last;
  }

  /** Slots after `slot` that have a record, ascending. */
  slotsAfter(slot: Slot): Slot[] {
    const slots: Slot[] = [];
    for (const number of [...this.#pages.keys()].sort((a, b) => a - b)) {
      const page = this.#pages.get(number)!;
      for (let at = 0; at < PAGE; at += 1) {
        const found = number * PAGE + at;
        if (found > slot && page.state[at] !== NOTHING) slots.push(found);
      }
    }
    return slots;
  }

  /** A4: every slot after `chosenUpTo` of which a record may be lost, as ranges of one ballot, ascending. */
  faultyAfter(chosenUpTo: Slot): Faulty[] {
    const ranges: { from: Slot; to: Slot; ballot: Ballot }[] = [];
    const add = (from: Slot, to: Slot, ballot: Ballot) => {
      const last = ranges.at(-1);
      if (last !== undefined && last.to === from - 1 && last.ballot === ballot) last.to = to;
      else ranges.push({ from, to, ballot });
    };
    // A slot under the watermark without any record: its value was here once, so a vote may have been too.
    const holesUpTo = Math.max(this.watermark, this.lostUpTo);
    let next = chosenUpTo + 1;
    for (const slot of this.slotsAfter(chosenUpTo)) {
      if (next <= Math.min(slot - 1, holesUpTo)) add(next, Math.min(slot - 1, holesUpTo), 0);
      if (this.state(slot) === FAULTY) add(slot, slot, this.ballot(slot));
      next = slot + 1;
    }
    if (next <= holesUpTo && next <= LAST_SLOT) add(next, holesUpTo, 0);
    return ranges;
  }
}
