// Content of a file of a `MemoryDisk`: what is read of it; and per sector, what the disk itself holds and what the
// kernel still has to write. A sector is written whole or not at all.
import { isOfZeros } from "./zeros.js";

const SECTOR = 512;
const ZERO_CHUNK = 8 * SECTOR;

/** A sync under way. */
export interface Flush {
  /** One may be there twice. */
  readonly sectors: readonly number[];
  /** Of the file. */
  readonly length: number;
  /** What those that were written since held when it began; null: none was. */
  held: Map<number, Uint8Array> | null;
}

/** What a sector holds that nobody has written; shared, for nothing ever writes into a copy of a sector. */
const ZEROS = new Uint8Array(SECTOR);

export class MemoryContent {
  bytes: Uint8Array;
  length: number;
  /** By sector, what the disk holds where it differs from what is read. */
  readonly #behind: (Uint8Array | undefined)[];
  /** Sectors that the next sync writes. A failed sync takes them off too: the kernel calls them clean (F10). */
  #dirty: number[];
  #flushes: Flush[];
  /** Length to which the file falls back. */
  syncedLength: number;
  /** From here on nothing but zeros was ever written. */
  #zeroFrom: number;
  /** A reader has the bytes: they are copied before they change. */
  #isShared: boolean;
  /** Sectors that the disk cannot read; and those of them that were written since, in the kernel. */
  readonly #lost: Set<number>;
  readonly #covered: Set<number>;

  constructor() {
    this.bytes = new Uint8Array(0);
    this.length = 0;
    this.#behind = [];
    this.#dirty = [];
    this.#flushes = [];
    this.syncedLength = 0;
    this.#zeroFrom = 0;
    this.#isShared = false;
    this.#lost = new Set();
    this.#covered = new Set();
  }

