// Content of a file of a `MemoryDisk`: what is read of it; and per sector, what the disk itself holds and what the
// kernel still has to write. A sector is written whole or not at all.

const SECTOR = 512;
const ZERO_CHUNK = 8 * SECTOR;

/** A sync under way: what its sectors held when it began; null: what they hold still. */
type Flush = Map<number, Uint8Array | null>;

/** What a sector holds that nobody has written; shared, for nothing ever writes into a copy of a sector. */
const ZEROS = new Uint8Array(SECTOR);

export class MemoryContent {
  bytes: Uint8Array;
  length: number;
  /** What the disk holds of the sectors where it differs from what is read. */
  readonly behind: Map<number, Uint8Array>;
  /** Sectors that the next sync writes. A failed sync takes them off too: the kernel calls them clean (F10). */
  dirty: Flush;
  flushes: Flush[];
  /** Length to which the file falls back. */
  syncedLength: number;
  /** From here on nothing but zeros was ever written. */
  #zeroFrom: number;
  /** A reader has the bytes: they are copied before they change. */
  #isShared: boolean;

  constructor() {
    this.bytes = new Uint8Array(0);
    this.length = 0;
    this.behind = new Map();
    this.dirty = new Map();
    this.flushes = [];
    this.syncedLength = 0;
    this.#zeroFrom = 0;
    this.#isShared = false;
  }

  /** The same again, what is not on the disk included, but no sync under way; neither changes with the other. */
  copy(): MemoryContent {
    const copy = new MemoryContent();
    copy.bytes = this.share();
    copy.length = this.length;
    for (const [sector, held] of this.behind) {
      copy.behind.set(sector, held);
      copy.dirty.set(sector, null);
    }
    copy.syncedLength = this.syncedLength;
    copy.#zeroFrom = this.#zeroFrom;
    copy.#isShared = true;
    return copy;
  }

  /** The bytes as they are now, for a reader. */
  share(): Uint8Array {
    this.grow(this.length);
    this.#isShared = true;
    return this.bytes.subarray(0, this.length);
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
    const copy = new Uint8Array(SECTOR);
    copy.set(this.bytes.subarray(sector * SECTOR, Math.min((sector + 1) * SECTOR, this.length)));
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
      if (!this.behind.has(sector)) {
        this.behind.set(sector, sector * SECTOR >= zeroFrom ? ZEROS : this.#sector(sector));
      }
      for (const flush of this.flushes) {
        if (flush.get(sector) === null) flush.set(sector, this.#sector(sector));
      }
      this.dirty.set(sector, null);
    }
    this.bytes.set(bytes, position);
  }

  /** What is dirty now is durable when the function returned is called, and so is what earlier syncs began with. */
  beginFlush(): () => void {
    const flush = this.dirty;
    this.dirty = new Map();
    this.flushes.push(flush);
    const length = this.length;
    return () => {
      for (let left = this.flushes.indexOf(flush) + 1; left > 0; left -= 1) {
        this.flushes.shift()!.forEach(this.#flushed);
      }
      this.syncedLength = Math.max(this.syncedLength, length);
    };
  }

  readonly #flushed = (held: Uint8Array | null, sector: number): void => {
    // What was written since is dirty, or in a later flush, and then what was held is a copy.
    if (held !== null) this.behind.set(sector, held);
    else this.behind.delete(sector);
  };

  /** The sync failed: its sectors are neither on the disk nor will they be, unless they are written again. */
  failFlush(): void {
    this.dirty = new Map();
  }

  /** The process that waited for its syncs is gone; the kernel still has to write their sectors. */
  abandonFlushes(): void {
    for (const flush of this.flushes) for (const sector of flush.keys()) this.dirty.set(sector, null);
    this.flushes = [];
  }

  /** Undoes what is not on the disk, but for the sectors that `keeps` says got there; how many it did undo. */
  fallBack(keeps: () => boolean): number {
    if (this.behind.size === 0 && this.syncedLength === this.length) {
      this.settle();
      return 0;
    }
    this.#unshare();
    this.grow(this.length);
    let length = this.syncedLength;
    let undone = 0;
    for (const sector of [...this.behind.keys()].sort((a, b) => a - b)) {
      const from = sector * SECTOR;
      if (keeps()) {
        length = Math.max(length, Math.min(from + SECTOR, this.length));
      } else {
        this.bytes.set(this.behind.get(sector)!.subarray(0, this.bytes.length - from), from);
        undone += 1;
      }
    }
    this.bytes = this.bytes.slice(0, length);
    this.length = length;
    this.settle();
    return undone;
  }

  settle(): void {
    this.behind.clear();
    this.dirty = new Map();
    this.flushes = [];
    this.syncedLength = this.length;
  }
}

/** Only chunks as large as those that zero a segment are looked through; anything else counts as used. */
function isZero(bytes: Uint8Array): boolean {
  if (bytes.length < ZERO_CHUNK || bytes.byteOffset % 4 !== 0 || bytes.length % 4 !== 0) return false;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let at = 0; at < words.length; at += 1) if (words[at] !== 0) return false;
  return true;
}
