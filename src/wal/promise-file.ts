// The promise in two checksummed copies, apart from the log and from each other (A6): one is written and synced, then
// the other. Beside the promise they say which segments the log has, so that a missing one is noticed, and what of the
// log is compacted, so that what is gone is not taken for lost (A5).
import { assert } from "../base/assert.js";
import { crc32 } from "../base/crc32.js";
import type { Ballot, Slot } from "../paxos/ballot.js";
import { DataDirectoryError } from "./data-directory-error.js";
import type { Disk, DiskCallback, DiskFile } from "./disk.js";
import { UnderWay } from "./under-way.js";
import { readIntact } from "./unreadable.js";

export const PROMISE_NAMES = ["promise-a", "promise-b"] as const;
const MAGIC = 0x504e5953;
const FORMAT = 2;
/** It has no compaction; its fields are the first ones of format 2. */
const FORMAT_WITHOUT_COMPACTION = 1;
const BYTES = 512;

/** With what the log begins. None of these numbers ever falls. */
export interface Manifest {
  /** The first segment; 0: there is none yet. */
  readonly lowest: number;
  /** Number of the batch before the first one of segment `lowest`. */
  readonly sequence: number;
  /** Slots up to it are gone from the log: chosen, and in the state of the machine. */
  readonly compactedUpTo: Slot;
}

export interface PromiseState extends Manifest {
  readonly promised: Ballot;
  /** Every segment from `lowest` to `highest` exists; 0 and 0: there is none yet. */
  readonly highest: number;
}

export function encodePromise(state: PromiseState): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, FORMAT, true);
  writeU53(view, 12, state.promised);
  view.setUint32(20, state.lowest, true);
  view.setUint32(24, state.highest, true);
  writeU53(view, 28, state.compactedUpTo);
  writeU53(view, 36, state.sequence);
  view.setUint32(4, crc32(bytes, 0, 8), true);
  return bytes;
}

/** Null: not readable. Throws `DataDirectoryError` when a newer version wrote it. */
export function decodePromise(bytes: Uint8Array, name: string): PromiseState | null {
  if (bytes.length !== BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, BYTES);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== crc32(bytes, 0, 8)) return null;
  const format = view.getUint32(8, true);
  if (format !== FORMAT && format !== FORMAT_WITHOUT_COMPACTION) {
    throw new DataDirectoryError(
      `${name} has format ${format}, this version knows ${FORMAT}: start a version that knows it`,
    );
  }
  return {
    promised: readU53(view, 12),
    lowest: view.getUint32(20, true),
    highest: view.getUint32(24, true),
    // Zeros in the older format.
    compactedUpTo: readU53(view, 28),
    sequence: readU53(view, 36),
  };
}

function writeU53(view: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a number beside the promise is a safe integer from 0");
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

function readU53(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** What both copies together say; null for one that cannot be read. */
export function newestOf(copies: readonly (PromiseState | null)[]): PromiseState {
  let promised = 0;
  let newest: PromiseState = { promised, lowest: 0, highest: 0, compactedUpTo: 0, sequence: 0 };
  for (const copy of copies) {
    if (copy === null) continue;
    promised = Math.max(promised, copy.promised);
    // Of one copy, never field by field: a batch number says nothing without the segment that it belongs to.
    if (hasOlderManifest(newest, copy)) newest = copy;
  }
  return { ...newest, promised };
}

function hasOlderManifest(one: PromiseState, other: PromiseState): boolean {
  return one.lowest < other.lowest || one.highest < other.highest || one.compactedUpTo < other.compactedUpTo;
}

/** Whether a copy says less than is known, or cannot be read. */
export function isBehind(copy: PromiseState | null, known: PromiseState): boolean {
  return copy === null || copy.promised < known.promised || hasOlderManifest(copy, known);
}

/** Both copies as found; null: there is none, or it cannot be read. Changes nothing. */
export async function readPromises(disk: Disk, files: readonly string[]): Promise<(PromiseState | null)[]> {
  const copies: (PromiseState | null)[] = [];
  for (const name of PROMISE_NAMES) {
    const bytes = files.includes(name) ? await readIntact(disk, name) : null;
    copies.push(bytes === null ? null : decodePromise(bytes, name));
  }
  return copies;
}

export class PromiseFiles {
  readonly #files: readonly DiskFile[];
  readonly #underWay: UnderWay;

  private constructor(files: readonly DiskFile[]) {
    this.#files = files;
    this.#underWay = new UnderWay();
  }

  /**
   * Opens both, one that is missing or cannot be read is made anew; the one at `first` (0 or 1) is the first to be
   * written from now on. `copies`: as they were read; where they were not, they are as good as any.
   */
  static async open(
    disk: Disk,
    names: readonly string[],
    first: number,
    copies: readonly (PromiseState | null)[] | null = null,
  ): Promise<PromiseFiles> {
    const files: DiskFile[] = [];
    let made = 0;
    for (const at of [first, 1 - first]) {
      const name = PROMISE_NAMES[at]!;
      const isThere = names.includes(name);
      const isBad = isThere && copies !== null && copies[at] === null;
      // Not written in place: a file system may have to read what it cannot, to write a part of a block of its own.
      if (isBad) await disk.remove(name);
      if (!isThere || isBad) made += 1;
      files.push(await disk.open(name, !isThere || isBad));
    }
    // Its name must not be lost while the other copy, the only good one, is written.
    if (made === 1) await disk.syncDirectory();
    // A life that was killed may not have synced it: while the first is written, this is the one that is good.
    await settled((done) => files[1]!.sync(done));
    return new PromiseFiles(files);
  }

  /** One copy, its sync, the other copy, its sync; `whenDone` after all of it, or at the first failure. */
  write(state: PromiseState, whenDone: DiskCallback): void {
    const bytes = encodePromise(state);
    const done = this.#underWay.step(whenDone);
    writeSynced(this.#files[0]!, 0, bytes, (error) => {
      if (error !== null) done(error);
      else writeSynced(this.#files[1]!, 0, bytes, done);
    });
  }

  async close(): Promise<void> {
    await this.#underWay.ended();
    for (const file of this.#files) await file.close();
  }
}

export function writeSynced(file: DiskFile, position: number, bytes: Uint8Array, done: DiskCallback): void {
  file.write(position, bytes, (error) => {
    if (error !== null) done(error);
    else file.sync(done);
  });
}

/** A step of the disk as a promise, for opening and closing. */
export function settled(step: (done: DiskCallback) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    step((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
