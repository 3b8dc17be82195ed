// The port to where records are kept: by revision, append only, with checksums; lmdb on a server, memory in a
// simulator or browser. A commit is all or nothing and counts when it is flushed (design 2.10, 3).

import { crc32 } from "../base/crc32.js";
import { StateCorrupt } from "../machine/machine.js";

/** Bytes at the front of a sealed record, head or chunk that hold its checksum. */
export const SEAL_BYTES = 4;

/** What was read is not what was written. The replica must set the store aside and rebuild it from its peers. */
export class StoreCorrupt extends StateCorrupt {
  override readonly name = "StoreCorrupt";
  override readonly code = "STORE_CORRUPT";
}

/** The store is whole, but of another version: it must not be set aside and rebuilt as a damaged one is. */
export class UnknownStoreFormat extends Error {
  override readonly name = "UnknownStoreFormat";
  readonly code = "STORE_FORMAT";
}

/** A record and its revision: `main` counts the changes of the store, `sub` those within one change, from 0. */
export interface StoredRecord {
  readonly main: number;
  readonly sub: number;
  /** Made by `seal`; the store keeps a reference until the commit is done, so it must not change. */
  readonly sealed: Uint8Array;
}

/** A record that was read: its bytes without the seal, good for ever. */
export interface ReadRecord {
  readonly main: number;
  readonly sub: number;
  readonly body: Uint8Array;
}

/** Is lent a record, `body` until it returns; the store is not read meanwhile. Says whether it wants the next one. */
export type TakeRecord = (main: number, sub: number, body: Uint8Array) => boolean;

export interface RevisionKey {
  readonly main: number;
  readonly sub: number;
}

/** A part of a checkpoint of the index. `generation` tells checkpoints apart, `number` counts their parts from 0. */
export interface CheckpointChunk {
  readonly generation: number;
  readonly number: number;
  /** Made by `seal`. */
  readonly sealed: Uint8Array;
}

/** What one commit does, all of it or nothing. */
export interface RecordBatch {
  /** What the owner wants to find at the next start, without a seal. The store may keep it: it must not change. */
  readonly head: Uint8Array;
  /** Every record's `main` is at most this; records above it that an earlier crash left are gone at the next start. */
  readonly revision: number;
  /** Ascending, above everything committed before. */
  readonly append: readonly StoredRecord[];
  /** Gone with the commit, or with a later one where there is no room for that. */
  readonly remove: readonly RevisionKey[];
  readonly chunks: readonly CheckpointChunk[];
  /** Chunks of every other generation than these go. */
  readonly keepGenerations: readonly number[];
}

/** A second set of records, loaded beside the first, for a snapshot that replaces everything. */
export interface Replacement {
  /** Ascending; resolves when more may be loaded. */
  load(records: readonly StoredRecord[]): Promise<void>;
  abandon(): Promise<void>;
}

export interface RecordStore {
  /** The head of the last flushed commit, read anew; undefined in a fresh store. Throws `StoreCorrupt`. */
  head(): Uint8Array | undefined;
  /** The record's bytes without the seal, a copy. Undefined when there is none. Throws `StoreCorrupt`. */
  read(main: number, sub: number): Uint8Array | undefined;
  /** At most `limit` records from revision (`main`, `sub`) on, ascending. Throws `StoreCorrupt`. */
  scan(main: number, sub: number, limit: number): ReadRecord[];
  /** As `scan`, for who looks at each once: copies of all would be garbage, which is collected in long pauses. */
  visit(main: number, sub: number, take: TakeRecord): void;
  /** A chunk of a checkpoint without the seal. Undefined when there is none. Throws `StoreCorrupt`. */
  chunk(generation: number, number: number): Uint8Array | undefined;
  /** Resolves when flushed. What was appended can be read from then on. One at a time. A rejection is final. */
  commit(batch: RecordBatch): Promise<void>;
  /** Removes records that no reader asks for any more; durable with a later commit at the latest. */
  remove(revisions: readonly RevisionKey[]): Promise<void>;
  replacement(): Promise<Replacement>;
  /** Reads come from the replacement from now on; the next commit makes that durable and forgets the old records. */
  adopt(replacement: Replacement): void;
  /** Resolves after everything else that waits had its turn: the pause between slices of long work. */
  turn(): Promise<void>;
  /** Bytes of the store: all that it takes up, and in use. */
  size(): { readonly total: number; readonly inUse: number };
  /** What `read` comes to nobody may have read for years, and it may end the process: the next start checks it then. */
  risk<T>(read: () => T): T;
  /** Makes durable that the store is damaged: whoever opens it next sets it aside. */
  condemn(reason: string): Promise<void>;
  close(): Promise<void>;
}

/** The checksum covers the place too, so that a record found at another one is noticed. */
function checksum(sealed: Uint8Array, a: number, b: number): number {
  const place = (a ^ Math.floor(a / 2 ** 32) ^ Math.imul(b + 1, 0x9e3779b1)) >>> 0;
  return crc32(sealed, place, SEAL_BYTES);
}

/** Fills in the first `SEAL_BYTES`; `a` and `b` say where the bytes belong. */
export function seal(bytes: Uint8Array, a: number, b: number): Uint8Array {
  const sum = checksum(bytes, a, b);
  bytes[0] = sum & 0xff;
  bytes[1] = (sum >>> 8) & 0xff;
  bytes[2] = (sum >>> 16) & 0xff;
  bytes[3] = sum >>> 24;
  return bytes;
}

/** A sealed copy of `body`. */
export function sealedCopy(body: Uint8Array, a: number, b: number): Uint8Array {
  const sealed = new Uint8Array(SEAL_BYTES + body.length);
  sealed.set(body, SEAL_BYTES);
  return seal(sealed, a, b);
}

/** The bytes behind the seal, as a view. Throws `StoreCorrupt` when the seal is broken; `name` says of what. */
export function unseal(
  sealed: Uint8Array,
  a: number,
  b: number,
  name: (a: number, b: number) => string,
): Uint8Array {
  if (sealed.length >= SEAL_BYTES) {
    const said = (sealed[0]! | (sealed[1]! << 8) | (sealed[2]! << 16) | (sealed[3]! << 24)) >>> 0;
    if (said === checksum(sealed, a, b) >>> 0) return sealed.subarray(SEAL_BYTES);
  }
  throw new StoreCorrupt(
    `${name(a, b)} is damaged: its checksum does not fit; this replica's store must be rebuilt`,
  );
}

export function recordName(main: number, sub: number): string {
  return `record of revision ${main}.${sub}`;
}

export function headName(): string {
  return "head of the store";
}

export function chunkName(generation: number, number: number): string {
  return `chunk ${number} of index checkpoint ${generation}`;
}
