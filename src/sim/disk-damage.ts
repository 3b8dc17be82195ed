// Damage to what was written: flipped bits, sectors that hold something else, or that cannot be read until they are
// written again (PAR, FAST 2018, section 2). Never a sector of zeros at the end of the log: that is a write that never
// was, and no log can tell.
import type { Random } from "../base/random.js";
import type { Value } from "../paxos/value.js";
import type { MemoryDisk } from "../wal/memory-disk.js";
import { decodePromise } from "../wal/promise-file.js";

const SECTOR = 512;
/** The newest sectors are hurt most: there is what no other replica knows yet. */
const NEWEST_SECTORS = 8;
const MOST_FLIPS = 8;
const MOST_SECTORS = 4;
/** So much of it shows as EIO: what is hit is the same, and so is what must survive it. */
const UNREADABLE = 0.3;
/** Digits of the dice that decide nothing else: all that is drawn stays what it was. */
const LATE_DIGITS = 2 ** 20;

/** Hurts the log, a snapshot or one copy of the promise; says how, for the trace. Null: nothing is written yet. */
export function damage(disk: MemoryDisk, random: Random): string | null {
  const dice = random.next();
  const loses = (dice * LATE_DIGITS) % 1 < UNREADABLE;
  if (dice < 0.15) return hurtPromise(disk, random, loses);
  const isSnapshot = (name: string) => /^snapshot-\d+(\.part)?$/.test(name) && disk.bytesOf(name).length > 0;
  const snapshots = disk.names().filter(isSnapshot);
  if (dice < 0.35 && snapshots.length > 0) {
    const name = snapshots[random.below(snapshots.length)]!;
    const bytes = disk.bytesOf(name);
    const at = flipBit(bytes, 0, bytes.length, random);
    if (!loses) return "a bit flip in a snapshot";
    disk.loseSectors(name, at, at + 1);
    return "an unreadable sector of a snapshot";
  }
  const logs = disk.names().filter((name) => name.startsWith("log-") && usedOf(disk.bytesOf(name)) > SECTOR);
  if (logs.length === 0) return null;
  const isNew = random.next() < 0.7;
  const name = isNew ? logs.at(-1)! : logs[random.below(logs.length)]!;
  const bytes = disk.bytesOf(name);
  const used = usedOf(bytes);
  const from = isNew ? Math.max(0, used - NEWEST_SECTORS * SECTOR) : 0;
  if (random.next() < 0.5) {
    // One alone can be tied to its slots, by what the batch after it repeats; of many the rest is lost too.
    const flips = random.next() < 0.5 ? 1 : 1 + random.below(MOST_FLIPS);
    for (let i = 0; i < flips; i += 1) {
      const at = flipBit(bytes, from, used, random);
      if (loses) disk.loseSectors(name, at, at + 1);
    }
    return loses ? UNREADABLE_LOG : "bit flips in the log";
  }
  const ruined = ruin(bytes, from, used, random);
  if (!loses) return "ruined sectors of the log";
  disk.loseSectors(name, ruined.from, ruined.to);
  return UNREADABLE_LOG;
}

const UNREADABLE_LOG = "unreadable sectors of the log";

function hurtPromise(disk: MemoryDisk, random: Random, loses: boolean): string | null {
  const copies = disk.names().filter((name) => name.startsWith("promise-"));
  // The atlas: the other copy is a good one.
  if (copies.length < 2 || !copies.every((name) => isReadable(disk, name))) return null;
  const name = copies[random.below(copies.length)]!;
  const bytes = disk.bytesOf(name);
  flipBit(bytes, 0, bytes.length, random);
  if (!loses) return "a bit flip in a promise";
  disk.loseSectors(name, 0, bytes.length);
  return "an unreadable promise";
}

function isReadable(disk: MemoryDisk, name: string): boolean {
  return disk.canRead(name) && decodePromise(disk.bytesOf(name), name) !== null;
}

/** Not of the empty rest of a sector, which nobody reads. Where the sector is. */
function flipBit(bytes: Uint8Array, from: number, to: number, random: Random): number {
  const at = from + random.below(to - from);
  const sector = at - (at % SECTOR);
  const used = usedOf(bytes.subarray(sector, sector + SECTOR));
  if (used > 0) bytes[sector + random.below(used)]! ^= 1 << random.below(8);
  return sector;
}

/** Some neighbouring sectors hold noise; which. */
function ruin(bytes: Uint8Array, from: number, to: number, random: Random): { from: number; to: number } {
  const first = Math.floor((from + random.below(to - from)) / SECTOR) * SECTOR;
  const end = Math.min(first + SECTOR * (1 + random.below(MOST_SECTORS)), Math.ceil(to / SECTOR) * SECTOR);
  for (let at = first; at < Math.min(end, bytes.length); at += 1) bytes[at] = 1 + random.below(255);
  return { from: first, to: end };
}

/** The last sector of the log holds noise: of the last batch, which may be its only one. */
export function ruinEnd(disk: MemoryDisk): void {
  const logs = disk.names().filter((name) => name.startsWith("log-") && usedOf(disk.bytesOf(name)) > SECTOR);
  const bytes = disk.bytesOf(logs.at(-1)!);
  const end = Math.ceil(usedOf(bytes) / SECTOR) * SECTOR;
  bytes.fill(0xd7, end - SECTOR, end);
}

function usedOf(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

/** Flips a bit of the newest copy of `value` in the log; false: it is not there. */
export function flipValue(disk: MemoryDisk, value: Value, random: Random): boolean {
  const logs = disk.names().filter((name) => name.startsWith("log-"));
  for (const name of logs.reverse()) {
    const bytes = disk.bytesOf(name);
    const at = lastIndexOf(bytes, value);
    if (at < 0) continue;
    bytes[at + random.below(value.length)]! ^= 1 << random.below(8);
    return true;
  }
  return false;
}

function lastIndexOf(bytes: Uint8Array, value: Value): number {
  if (value.length === 0) return -1;
  for (let at = bytes.length - value.length; at >= 0; at -= 1) {
    let same = 0;
    while (same < value.length && bytes[at + same] === value[same]) same += 1;
    if (same === value.length) return at;
  }
  return -1;
}