  /** The same again, what is not on the disk included, but no sync under way; neither changes with the other. */
  copy(): MemoryContent {
    const copy = new MemoryContent();
    copy.bytes = this.share();
    copy.length = this.length;
    this.#behind.forEach((held, sector) => {
      if (held === undefined) return;
      copy.#behind[sector] = held;
      copy.#dirty.push(sector);
    });
    copy.syncedLength = this.syncedLength;
    copy.#zeroFrom = this.#zeroFrom;
    copy.#isShared = true;
    copy.loseAs(this);
    for (const sector of this.#covered) copy.#covered.add(sector);
    return copy;
  }

  /** What of `other` cannot be read cannot be read here. */
  loseAs(other: MemoryContent): void {
    for (const sector of other.#lost) this.#lost.add(sector);
  }

  /** The sectors of these bytes cannot be read until they are written again, wholly. */
  lose(from: number, to: number): void {
    for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector += 1) this.#lost.add(sector);
  }

  canRead(from: number, to: number): boolean {
    if (this.#lost.size === 0) return true;
    for (const sector of this.#lost) if (sector * SECTOR < to && (sector + 1) * SECTOR > from) return false;
    return true;
  }

  /** The bytes as they are now, for a reader. */
  share(): Uint8Array {
    this.grow(this.length);
    this.#isShared = true;
    return this.bytes.subarray(0, this.length);
  }

  /** A part as it is now, for a reader: of a small one a copy, for else a write would copy all of it. */
  part(from: number, to: number): Uint8Array {
    if (to <= this.bytes.length && 4 * (to - from) < this.length) return this.bytes.slice(from, to);
    return this.share().subarray(from, to);
  }

  #unshare(): void {
    if (this.#isShared) this.bytes = this.bytes.slice();
    this.#isShared = false;
  }

  /** There are bytes for all of its length, which is `length` at least. */
  grow(length: number): void {
    this.length = Math.max(this.length, length);
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, Math.min(this.bytes.length * 2, 2 ** 26)));
      grown.set(this.bytes);
      this.bytes = grown;
    }
  }

  #sector(sector: number): Uint8Array {
    const from = sector * SECTOR;
    if (from + SECTOR <= this.length) return this.bytes.slice(from, from + SECTOR);
    const copy = new Uint8Array(SECTOR);
    copy.set(this.bytes.subarray(from, this.length));
    return copy;
  }

  /** Its bytes may be changed in place. */
  expose(): Uint8Array {
    this.#unshare();
    this.grow(this.length);
    this.#zeroFrom = this.length;
    return this.bytes.subarray(0, this.length);
  }

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    const zeroFrom = this.#zeroFrom;
    // Zeros where nothing else was ever written: whether they got to the disk shows in the length alone.
    if (position >= zeroFrom && isZero(bytes)) {
      this.length = Math.max(this.length, end);
      return;
    }
    this.#unshare();
    this.grow(end);
    this.#zeroFrom = Math.max(zeroFrom, end);
    for (let sector = Math.floor(position / SECTOR); sector * SECTOR < end; sector += 1) {
      this.#behind[sector] ??= sector * SECTOR >= zeroFrom ? ZEROS : this.#sector(sector);
      for (const flush of this.#flushes) this.#hold(flush, sector);
      this.#soil(sector);
      this.#cover(sector, position, end);
    }
    this.bytes.set(bytes, position);
  }

  #cover(sector: number, from: number, end: number): void {
    const isWhole = from <= sector * SECTOR && end >= Math.min((sector + 1) * SECTOR, this.length);
    if (isWhole && this.#lost.delete(sector)) this.#covered.add(sector);
  }

  #hold(flush: Flush, sector: number): void {
    if (flush.held?.has(sector) === true || !flush.sectors.includes(sector)) return;
    flush.held ??= new Map();
    flush.held.set(sector, this.#sector(sector));
  }

  /** Mostly sectors are written in their order, and then this one is not there yet. */
  #soil(sector: number): void {
    const dirty = this.#dirty;
    const isNext = dirty.length === 0 || sector > dirty[dirty.length - 1]!;
    if (isNext || !dirty.includes(sector)) dirty.push(sector);
  }

  /** What is dirty now is durable after `endFlush` of it, and so is what earlier syncs began with. */
  beginFlush(): Flush {
    const flush: Flush = { sectors: this.#dirty, length: this.length, held: null };
    this.#dirty = [];
    this.#flushes.push(flush);
    return flush;
  }

  endFlush(flush: Flush): void {
    for (let left = this.#flushes.indexOf(flush) + 1; left > 0; left -= 1)
      this.#flushed(this.#flushes.shift()!);
    this.syncedLength = Math.max(this.syncedLength, flush.length);
  }

  #flushed({ sectors, held }: Flush): void {
    for (const sector of sectors) {
      // What was written since is dirty, or in a later flush, and then what was held is a copy.
      this.#behind[sector] = held?.get(sector);
      this.#covered.delete(sector);
    }
  }

  /** The sync failed: its sectors are neither on the disk nor will they be, unless they are written again. */
  failFlush(): void {
    this.#dirty = [];
  }

  /** The process that waited for its syncs is gone; the kernel still has to write their sectors. */
  abandonFlushes(): void {
    for (const { sectors } of this.#flushes) for (const sector of sectors) this.#soil(sector);
    this.#flushes = [];
  }

  /** Undoes what is not on the disk, but for the sectors that `keeps` says got there; how many it did undo. */
  fallBack(keeps: () => boolean): number {
    if (this.#behind.every((held) => held === undefined) && this.syncedLength === this.length) {
      this.settle();
      return 0;
    }
    this.#unshare();
    this.grow(this.length);
    let length = this.syncedLength;
    let undone = 0;
    this.#behind.forEach((held, sector) => {
      if (held === undefined) return;
      const from = sector * SECTOR;
      if (keeps()) {
        length = Math.max(length, Math.min(from + SECTOR, this.length));
      } else {
        this.bytes.set(held.subarray(0, this.bytes.length - from), from);
        if (this.#covered.has(sector)) this.#lost.add(sector);
        undone += 1;
      }
    });
    this.bytes = this.bytes.slice(0, length);
    this.length = length;
    this.settle();
    return undone;
  }

  settle(): void {
    this.#behind.length = 0;
    this.#dirty = [];
    this.#flushes = [];
    this.#covered.clear();
    this.syncedLength = this.length;
  }
}

/** Only chunks as large as those that zero a segment are looked through; anything else counts as used. */
function isZero(bytes: Uint8Array): boolean {
  if (bytes.length < ZERO_CHUNK || bytes.byteOffset % 4 !== 0 || bytes.length % 4 !== 0) return false;
  if (isOfZeros(bytes)) return true;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let at = 0; at < words.length; at += 1) if (words[at] !== 0) return false;
  return true;
}
