// How far the log is compacted, and with which segment it may begin. Rule: a segment goes only when every slot that any
// record in it, or before it, speaks of is compacted: damaged records are known by their own bytes alone (A4, A5).
import type { Slot } from "../paxos/ballot.js";
import type { Manifest } from "./promise-file.js";

/** A segment that the log may begin with. */
export interface SegmentStart {
  readonly segment: number;
  /** Number of the batch before its first one. */
  readonly sequence: number;
  /** No record of an earlier segment, readable or not, speaks of a slot above it. */
  readonly spokenUpTo: Slot;
}

/** Of a segment: its file, and the batches in it. */
export interface SegmentSize {
  readonly bytes: number;
  readonly used: number;
}

const MOST_IN_FILES = 4;

interface Waiter {
  readonly upTo: Slot;
  resolve(): void;
  reject(error: Error): void;
}

export class Compaction {
  /** As both copies of the promise say it. */
  #durable: Manifest;
  /** What was asked for; at least what is durable. */
  #wanted: Slot;
  /** The copies are to be written once more, though they say nothing new. */
  #isRestated: boolean;
  /** Where the log may begin later than it does, ascending. */
  #starts: SegmentStart[];
  #waiters: Waiter[];
  /** What who asks is told, for nothing is taken any more; null: it is. */
  #refusal: ((upTo: Slot) => Error) | null;

  constructor(durable: Manifest, starts: readonly SegmentStart[]) {
    this.#durable = durable;
    this.#wanted = durable.compactedUpTo;
    this.#isRestated = false;
    this.#starts = starts.filter(({ segment }) => segment > durable.lowest);
    this.#waiters = [];
    this.#refusal = null;
  }

  get compactedUpTo(): Slot {
    return this.#durable.compactedUpTo;
  }

  /** More was asked for than is durable, or that once more. */
  get isDue(): boolean {
    return this.#isRestated || this.#wanted > this.#durable.compactedUpTo;
  }

  /** A new segment is the active one. */
  began(start: SegmentStart): void {
    this.#starts.push(start);
  }

  /** No record that counts speaks of a slot above `maxSlot`: what damage hides there is void. */
  lower(maxSlot: Slot): void {
    this.#starts = lowered(this.#starts, maxSlot);
  }

  restate(): void {
    this.#isRestated = this.#refusal === null;
  }

  request(upTo: Slot): Promise<void> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal(upTo));
    if (upTo <= this.compactedUpTo) return Promise.resolve();
    this.#wanted = Math.max(this.#wanted, upTo);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ upTo, resolve, reject });
    });
  }

  /** What the copies of the promise have to say next. */
  get next(): Manifest {
    let { lowest, sequence } = this.#durable;
    for (const start of this.#starts) {
      if (start.spokenUpTo <= this.#wanted) ({ segment: lowest, sequence } = start);
    }
    return { lowest, sequence, compactedUpTo: this.#wanted };
  }

  /** Both copies say it. */
  written(manifest: Manifest): void {
    this.#durable = manifest;
    this.#isRestated = false;
    this.#starts = this.#starts.filter(({ segment }) => segment > manifest.lowest);
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ upTo }) => upTo > manifest.compactedUpTo);
    for (const { upTo, resolve } of waiters) if (upTo <= manifest.compactedUpTo) resolve();
  }

  /** Takes no more; what was asked for before goes on. */
  close(): void {
    this.#isRestated = false;
    this.#refusal ??= (upTo) => notCompacted(upTo, "the log is closed");
  }

  fail(error: Error): void {
    this.#end((upTo) => notCompacted(upTo, `the log has failed: ${error.message}`));
  }

  /** The log has ended without room, which is no failure. */
  giveUp(error: Error): void {
    this.#end(() => error);
  }

  #end(refusal: (upTo: Slot) => Error): void {
    this.#refusal = refusal;
    for (const { upTo, reject } of this.#waiters) reject(refusal(upTo));
    this.#waiters = [];
  }

  /**
   * The slot to compact up to so that as many segments go as can, of those that speak of nothing above `heldUpTo`, and
   * `tailBytes` of batches, the slots of which can all be read still, are left, or four times as much in files, which
   * short lives leave nearly empty; 0: none would go.
   */
  compactable(heldUpTo: Slot, tailBytes: number, sizes: ReadonlyMap<number, SegmentSize>): Slot {
    const { lowest } = this.next;
    let inFiles = 0;
    let inBatches = 0;
    for (const { bytes, used } of sizes.values()) {
      inFiles += bytes;
      inBatches += used;
    }
    let slot = 0;
    let at = 0;
    for (const [segment, { bytes, used }] of sizes) {
      while (at < this.#starts.length && this.#starts[at]!.segment < segment) at += 1;
      const start = this.#starts[at];
      if (start?.segment === segment && segment > lowest) {
        const isTail = inBatches < tailBytes && inFiles < MOST_IN_FILES * tailBytes;
        if (isTail || start.spokenUpTo > heldUpTo) break;
        slot = start.spokenUpTo;
      }
      inFiles -= bytes;
      inBatches -= used;
    }
    return slot;
  }
}

export function lowered(starts: readonly SegmentStart[], maxSlot: Slot): SegmentStart[] {
  return starts.map((start) => ({ ...start, spokenUpTo: Math.min(start.spokenUpTo, maxSlot) }));
}

function notCompacted(upTo: Slot, why: string): Error {
  return new Error(`the log is not compacted up to slot ${upTo}, for ${why}; start the replica again`);
}
