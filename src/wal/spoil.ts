// Sees to it that a batch with sectors that cannot be read is never taken for a whole one: what stands in their place
// is known to all, and a client could make a value whose checksum holds with it too.
import { crc32 } from "../base/crc32.js";
import { type BatchHeader, isListIntact, listEntry, valuesOf } from "./record-codec.js";
import type { Hole } from "./unreadable.js";

/** Whether the batch has holes; no checksum over one of them holds from now on. */
export function spoil(bytes: Uint8Array, header: BatchHeader, holes: readonly Hole[]): boolean {
  const end = header.offset + header.length;
  const own = holes.filter(({ from, to }) => from < end && to > header.offset);
  if (own.length === 0) return false;
  let from = valuesOf(header);
  if (isListIntact(bytes, header)) spoilPart(bytes, header.offset, from, own);
  if (!isListIntact(bytes, header)) return true;
  for (let i = 0; i < header.records; i += 1) {
    const { length, crc } = listEntry(bytes, header, i);
    if (crc32(bytes, 0, from, from + length) === crc) spoilPart(bytes, from, from + length, own);
    from += length;
  }
  return true;
}

/** One bit is enough: a checksum sees every change of one byte. */
function spoilPart(bytes: Uint8Array, from: number, to: number, holes: readonly Hole[]): void {
  const hole = holes.find((one) => one.from < to && one.to > from);
  if (hole !== undefined) bytes[Math.max(from, hole.from)]! ^= 1;
}
