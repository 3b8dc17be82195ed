// Keys of the store in lmdb. Rule: their order in lmdb is that of revisions, within an area.
import { StoreCorrupt } from "../kv/record-store.js";

export const TAG_HEAD = 0;
const TAG_RECORD = 1;
export const TAG_CHUNK = 2;
export const TAG_END = 3;
export const AREAS = 1 << 16;

/** tag, area (2 bytes), main (7), sub (4), big-endian, so that lmdb's order is that of revisions. */
export const KEY_BYTES = 14;

export function recordKey(area: number, main: number, sub: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key[0] = TAG_RECORD;
  key.writeUInt16BE(area, 1);
  key.writeUInt8(Math.floor(main / 2 ** 48), 3);
  key.writeUIntBE(main % 2 ** 48, 4, 6);
  key.writeUInt32BE(sub, 10);
  return key;
}

/** Throws `StoreCorrupt`. */
export function checkRecordKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new StoreCorrupt("a record has a key that no record has");
}

/** Of a key of `KEY_BYTES`; arithmetic, for a view of the bytes costs more than reading the record. */
export function mainOf(key: Uint8Array): number {
  const high = key[3]! * 2 ** 24 + ((key[4]! << 16) | (key[5]! << 8) | key[6]!);
  return high * 2 ** 24 + ((key[7]! << 16) | (key[8]! << 8) | key[9]!);
}

export function subOf(key: Uint8Array): number {
  return ((key[10]! << 24) | (key[11]! << 16) | (key[12]! << 8) | key[13]!) >>> 0;
}

export function chunkKey(generation: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = TAG_CHUNK;
  key.writeUInt32BE(generation, 1);
  key.writeUInt32BE(number, 5);
  return key;
}
