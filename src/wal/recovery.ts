// Reads the log back (design 2.10, A4, L5): which batches there are, which were synced, what damage hides. It changes
// nothing on disk.
//
// Why a batch with an ordinary batch after it was synced: one batch is under way at a time, so the life that wrote the
// second one had seen the sync of the first succeed, and a life ends at the first failure. Of the last batch nothing is
// known: it may have been read back from memory that no disk has seen. A new life therefore writes its records again,
// in the batch that opens it. That batch proves nothing about those that it restates, and needs none of them.
//
// A new life also decides, once and for all, what became of the end: a torn batch is cut by giving its sequence number
// to the batch that opens the new life; an undecidable one is kept as damage by leaving its number out.
import { crc32 } from "../base/crc32.js";
import { type Ballot, LAST_SLOT, type Slot } from "../paxos/ballot.js";
import { lowered, type SegmentStart } from "./compaction.js";
import { DataDirectoryError } from "./data-directory-error.js";
import type { Manifest } from "./promise-file.js";
import {
  type BatchHeader,
  FLAG_CLEAN,
  FLAG_PREVIOUS_UNKNOWN,
  firstNonZero,
  isListIntact,
  isTorn,
  KIND_ACCEPTED,
  KIND_CHOSEN,
  KIND_LEARNED,
  KIND_VOID,
  KIND_WATERMARK,
  type ListEntry,
  listEntry,
  readHeader,
  readList,
  readRepeat,
  SECTOR,
  sinceOf,
  valuesOf,
  type WalRecord,
} from "./record-codec.js";
import { FIRST_BATCH, segmentName } from "./segment-files.js";
import { CHOSEN, SlotIndex, VOTE } from "./slot-index.js";
import { spoil } from "./spoil.js";
import { type Hole, isBesideHole } from "./unreadable.js";

/** A batch with a readable header, and the segment that it is in. */
interface Batch {
  readonly header: BatchHeader;
  readonly bytes: Uint8Array;
  /** Sectors of it cannot be read. */
  readonly hasHole: boolean;
}

/** A place of the log that cannot be read. */
export interface DamagedPlace {
  readonly segment: number;
  /** Of the value; of the batch whose lists are lost; of the batch before which others are missing; of what is left. */
  readonly offset: number;
  readonly what: "value" | "lists" | "batches" | "end";
  /** Of the value, or of the records that were there, as the next batch repeats them; null: nobody knows. */
  readonly slots: readonly Slot[] | null;
}

/** What the next batch is linked to, and what it has to say again. */
export interface LogEnd {
  /** Sequence number of the next batch. */
  readonly sequence: number;
  readonly link: number;
  readonly maxSlot: Slot;
  /** How many batches before the next one are wholly in `unproven`. */
  readonly restates: number;
  /** What the batch before lists; null: not known. */
  readonly previous: readonly ListEntry[] | null;
  /** What the last batch, not proven synced, adds to the log, as records that say the same when written again. */
  readonly unproven: readonly WalRecord[];
  /** Closed in good order: the segment and the offset at which to go on. */
  readonly clean: { readonly segment: number; readonly offset: number } | null;
}

export class Recovery {
  readonly index: SlotIndex;
  /** The highest ballot of any record. */
  ballot: Ballot;
  /** Batches, or parts of them, that could not be read. */
  damaged: number;
  /** What of the log is damaged, in its order; for people. */
  readonly places: DamagedPlace[];
  /** Segments whose first batch is part of the log: it may begin with them. */
  starts: SegmentStart[];
  /** From here on what damage hid is void, as far as the log says so last (A8); 0: it does not say so. */
  voidFrom: Slot;
  /** The last batch of which anything is damaged; 0: none. */
  #damagedAt: number;
  #sequence: number;
  #link: number;
  #maxSlot: Slot;
  /** What the last batch lists is known. */
  #isLastKnown: boolean;
  /** That batch is lost, and this is what the one after it repeats of its list. */
  #lastRepeat: readonly ListEntry[] | null;
  #lastBatch: Batch | null;
  /** Not taken yet, for not proven synced: one batch, and after it those of lives that restated it. */
  readonly #pending: Batch[];
  /** Nothing of the last batch taken is lost. */
  #isWhole: boolean;
  /** What lies behind the last readable header: nothing, a batch never synced, or who knows. */
  #tail: "zero" | "torn" | "undecidable";
  /** Where its first trace is. */
  #tailAt: { readonly segment: number; readonly offset: number };

