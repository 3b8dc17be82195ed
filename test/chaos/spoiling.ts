// Which sectors of a data directory go bad: of the log, of one copy of the promise, of what is read of the store. Never
// both copies of the promise, whose loss is the end of a replica; nor identity and genesis, for a start refuses to go
// on without them.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../src/base/random.js";
import { decodePromise, PROMISE_NAMES } from "../../src/wal/promise-file.js";
import { type BadSector, SECTOR } from "./bad-sectors.js";

/** The newest sectors are hurt most: there is what others may not know yet. */
const NEWEST_SECTORS = 8;
/** How many at once; eight are a block of a file system. */
const LENGTHS = [1, 1, 2, 3, 8];
const BLOCK_SECTORS = 8;

interface Place {
  readonly file: number;
  readonly size: number;
}

/** The files of the directory by name, but for those that are kept for the operator only. */
export function placesIn(directory: string): Map<string, Place> {
  const places = new Map<string, Place>();
  // A first life may have been killed before it was durable.
  if (!existsSync(directory)) return places;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    // Under a process that runs a file may go meanwhile.
    const found = statSync(join(directory, name), { throwIfNoEntry: false });
    if (found?.isFile() && !name.includes(".damaged"))
      places.set(name, { file: found.ino, size: found.size });
  }
  return places;
}

export interface Spoilt {
  readonly name: string;
  readonly file: number;
  readonly sectors: readonly number[];
}

/** Of a directory whose process is dead; null: nothing is there to be hurt. */
export function spoilAtRest(directory: string, bad: readonly BadSector[], random: Random): Spoilt | null {
  const places = placesIn(directory);
  const draw = random.below(10);
  if (draw < 2) {
    const isGood = (name: string): boolean => {
      const place = places.get(name);
      if (place === undefined || bad.some(({ file }) => file === place.file)) return false;
      return decodePromise(readFileSync(join(directory, name)), name) !== null;
    };
    const name = PROMISE_NAMES[random.below(2)]!;
    return PROMISE_NAMES.every(isGood) ? { name, file: places.get(name)!.file, sectors: [0] } : null;
  }
  if (draw < 4) {
    const read = [...places.keys()].filter((name) =>
      /^(store\/(data\.mdb|mark|scrub)$|snapshot-)/.test(name),
    );
    if (read.length === 0) return null;
    const name = read[random.below(read.length)]!;
    const { file, size } = places.get(name)!;
    // Of lmdb's file only what it begins with, the two meta pages, is read, the rest is mapped.
    const sector = name.endsWith("data.mdb")
      ? BLOCK_SECTORS * random.below(2)
      : random.below(Math.ceil(size / SECTOR) || 1);
    return sector * SECTOR < size ? { name, file, sectors: [sector] } : null;
  }
  return spoilLog(directory, random);
}

/** Of the log alone, whether the process runs or not. */
export function spoilLog(directory: string, random: Random): Spoilt | null {
  if (!existsSync(directory)) return null;
  const logs = readdirSync(directory)
    .filter((name) => name.startsWith("log-"))
    .sort()
    .map((name) => ({ name, used: usedSectors(readFileSync(join(directory, name))) }))
    .filter(({ used }) => used > 0);
  if (logs.length === 0) return null;
  const isNew = random.below(10) < 7;
  const { name, used } = isNew ? logs.at(-1)! : logs[random.below(logs.length)]!;
  const { ino, size } = statSync(join(directory, name));
  const length = LENGTHS[random.below(LENGTHS.length)]!;
  const from = isNew ? Math.max(0, used - NEWEST_SECTORS) : 0;
  // The one behind the end may be hit, too: nobody can tell then that nothing was there.
  const drawn = from + random.below(used + 1 - from);
  const first = length === BLOCK_SECTORS ? drawn - (drawn % BLOCK_SECTORS) : drawn;
  const sectors = Array.from({ length }, (_, i) => first + i).filter((sector) => sector * SECTOR < size);
  return sectors.length === 0 ? null : { name, file: ino, sectors };
}

/** Behind them are zeros only. */
function usedSectors(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return Math.ceil(end / SECTOR);
}
