// What there is of a data directory besides files: the store, those that were set aside, and the workshop of a restore.
// Rule: what is left of a member, or of a restore that was killed, is never taken for the empty directory of a new one.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataDirectoryError } from "../wal/data-directory-error.js";
import type { Disk } from "../wal/disk.js";
import { GENESIS_NAME, identityMissing, readIdentity } from "../wal/identity.js";
import { IDENTITY_NAME, isLogBegun } from "../wal/open-log.js";
import { PROMISE_NAMES } from "../wal/promise-file.js";
import { segmentsAmong } from "../wal/segment-files.js";

export const STORE_NAME = "store";
/** The names of stores that were set aside. */
export const SET_ASIDE = /^store\.damaged-\d+$/;
/** Where a restore makes everything before it gets its place. */
export const WORKSHOP = "restoring";

/** Of a directory of which `isHalfRestored` is true. */
export const UNFINISHED =
  `a restore into this data directory did not finish (it holds "${WORKSHOP}"): run synod snapshot restore again, or start ` +
  "with an empty directory";

/** Throws `DataDirectoryError`; changes nothing. `disk` is the directory at `path`. */
export async function assertWhole(path: string, disk: Disk): Promise<void> {
  if (await isHalfRestored(path, disk)) throw new DataDirectoryError(UNFINISHED);
  const names = await readdir(path);
  if (names.includes(IDENTITY_NAME)) return;
  const left = names.filter((name) => SET_ASIDE.test(name));
  if (await hasState(path)) left.unshift(STORE_NAME);
  // A first start begins the log before the store, and may die before the identity.
  if (left.length > 0 && !(await isLogBegun(disk))) throw identityMissing(left);
}

/**
 * Whether a restore was killed before all had its place, and no member was started since: of a life there would be a
 * promise, a log or a genesis, and the identity would count it.
 */
export async function isHalfRestored(path: string, disk: Disk): Promise<boolean> {
  const entries = await readdir(path, { withFileTypes: true });
  if (!entries.some((entry) => entry.name === WORKSHOP && entry.isDirectory())) return false;
  const names = entries.map(({ name }) => name);
  const ofLife: readonly string[] = [GENESIS_NAME, ...PROMISE_NAMES];
  if (names.some((name) => ofLife.includes(name)) || segmentsAmong(names).length > 0) return false;
  const identity = await readIdentity(disk);
  // The identity gets its place before the store.
  return identity === null ? !(await hasState(path)) : identity.incarnation === 0;
}

/** Whether there is a store with a file of records; a directory that was made for one has none. */
export async function hasState(path: string): Promise<boolean> {
  try {
    await stat(join(path, STORE_NAME, "data.mdb"));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}