  constructor({ sequence, compactedUpTo }: Manifest) {
    this.index = new SlotIndex();
    this.index.compact(compactedUpTo);
    this.ballot = 0;
    this.damaged = 0;
    this.places = [];
    this.starts = [];
    this.voidFrom = 0;
    this.#damagedAt = 0;
    this.#sequence = sequence;
    this.#link = 0;
    this.#maxSlot = compactedUpTo;
    this.#isLastKnown = true;
    this.#lastRepeat = null;
    this.#lastBatch = null;
    this.#pending = [];
    this.#isWhole = false;
    this.#tail = "zero";
    this.#tailAt = { segment: 0, offset: 0 };
  }

  /** The segments of the log come here one by one, in order; returns how many bytes of batches can be found in it. */
  segment(index: number, bytes: Uint8Array, opensLife: boolean, holes: readonly Hole[] = []): number {
    let at = FIRST_BATCH;
    let used = 0;
    let expected = true;
    while (at < bytes.length) {
      const header = readHeader(bytes, at, index);
      if (header !== null) {
        const end = header.offset + header.length;
        const batch = end > bytes.length ? padded(bytes, end) : bytes;
        this.#take({ header, bytes: batch, hasHole: holes.length > 0 && spoil(batch, header, holes) });
        this.#tail = "zero";
        at = end;
        used += header.length;
        expected = true;
        continue;
      }
      const next = firstNonZero(bytes, at);
      if (next < 0) break;
      // The first sector of a batch is never zero: where the next batch had to be, it says whether one was synced. One
      // that cannot be read is not zero either, and so it may have been; and zeros beside such a one say nothing.
      const torn = expected && next >= at + SECTOR && !isBesideHole(holes, at);
      // Of a batch that opens a life a trace says nothing of the batch before: it was not synced first.
      const isTrace = !(torn && opensLife && at === FIRST_BATCH);
      if (expected && isTrace && this.#tail !== "undecidable") {
        this.#tail = torn ? "torn" : "undecidable";
        this.#tailAt = { segment: index, offset: next };
      }
      expected = false;
      at = Math.max(at + SECTOR, next - (next % SECTOR));
    }
    return used;
  }

