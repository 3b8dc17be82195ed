// A disk in memory, for tests, the simulator and the browser. It knows what was synced: `crash` keeps that, and of the
// rest, sector by sector, what chance decides; `kill` keeps everything, as a kernel does when a process dies.
// `crashImage` is what a crash would leave.
import { noSpace } from "../base/no-space.js";
import type { Random } from "../base/random.js";
import type { Disk, DiskCallback, DiskFile } from "./disk.js";

const SECTOR = 512;
const ZERO_CHUNK = 8 * SECTOR;

export type DiskOperation = "write" | "sync";

export interface MemoryDiskOptions {
  /** Runs `task` when the operation is done; at once after what runs now, unless given. */
  readonly schedule?: (operation: DiskOperation, bytes: number, task: () => void) => void;
  /**
   * Asked before every write and sync: an error makes it fail, a failed sync leaves its data unsynced for good,
   * though it can be read and later syncs succeed, until it is written again.
   */
  readonly fault?: (operation: DiskOperation, name: string) => Error | null;
}

/** A sync under way: what its sectors held when it began; null: what they hold still. */
type Flush = Map<number, Uint8Array | null>;

/** What a sector holds that nobody has written; shared, for nothing ever writes into a copy of a sector. */
const ZEROS = new Uint8Array(SECTOR);

/** Content of a file as it is read; per sector, what the disk itself holds and what the kernel still has to write. */
class Content {
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
  copy(): Content {
    const copy = new Content();
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

  slice(from: number, to: number): Uint8Array {
    this.grow(this.length);
    return this.bytes.slice(from, to);
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

export class MemoryDisk implements Disk {
  readonly #options: MemoryDiskOptions;
  #files: Map<string, Content>;
  /** As the directory was at its last sync. */
  #durable: Map<string, Content>;
  /** Counts the lives: an operation of an earlier one is never reported. */
  #life: number;
  /** Bytes of all files at most. */
  quota: number;
  /** Operations so far, for tests that count them. */
  writes: number;
  syncs: number;

  constructor(options: MemoryDiskOptions = {}) {
    this.#options = options;
    this.#files = new Map();
    this.#durable = new Map();
    this.#life = 0;
    this.quota = Number.POSITIVE_INFINITY;
    this.writes = 0;
    this.syncs = 0;
  }

  /**
   * Power fails: what was not synced is lost, but for the sectors and names that `random` keeps. Returns how many
   * sectors are lost of files that are still there.
   */
  crash(random: Random | null = null): number {
    this.#life += 1;
    const keeps = () => random !== null && random.next() < 0.5;
    const survivors = new Map(this.#durable);
    for (const [name, content] of this.#files) if (keeps()) survivors.set(name, content);
    for (const name of this.#durable.keys()) if (!this.#files.has(name) && keeps()) survivors.delete(name);
    let undone = 0;
    for (const content of new Set(survivors.values())) undone += content.fallBack(keeps);
    this.#files = survivors;
    this.#durable = new Map(survivors);
    return undone;
  }

  /** What `crash` would leave now, as a disk of its own, and what it would return; this disk stays as it is. */
  crashImage(random: Random): { readonly disk: MemoryDisk; readonly lost: number } {
    const disk = new MemoryDisk();
    const copies = new Map<Content, Content>();
    const copied = (files: ReadonlyMap<string, Content>) => {
      const all = new Map<string, Content>();
      for (const [name, content] of files) {
        const copy = copies.get(content) ?? content.copy();
        copies.set(content, copy);
        all.set(name, copy);
      }
      return all;
    };
    disk.#files = copied(this.#files);
    disk.#durable = copied(this.#durable);
    return { disk, lost: disk.crash(random) };
  }

  /** The process dies: its operations are never reported, all that it wrote can be read. */
  kill(): void {
    this.#life += 1;
    for (const content of this.#files.values()) content.abandonFlushes();
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** The content of a file, to be looked at or damaged in place. */
  bytesOf(name: string): Uint8Array {
    return this.#content(name).expose();
  }

  /** Puts a file there, durable. */
  put(name: string, bytes: Uint8Array): void {
    const content = new Content();
    content.write(0, bytes);
    content.settle();
    this.#files.set(name, content);
    this.#durable.set(name, content);
  }

  /** A disk with the same files, all of it durable. */
  copy(): MemoryDisk {
    const other = new MemoryDisk(this.#options);
    for (const name of this.#files.keys()) other.put(name, this.bytesOf(name));
    return other;
  }

  #content(name: string): Content {
    const content = this.#files.get(name);
    if (content === undefined) throw new Error(`${name}: no such file`);
    return content;
  }

  /** Bytes of all files. */
  get used(): number {
    let used = 0;
    for (const { length } of this.#files.values()) used += length;
    return used;
  }

  names(): string[] {
    return [...this.#files.keys()].sort();
  }

  async list(): Promise<string[]> {
    return this.names();
  }

  async read(name: string): Promise<Uint8Array> {
    return this.#content(name).share();
  }

  async open(name: string, create: boolean): Promise<DiskFile> {
    if (create) {
      if (this.#files.has(name)) throw new Error(`${name}: file exists`);
      if (this.used >= this.quota) throw noSpace(`no space left on device, ${name}`);
      this.#files.set(name, new Content());
    }
    return this.#file(name, this.#content(name));
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.#content(from);
    this.#files.delete(from);
    this.#files.set(to, content);
  }

  async remove(name: string): Promise<void> {
    this.#content(name);
    this.#files.delete(name);
  }

  async syncDirectory(): Promise<void> {
    this.#durable = new Map(this.#files);
  }

  #file(name: string, content: Content): DiskFile {
    const life = this.#life;
    return {
      name,
      size: async () => content.length,
      read: async (position, length) =>
        content.slice(position, Math.max(position, Math.min(position + length, content.length))),
      write: (position, bytes, done) => {
        this.writes += 1;
        const error = this.#fault("write", name, life) ?? this.#outOfQuota(name, content, position, bytes);
        if (error === null) content.write(position, bytes);
        this.#later("write", bytes.length, life, done, error, null);
      },
      sync: (done) => {
        this.syncs += 1;
        const error = this.#fault("sync", name, life);
        if (error !== null && life === this.#life) content.failFlush();
        this.#later("sync", 0, life, done, error, error === null ? content.beginFlush() : null);
      },
      close: async () => undefined,
    };
  }

  /** As much of the bytes as there is room for is written. */
  #outOfQuota(name: string, content: Content, position: number, bytes: Uint8Array): Error | null {
    const end = position + bytes.length;
    if (this.quota === Number.POSITIVE_INFINITY || end <= content.length) return null;
    const most = content.length + Math.max(0, this.quota - this.used);
    if (end <= most) return null;
    if (most > position) content.write(position, bytes.subarray(0, most - position));
    return noSpace(`no space left on device, ${name}`);
  }

  #fault(operation: DiskOperation, name: string, life: number): Error | null {
    if (life !== this.#life) return new Error(`${name}: of a process that is gone`);
    return this.#options.fault?.(operation, name) ?? null;
  }

  #later(
    operation: DiskOperation,
    bytes: number,
    life: number,
    done: DiskCallback,
    error: Error | null,
    effect: (() => void) | null,
  ): void {
    const task = () => {
      if (life !== this.#life) return;
      effect?.();
      done(error);
    };
    if (this.#options.schedule !== undefined) this.#options.schedule(operation, bytes, task);
    else void Promise.resolve().then(task);
  }
}
