// The promise in two checksummed copies, apart from the log and from each other (A6): one is written and synced, then
// the other. Beside the promise they say which segments the log has, so that a missing one is noticed.
import { crc32 } from "../base/crc32.js";
import type { Ballot } from "../paxos/ballot.js";
import { DataDirectoryError } from "./data-directory-error.js";
import type { Disk, DiskCallback, DiskFile } from "./disk.js";

export const PROMISE_NAMES = ["promise-a", "promise-b"] as const;
const MAGIC = 0x504e5953;
const FORMAT = 1;
const BYTES = 512;

export interface PromiseState {
  readonly promised: Ballot;
  /** Every segment from `lowest` to `highest` exists; 0 and 0: there is none yet. */
  readonly lowest: number;
  readonly highest: number;
}

export function encodePromise(state: PromiseState): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, FORMAT, true);
  view.setUint32(12, state.promised % 2 ** 32, true);
  view.setUint32(16, Math.floor(state.promised / 2 ** 32), true);
  view.setUint32(20, state.lowest, true);
  view.setUint32(24, state.highest, true);
  view.setUint32(4, crc32(bytes, 0, 8), true);
  return bytes;
}

/** Null: not readable. Throws `DataDirectoryError` when a newer version wrote it. */
export function decodePromise(bytes: Uint8Array, name: string): PromiseState | null {
  if (bytes.length !== BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, BYTES);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== crc32(bytes, 0, 8)) return null;
  const format = view.getUint32(8, true);
  if (format !== FORMAT) {
    throw new DataDirectoryError(
      `${name} has format ${format}, this version knows ${FORMAT}: start a version that knows it`,
    );
  }
  return {
    promised: view.getUint32(12, true) + view.getUint32(16, true) * 2 ** 32,
    lowest: view.getUint32(20, true),
    highest: view.getUint32(24, true),
  };
}

/** Both copies as found; null: there is none, or it cannot be read. Changes nothing. */
export async function readPromises(disk: Disk, files: readonly string[]): Promise<(PromiseState | null)[]> {
  const copies: (PromiseState | null)[] = [];
  for (const name of PROMISE_NAMES) {
    copies.push(files.includes(name) ? decodePromise(await disk.read(name), name) : null);
  }
  return copies;
}

export class PromiseFiles {
  readonly #files: readonly DiskFile[];

  private constructor(files: readonly DiskFile[]) {
    this.#files = files;
  }

  /** Opens both, a missing one is made; the one at `first` (0 or 1) is the first to be written from now on. */
  static async open(disk: Disk, names: readonly string[], first: number): Promise<PromiseFiles> {
    const files: DiskFile[] = [];
    for (const at of [first, 1 - first]) {
      const name = PROMISE_NAMES[at]!;
      files.push(await disk.open(name, !names.includes(name)));
    }
    return new PromiseFiles(files);
  }

  /** One copy, its sync, the other copy, its sync; `done` after all of it, or at the first failure. */
  write(state: PromiseState, done: DiskCallback): void {
    const bytes = encodePromise(state);
    writeSynced(this.#files[0]!, 0, bytes, (error) => {
      if (error !== null) done(error);
      else writeSynced(this.#files[1]!, 0, bytes, done);
    });
  }

  async close(): Promise<void> {
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
