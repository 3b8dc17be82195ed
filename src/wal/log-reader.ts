// Reads values known chosen back from the segments, many with one read; every value is checked against its checksum.
import { crc32 } from "../base/crc32.js";
import type { Slot } from "../paxos/ballot.js";
import type { ChosenEntry } from "../paxos/message.js";
import type { Value } from "../paxos/value.js";
import type { SegmentFiles } from "./segment-files.js";
import { CHOSEN, type Position, type SlotIndex } from "./slot-index.js";

/** Most bytes of one read, other records between those that are wanted included. */
const READ_BYTES = 1024 * 1024;

export class LogReader {
  readonly #index: SlotIndex;
  readonly #segments: SegmentFiles;
  readonly #onDamaged: (slot: Slot) => void;
  /** Values that could not be read: damaged after they were written. */
  damaged: number;

  /** `onDamaged`: the value of a slot known chosen cannot be read. */
  constructor(index: SlotIndex, segments: SegmentFiles, onDamaged: (slot: Slot) => void) {
    this.#index = index;
    this.#segments = segments;
    this.#onDamaged = onDamaged;
    this.damaged = 0;
  }

  /** Values known chosen of the slots from `from` on, up to the first that is not, or is damaged; one at least. */
  async readChosen(from: Slot, maxBytes: number): Promise<ChosenEntry[]> {
    const entries: ChosenEntry[] = [];
    let left = maxBytes;
    for (let slot = from; this.#index.state(slot) === CHOSEN; ) {
      const run = this.#run(slot, left, entries.length === 0);
      if (run.length === 0) break;
      const values = await this.#values(run);
      for (const value of values) {
        entries.push({ slot, value });
        left -= value.length;
        slot += 1;
      }
      if (values.length < run.length) {
        this.#isDamaged(slot, run[values.length]!);
        break;
      }
    }
    return entries;
  }

  /** Checks values known chosen from slot `from` on, up to `upTo`, about `maxBytes` of them. */
  async check(from: Slot, upTo: Slot, maxBytes: number): Promise<{ next: Slot; bytes: number }> {
    let slot = Math.max(from, this.#index.compactedUpTo + 1);
    while (slot <= upTo && this.#index.state(slot) !== CHOSEN) slot += 1;
    if (slot > upTo) return { next: slot, bytes: 0 };
    const run = this.#run(slot, maxBytes, true);
    const values = await this.#values(run);
    let bytes = 0;
    for (const value of values) bytes += value.length;
    if (values.length === run.length) return { next: slot + run.length, bytes };
    this.#isDamaged(slot + values.length, run[values.length]!);
    return { next: slot + values.length + 1, bytes };
  }

  /** Unless the slot was compacted while it was read, and its file may be gone. */
  #isDamaged(slot: Slot, { segment, offset }: Position): void {
    if (this.#index.state(slot) !== CHOSEN || this.#segments.isClosed) return;
    const now = this.#index.position(slot);
    if (now.segment === segment && now.offset === offset) this.#onDamaged(slot);
  }

  /** The value of a slot that has one; null: damaged. */
  async readOne(slot: Slot): Promise<Value | null> {
    return (await this.#values([this.#index.position(slot)]))[0] ?? null;
  }

  /** Positions of consecutive chosen slots that one read covers, their values within `maxBytes`. */
  #run(from: Slot, maxBytes: number, atLeastOne: boolean): Position[] {
    const run: Position[] = [];
    let bytes = 0;
    let first: Position | null = null;
    let end = 0;
    for (let slot = from; this.#index.state(slot) === CHOSEN; slot += 1) {
      const position = this.#index.position(slot);
      bytes += position.length;
      if (bytes > maxBytes && !(atLeastOne && first === null)) break;
      if (first !== null) {
        const near = position.segment === first.segment && position.offset >= end;
        if (!near || position.offset + position.length - first.offset > READ_BYTES) break;
      }
      first ??= position;
      end = position.offset + position.length;
      run.push(position);
    }
    return run;
  }

  /** The values at `run`, up to the first damaged one. */
  async #values(run: readonly Position[]): Promise<Value[]> {
    const values: Value[] = [];
    const start = run[0]!.offset;
    const last = run[run.length - 1]!;
    const bytes = await this.#segments.read(last.segment, start, last.offset + last.length - start);
    if (bytes === null) return values;
    for (const { offset, length, crc } of run) {
      let value = bytes.subarray(offset - start, offset - start + length);
      // A sector before it cannot be read, perhaps one of no value of the run: nobody has tried to read this one yet.
      if (value.length !== length && offset > start)
        value = (await this.#segments.read(last.segment, offset, length)) ?? value;
      if (value.length !== length || crc32(value) !== crc) {
        this.damaged += 1;
        break;
      }
      values.push(value);
    }
    return values;
  }
}
