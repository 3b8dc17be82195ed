// Reads files of which the disk cannot read some sectors (EIO). Rule: what no read brings is damage, never absence: a
// reader that goes on behind it is told the hole; any other gets no byte from there on, and so nothing that is whole.
import { isIoError, READ_TRIES } from "../base/io-error.js";
import type { Disk, DiskFile } from "./disk.js";
import { SECTOR } from "./record-codec.js";

/** Of a file that fails as a whole: what of it fails again is read sector by sector. */
const CHUNK = 128 * SECTOR;
/**
 * What is handed out for bytes that are not known. Not zero, which says that nothing was written there; nor what any
 * record, file or end of a batch begins with, which is all that is looked for without a checksum.
 */
const FILL = 0xe5;

/** What disks of today keep as one, and file systems, too. */
const BLOCK = 4096;

/** Bytes of a file that cannot be read. */
export interface Hole {
  readonly from: number;
  readonly to: number;
}

/** A file as far as it can be read: in its holes stands something that was never written there. */
export interface Around {
  readonly bytes: Uint8Array;
  readonly holes: readonly Hole[];
}

/** Null: it fails with EIO. What fails otherwise says of which file. */
async function tried<T>(name: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isIoError(error)) return null;
    const { message } = error as Error;
    if (message.includes(name)) throw error;
    throw Object.assign(new Error(`${name}: ${message}`, { cause: error }), {
      code: (error as { code?: unknown }).code,
    });
  }
}

/** The bytes of one sector, or of a part of it; null: it cannot be read. */
async function sectorOf(file: DiskFile, from: number, length: number): Promise<Uint8Array | null> {
  for (let left = READ_TRIES; left > 0; left -= 1) {
    const bytes = await tried(file.name, () => file.read(from, length));
    if (bytes !== null) return bytes;
  }
  return null;
}

/** Where the sector ends in which `at` is, or the part that is read. */
function endOfSector(at: number, end: number): number {
  return Math.min(end, at - (at % SECTOR) + SECTOR);
}

/**
 * Up to `length` bytes from `position`: fewer at the end of the file, and where a sector follows that cannot be read.
 * Perhaps in `into`, which has so many.
 */
export async function readPart(
  file: DiskFile,
  position: number,
  length: number,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const whole = await tried(file.name, () => file.read(position, length, into));
  if (whole !== null) return whole;
  const end = Math.min(position + length, await file.size());
  const bytes = into ?? new Uint8Array(Math.max(0, end - position));
  let at = position;
  while (at < end) {
    const part = await sectorOf(file, at, endOfSector(at, end) - at);
    if (part === null || part.length === 0) break;
    bytes.set(part, at - position);
    at += part.length;
  }
  return bytes.subarray(0, at - position);
}

/** All of a file, with what of it cannot be read. */
export async function readAround(disk: Disk, name: string): Promise<Around> {
  const whole = await tried(name, () => disk.read(name));
  if (whole !== null) return { bytes: whole, holes: [] };
  const file = await disk.open(name, false);
  try {
    const bytes = new Uint8Array(await file.size());
    const holes: Hole[] = [];
    for (let from = 0; from < bytes.length; from += CHUNK) {
      const chunk = bytes.subarray(from, from + CHUNK);
      const found = await tried(name, () => file.read(from, chunk.length));
      if (found !== null) chunk.set(found);
      else await readSectors(file, bytes, from, from + chunk.length, holes);
    }
    return { bytes, holes };
  } finally {
    await file.close();
  }
}

async function readSectors(
  file: DiskFile,
  bytes: Uint8Array,
  from: number,
  end: number,
  holes: Hole[],
): Promise<void> {
  for (let at = from; at < end; at += SECTOR) {
    const to = endOfSector(at, end);
    const sector = await sectorOf(file, at, to - at);
    if (sector !== null) {
      bytes.set(sector, at);
      continue;
    }
    bytes.fill(FILL, at, to);
    holes.push({ from: at, to });
  }
}

/**
 * A disk that loses a sector may give zeros for its neighbour. Whether this may have happened to the sector at `at`:
 * the one behind it cannot be read, or one of its block.
 */
export function isBesideHole(holes: readonly Hole[], at: number): boolean {
  const block = at - (at % BLOCK);
  return holes.some(({ from, to }) => from === at + SECTOR || (from < block + BLOCK && to > block));
}

/** All of a file that counts as a whole or not at all; null: a part of it cannot be read. */
export async function readIntact(disk: Disk, name: string): Promise<Uint8Array | null> {
  const { bytes, holes } = await readAround(disk, name);
  return holes.length === 0 ? bytes : null;
}
