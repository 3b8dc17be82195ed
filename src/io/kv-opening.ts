// Opens the key-value store of a data directory, and when it is damaged puts it aside and opens an empty one, which the
// log and the peers fill (design 2.10). Rule: what only the damaged store holds is never given up, and no damage, not
// even one that ends the process, is met at every start again.
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { CheckpointPace } from "../kv/committer.js";
import { decodeHead } from "../kv/head.js";
import { KvMachine } from "../kv/machine.js";
import { StoreCorrupt } from "../kv/record-store.js";
import { StateCorrupt } from "../machine/machine.js";
import { DataDirectoryError } from "../wal/data-directory-error.js";
import { compactedUpToOf } from "../wal/open-log.js";
import { isCutShort } from "./lmdb-file.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";
import { syncDirectory } from "./make-directory.js";
import { NodeDisk } from "./node-disk.js";
import { checkInChild } from "./store-check.js";
import { StoreMark } from "./store-mark.js";
import { STORE_NAME } from "./whole-directory.js";

/** Damaged stores that are kept, for who wants to look at them. */
const KEPT = 2;
/** So many deaths of young processes in a row, and the store is suspected. */
const SUSPICIOUS_DEATHS = 2;

export interface KvOpening {
  /** There are no peers that have what the log has not. */
  readonly isAlone: boolean;
  readonly pace?: CheckpointPace;
  /** For the operator, as a sentence. */
  tell(fault: string): void;
}

/**
 * The caller has locked `dataDir`. Rejects with `DataDirectoryError` when a damaged store cannot be rebuilt, and with
 * `UnknownStoreFormat` when it is not damaged, but of another version.
 */
export async function openKv(dataDir: string, options: KvOpening): Promise<KvMachine> {
  const directory = join(dataDir, STORE_NAME);
  await assertIsDirectory(directory);
  if (options.isAlone) await assertReachesBack(dataDir);
  const mark = await StoreMark.read(directory);
  const damage = await damageKnown(directory, mark);
  if (damage === null) {
    try {
      return await openOnce(directory, mark, options);
    } catch (error) {
      if (!(error instanceof StateCorrupt)) throw error;
      await replace(directory, mark, error.message, options);
    }
  } else {
    await replace(directory, mark, damage, options);
  }
  return openOnce(directory, await StoreMark.read(directory), options);
}

async function assertIsDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (found === null || found.isDirectory()) return;
  throw new DataDirectoryError(
    `${path} is no directory: move it away, and start again; the store is made anew`,
  );
}

/** An empty store made where the log has let slots go could only be refused later, and would be in the way then. */
async function assertReachesBack(dataDir: string): Promise<void> {
  const { size } = await stat(join(dataDir, STORE_NAME, "data.mdb")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return { size: 0 };
    throw error;
  });
  if (size > 0) return;
  const compactedUpTo = await compactedUpToOf(NodeDisk.forReading(dataDir));
  if (compactedUpTo === 0) return;
  throw new DataDirectoryError(
    `there is no store in ${dataDir}, slots 1 to ${compactedUpTo} are in no log any more, and this member has no peers to ` +
      "take them from; nothing was changed: restore the whole data directory from a backup",
  );
}

/** What is wrong with the store, as far as it is known without opening it here. */
async function damageKnown(directory: string, mark: StoreMark): Promise<string | null> {
  const { found } = mark;
  if (found?.state === "condemned") return found.reason;
  try {
    const hasKilled = found !== null && (found.state === "opening" || found.deaths >= SUSPICIOUS_DEATHS);
    return hasKilled || mark.diedInScrub || (await isCutShort(directory))
      ? await checkInChild(directory)
      : null;
  } catch (error) {
    if (error instanceof StoreCorrupt) return error.message;
    throw error;
  }
}

async function openOnce(directory: string, mark: StoreMark, { pace }: KvOpening): Promise<KvMachine> {
  await mark.opening();
  let records: LmdbRecordStore | null = null;
  try {
    records = await LmdbRecordStore.open(directory, mark, decodeHead);
    const machine = await KvMachine.open(records, pace);
    await mark.opened();
    return machine;
  } catch (error) {
    await records?.close();
    await mark.closed();
    throw error;
  }
}

async function replace(
  directory: string,
  mark: StoreMark,
  damage: string,
  options: KvOpening,
): Promise<void> {
  const { isAlone, tell } = options;
  const dataDir = dirname(directory);
  const compactedUpTo = isAlone ? await compactedUpToOf(NodeDisk.forReading(dataDir)) : 0;
  if (compactedUpTo > 0) {
    await mark.restore();
    throw new DataDirectoryError(
      `${directory} is damaged (${damage}), slots 1 to ${compactedUpTo} are in no log any more, and this member has no ` +
        "peers to take them from; nothing was changed: restore the whole data directory from a backup",
    );
  }
  const name = await setAside(directory);
  const source = isAlone ? "its log" : "its log and its peers";
  tell(
    `the store was damaged (${damage}): it is kept as ${name}, and this replica is rebuilt from ${source}`,
  );
}

/** Durable when it resolves; older ones go then. */
async function setAside(directory: string): Promise<string> {
  const dataDir = dirname(directory);
  const prefix = `${basename(directory)}.damaged-`;
  const numbers = (await readdir(dataDir))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b);
  const number = (numbers.at(-1) ?? 0) + 1;
  await rename(directory, join(dataDir, `${prefix}${number}`));
  await syncDirectory(dataDir);
  for (const old of [...numbers, number].slice(0, -KEPT)) {
    await rm(join(dataDir, `${prefix}${old}`), { recursive: true });
  }
  return `${prefix}${number}`;
}
