// Whether lmdb failed because there is no room. A transaction of it that fails has changed nothing.
import { statfs } from "node:fs/promises";
import { noSpace } from "../base/no-space.js";
import { reasonOf } from "./lmdb-errors.js";

const MAP_FULL = -30792;
const ENOSPC = 28;
const EDQUOT = 122;
/** What lmdb says when less was written than it asked for. */
const EIO = 5;
/** Pages of its tree that a transaction changes beside those that it fills. */
const PAGES_BYTES = 1 << 20;

/** Runs writes of about `bytes`; when there is no room for them it throws an error of `isNoSpace`. */
export async function inRoom<T>(directory: string, bytes: number, writes: () => Promise<T>): Promise<T> {
  try {
    return await writes();
  } catch (error) {
    const cause = await reasonOf(error);
    const { code } = cause as { code?: unknown };
    if (code === MAP_FULL) throw noSpace(`the store in ${directory} is as large as it may be`, cause);
    if (code === ENOSPC || code === EDQUOT || (code === EIO && (await isFull(directory, bytes)))) {
      throw noSpace(`no space left on device for the store in ${directory}`, cause);
    }
    throw cause;
  }
}

/** A write that is cut short looks like a failing disk: what is free tells them apart. */
async function isFull(directory: string, bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize < 2 * bytes + PAGES_BYTES;
}