  #take(batch: Batch): void {
    const pending = this.#pending;
    const { sequence, link, restates } = batch.header;
    // A number again: a later life has cut what had it. Not linked to its predecessor: that was cut too, and the first
    // batch of that later life is lost.
    while (pending.length > 0 && pending.at(-1)!.header.sequence >= sequence) pending.pop();
    const before = pending.at(-1)?.header;
    if (before !== undefined && sequence === before.sequence + 1 && link !== before.crc) pending.pop();
    // Those that the batch does not restate were synced before it was written.
    while (pending.length > 0 && pending[0]!.header.sequence < sequence - restates)
      this.#settle(pending.shift()!);
    if (sequence <= this.#sequence) {
      throw new DataDirectoryError(
        `${segmentName(batch.header.segment)}, offset ${batch.header.offset}: batch ${sequence} comes after batch ` +
          `${this.#sequence}; the files are not of one log, restore all of them or replace the replica's id`,
      );
    }
    pending.push(batch);
  }

  /** Takes a batch into the log, with what its number and its repeat say about those before it. */
  #settle(batch: Batch): void {
    const { header, bytes } = batch;
    const isReadable = isListIntact(bytes, header);
    this.#settleGap(batch, isReadable);
    // Not when it was read: one that was cut has a number that a later life gives again, in a later segment.
    if (header.offset === FIRST_BATCH) this.#start(header);
    this.#sequence = header.sequence;
    this.#link = header.crc;
    this.#maxSlot = header.maxSlot;
    this.#isLastKnown = isReadable;
    this.#lastRepeat = null;
    this.#lastBatch = batch;
    this.#isWhole = false;
    if (!isReadable) {
      this.#noteDamage(header, header.offset, "lists", null);
      return;
    }
    let offset = valuesOf(header);
    let broken = false;
    // Entry by entry, for there are as many as the log has records.
    for (let i = 0; i < header.records; i += 1) {
      const entry = listEntry(bytes, header, i);
      const readable = crc32(bytes, 0, offset, offset + entry.length) === entry.crc;
      if (!readable) this.#damageValue(entry, header, offset);
      else if (entry.kind === KIND_VOID) this.#void(entry, header, sinceOf(bytes, offset));
      else this.#apply(entry, header.segment, offset);
      broken ||= !readable;
      offset += entry.length;
    }
    if (broken) this.damaged += 1;
    this.#isWhole = !broken;
  }

  #damageValue(entry: ListEntry, header: BatchHeader, offset: number): void {
    this.#damagedAt = header.sequence;
    this.#damage(entry);
    this.#noteDamage(header, offset, "value", entry.kind === KIND_VOID ? null : [entry.slot]);
  }

  /**
   * A8. The life that wrote it, whose first batch is number `since`, knew all that is hidden before that to be void. Of
   * what is hidden since then it knew nothing but that it is no higher than its header says.
   */
  #void({ slot: from, ballot }: ListEntry, { maxSlot }: BatchHeader, since: number): void {
    this.ballot = Math.max(this.ballot, ballot);
    this.voidFrom = this.#damagedAt < since ? from : Math.max(from, maxSlot + 1);
    this.index.voidFrom(this.voidFrom);
    this.starts = lowered(this.starts, maxSlot);
  }

  #noteDamage(
    { segment }: { readonly segment: number },
    offset: number,
    what: DamagedPlace["what"],
    slots: readonly Slot[] | null,
  ): void {
    this.places.push({ segment, offset, what, slots });
  }

  #start({ segment, sequence, maxSlot }: BatchHeader): void {
    const spokenUpTo = Math.max(maxSlot, this.index.watermark);
    this.starts.push({ segment, sequence: sequence - 1, spokenUpTo });
  }

  /** Batches that were written between the last one taken and this one, or whose lists are lost. */
  #settleGap({ header, bytes }: Batch, isReadable: boolean): void {
    // What it restates may be missing: all of it is in this batch.
    const needed = header.sequence - 1 - header.restates;
    const missing = needed - this.#sequence + (!this.#isLastKnown && this.#sequence <= needed ? 1 : 0);
    if (missing <= 0) return;
    this.damaged += 1;
    this.#damagedAt = Math.max(this.#damagedAt, needed);
    const repeats = isReadable && header.restates === 0 && (header.flags & FLAG_PREVIOUS_UNKNOWN) === 0;
    const tied = missing === 1 && repeats;
    if (!tied) this.index.lost(header.maxSlot);
    const repeat = repeats ? readRepeat(bytes, header) : [];
    for (const entry of repeat) this.#damage(entry);
    const slots = tied ? repeat.map(({ slot }) => slot) : null;
    this.#noteDamage(header, header.offset, "batches", slots);
    this.#isLastKnown = tied;
    this.#lastRepeat = repeat;
    this.#isWhole = false;
  }

  #apply(entry: ListEntry, segment: number, offset: number): void {
    if (entry.kind === KIND_CHOSEN) {
      this.index.chosen(entry.slot);
    } else if (entry.kind === KIND_ACCEPTED) {
      this.ballot = Math.max(this.ballot, entry.ballot);
      this.index.accepted(entry.slot, entry.ballot, segment, offset, entry.length, entry.crc);
    } else if (entry.kind === KIND_WATERMARK) {
      this.index.restate(entry.slot);
    } else if (entry.kind === KIND_LEARNED) {
      this.index.learned(entry.slot, segment, offset, entry.length, entry.crc);
    } else {
      throw new DataDirectoryError(
        `${segmentName(segment)} has a record of kind ${entry.kind}, this version knows 1 to ${KIND_VOID}: ` +
          "start a version that knows it",
      );
    }
  }

  #damage(entry: ListEntry): void {
    if (entry.kind !== KIND_ACCEPTED && entry.kind !== KIND_LEARNED) return;
    this.ballot = Math.max(this.ballot, entry.ballot);
    this.index.damaged(entry.slot, entry.ballot);
  }

  /** What lies behind the last batch was never synced: the replica was stopped while it wrote. */
  get isTorn(): boolean {
    return this.#tail === "torn";
  }

  /** After the last segment. */
  finish(): LogEnd {
    const pending = this.#pending;
    const newest = pending.at(-1) ?? null;
    // A trace of a batch behind the last one proves that the last one was synced; else a hole in it proves that not,
    // and the one before it, which it restated, may not have been either.
    while (this.#tail === "zero" && pending.length > 0 && this.#isUnsynced(pending.at(-1)!)) {
      const cut = pending.pop()!;
      if (pending.length === 0) this.#cut(cut);
    }
    for (const batch of pending) this.#settle(batch);
    const undecidable = this.#tail === "undecidable";
    if (!this.#isLastKnown) this.index.lost(this.#maxSlot);
    if (undecidable) {
      this.damaged += 1;
      this.#noteDamage(this.#tailAt, this.#tailAt.offset, "end", null);
      this.index.lost(LAST_SLOT);
    }
    const last = this.#lastBatch;
    const clean = last !== null && last === newest && this.#tail === "zero" && this.#isLastKnown;
    return {
      sequence: this.#sequence + (undecidable ? 2 : 1),
      link: undecidable ? 0 : this.#link,
      maxSlot: undecidable ? LAST_SLOT : this.#maxSlot,
      restates: last !== null && this.#isWhole && !undecidable ? last.header.restates + 1 : 0,
      previous: undecidable || !this.#isLastKnown ? null : this.#previous(),
      unproven: last === null ? [] : this.#restated(last),
      clean: clean && (last.header.flags & FLAG_CLEAN) !== 0 ? endOf(last.header) : null,
    };
  }

  #previous(): readonly ListEntry[] | null {
    if (this.#lastRepeat !== null) return this.#lastRepeat;
    return this.#lastBatch === null ? [] : readList(this.#lastBatch.bytes, this.#lastBatch.header);
  }

  /** Drops the last batch, but not what it says about those before it: they were synced when it was written. */
  #cut(batch: Batch): void {
    const { header, bytes } = batch;
    this.#settleGap(batch, isListIntact(bytes, header));
    // What it restated was not synced either; what it did not restate was, and keeps its number, readable or not.
    const needed = header.sequence - 1 - header.restates;
    if (needed <= this.#sequence) return;
    this.#sequence = needed;
    this.#link = header.restates === 0 ? header.link : 0;
    this.#maxSlot = Math.max(this.#maxSlot, header.maxSlot);
  }

  /** The records of `batch` that still hold; a vote that damage has outdated must not be written again (F9). */
  #restated({ header, bytes }: Batch): WalRecord[] {
    const index = this.index;
    const records: WalRecord[] = [];
    // First, so that it does not fix a vote that was cast after the watermark.
    if (index.watermark > 0) records.push({ kind: "watermark", upTo: index.watermark });
    let offset = valuesOf(header);
    for (const { kind, slot, ballot, length, crc } of readList(bytes, header) ?? []) {
      const state = index.state(slot);
      if (kind === KIND_VOID) {
        const holds = crc32(bytes, 0, offset, offset + length) === crc;
        if (holds) records.push({ kind: "voidAgain", from: slot, ballot, since: sinceOf(bytes, offset) });
      } else if (state === VOTE || state === CHOSEN) {
        const position = index.position(slot);
        if (position.segment === header.segment && position.offset === offset && length === position.length) {
          const value = bytes.subarray(offset, offset + length);
          if (state === CHOSEN) records.push({ kind: "learned", slot, value });
          else records.push({ kind: "accepted", slot, ballot, value });
        }
      }
      offset += length;
    }
    return records;
  }

  /** Whether the last batch is damaged because a part of it never reached the disk. */
  #isUnsynced(batch: Batch): boolean {
    const { header, bytes, hasHole } = batch;
    // What zeros beside a sector that cannot be read say of a write counts no more.
    if (hasHole) return false;
    const list = readList(bytes, header);
    if (list === null) return isTorn(bytes, header);
    let offset = valuesOf(header);
    for (const { length, crc } of list) {
      if (crc32(bytes, 0, offset, offset + length) !== crc) return isTorn(bytes, header);
      offset += length;
    }
    return false;
  }
}

function endOf(header: BatchHeader): { segment: number; offset: number } {
  return { segment: header.segment, offset: header.offset + header.length };
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const longer = new Uint8Array(length);
  longer.set(bytes);
  return longer;
}
