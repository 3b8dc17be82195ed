// Zeros on disk: what a segment is made of before it is used, and what the reserve is.
import type { DiskFile } from "./disk.js";
import { settled } from "./promise-file.js";

/** Chunk by chunk; nobody writes into it. */
const ZEROS = new Uint8Array(1024 * 1024);

/** Whether they are known for zeros without a look at them. */
export function isOfZeros(bytes: Uint8Array): boolean {
  return bytes.buffer === ZEROS.buffer;
}

export interface ZeroOptions {
  /** Where they begin; 0 if missing. */
  readonly from?: number;
  readonly goesOn?: () => boolean;
}

/** Synced chunk by chunk: one long sync would hold up those of the log. False: `goesOn` said no before the end. */
export async function writeZeros(file: DiskFile, bytes: number, options: ZeroOptions = {}): Promise<boolean> {
  const { from = 0, goesOn = () => true } = options;
  const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, bytes));
  for (let at = 0; at < bytes; at += zeros.length) {
    if (!goesOn()) return false;
    const chunk = zeros.subarray(0, Math.min(zeros.length, bytes - at));
    await settled((done) => file.write(from + at, chunk, done));
    await settled((done) => file.sync(done));
  }
  return true;
}
