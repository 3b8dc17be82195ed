// How lmdb is opened here. Rule: values pass as bytes, the map is fixed, after a crash only what was flushed counts.
import { type Database, open } from "lmdb";
import { damaged, isOfDamage } from "./lmdb-errors.js";
import { openingLmdb } from "./lmdb-exit.js";
import { MAP_BYTES } from "./lmdb-file.js";
import { type NativeEnvironment, WriteThreads } from "./lmdb-threads.js";
import type { ValueCopies } from "./lmdb-values.js";

export function openDatabase(directory: string, values: ValueCopies): Database<Buffer, Uint8Array> {
  const options = {
    path: directory,
    noSubdir: false,
    encoding: "binary",
    encoder: values,
    keyEncoding: "binary",
    compression: false,
    mapSize: MAP_BYTES,
    overlappingSync: true,
    noMemInit: true,
    safeRestore: true,
  } as const;
  try {
    return openingLmdb(() => open<Buffer, Uint8Array>(options));
  } catch (error) {
    throw isOfDamage(error) ? damaged(error) : error;
  }
}

/** Of a database that was just opened. */
export function threadsOf(database: Database<Buffer, Uint8Array>): WriteThreads {
  return new WriteThreads((database as unknown as { readonly env: NativeEnvironment }).env);
}

/** What lmdb tells of its pages; missing from its typings. */
export interface LmdbStats {
  readonly pageSize: number;
  readonly entryCount: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly lastPageNumber: number;
}
