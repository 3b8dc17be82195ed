// The sectors of one data directory that cannot be read, in a table that bad-sectors.c maps: who adds one makes it bad
// at once, also under a process that runs. It is good again when the process has written it anew.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

export const SECTOR = 512;
/** Those of bad-sectors.c: so many entries of three numbers, the file, the sector, how many reads failed. */
const MOST = 1024;
const ENTRY_BYTES = 24;
export const TABLE_BYTES: number = MOST * ENTRY_BYTES;

export interface BadSector {
  /** Its inode number: a name may be another's by now. */
  readonly file: number;
  readonly sector: number;
}

interface Entry extends BadSector {
  readonly at: number;
  readonly failed: number;
}

export class BadSectors {
  readonly #path: string;
  /** At entries that have been given to others since. */
  #failedBefore: number;

  constructor(path: string) {
    this.#path = path;
    this.#failedBefore = 0;
  }

  get sectors(): readonly BadSector[] {
    return this.#entries().filter(({ file }) => file !== 0);
  }

  /** How many reads have failed, ever. */
  get failedReads(): number {
    return this.#entries().reduce((sum, { failed }) => sum + failed, this.#failedBefore);
  }

  /** How many of them were not bad yet, and are now; fewer when the table is full. */
  add(file: number, sectors: readonly number[]): number {
    const entries = this.#entries();
    const isBad = (sector: number) => entries.some((each) => each.file === file && each.sector === sector);
    const fresh = sectors.filter((sector) => !isBad(sector));
    const free = entries.filter((entry) => entry.file === 0).slice(0, fresh.length);
    for (const [i, { at, failed }] of free.entries()) {
      this.#failedBefore += failed;
      this.#write(at + 8, fresh[i]!, 0);
      // Last: from now on the entry holds.
      this.#write(at, file);
    }
    return free.length;
  }

  /** The others are bad no more: there is no such place. */
  keep(isThere: (sector: BadSector) => boolean): void {
    for (const entry of this.#entries()) if (entry.file !== 0 && !isThere(entry)) this.#write(entry.at, 0);
  }

  #entries(): Entry[] {
    const bytes = readFileSync(this.#path);
    return Array.from({ length: MOST }, (_, i) => {
      const [file, sector, failed] = [0, 8, 16].map((at) =>
        Number(bytes.readBigUInt64LE(i * ENTRY_BYTES + at)),
      );
      return { at: i * ENTRY_BYTES, file: file!, sector: sector!, failed: failed! };
    });
  }

  #write(at: number, ...numbers: readonly number[]): void {
    const bytes = Buffer.alloc(8 * numbers.length);
    for (const [i, number] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(number), 8 * i);
    const descriptor = openSync(this.#path, "r+");
    writeSync(descriptor, bytes, 0, bytes.length, at);
    closeSync(descriptor);
  }
}
