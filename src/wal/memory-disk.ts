// A disk in memory, for tests, the simulator and the browser. It knows what was synced: `crash` keeps that, and of the
// rest, sector by sector, what chance decides; `kill` keeps everything, as a kernel does when a process dies.
// `crashImage` is what a crash would leave.
import { ioError } from "../base/io-error.js";
import { noSpace } from "../base/no-space.js";
import type { Random } from "../base/random.js";
import type { Disk, DiskFile } from "./disk.js";
import { MemoryContent } from "./memory-content.js";

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

/** Gives a file its name, or takes the name away. */
function named(files: Map<string, MemoryContent>, name: string, content: MemoryContent | null): void {
  if (content === null) files.delete(name);
  else files.set(name, content);
}

export class MemoryDisk implements Disk {
  readonly #options: MemoryDiskOptions;
  #files: Map<string, MemoryContent>;
  /** As the directory was at its last sync. */
  #durable: Map<string, MemoryContent>;
  /** What happened to names since then, in order; null: the name is gone. */
  #changes: { readonly name: string; readonly content: MemoryContent | null }[];
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
    this.#changes = [];
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
    this.#changes = [];
    return undone;
  }

  /** What `crash` would leave now, as a disk of its own, and what it would return; this disk stays as it is. */
  crashImage(random: Random): { readonly disk: MemoryDisk; readonly lost: number } {
    const disk = new MemoryDisk();
    const copies = new Map<MemoryContent, MemoryContent>();
    const copied = (files: ReadonlyMap<string, MemoryContent>) => {
      const all = new Map<string, MemoryContent>();
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

  /** The sectors of these bytes cannot be read (EIO) until they are written again. */
  loseSectors(name: string, from: number, to: number): void {
    this.#content(name).lose(from, to);
  }

  /** Whether no sector of a file is lost. */
  canRead(name: string): boolean {
    const content = this.#content(name);
    return content.canRead(0, content.length);
  }

  /** Puts a file there, durable. */
  put(name: string, bytes: Uint8Array): void {
    const content = new MemoryContent();
    content.write(0, bytes);
    content.settle();
    this.#name(name, content);
    this.#durable.set(name, content);
  }

  /** A disk with the same files, all of it durable. */
  copy(): MemoryDisk {
    const other = new MemoryDisk(this.#options);
    for (const [name, content] of this.#files) {
      other.put(name, this.bytesOf(name));
      other.#content(name).loseAs(content);
    }
    return other;
  }

  #content(name: string): MemoryContent {
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
    const content = this.#content(name);
    if (!content.canRead(0, content.length)) throw ioError("read");
    return content.share();
  }

  async open(name: string, create: boolean): Promise<DiskFile> {
    if (create) {
      if (this.#files.has(name)) throw new Error(`${name}: file exists`);
      if (this.used >= this.quota) throw noSpace(`no space left on device, ${name}`);
      this.#name(name, new MemoryContent());
    }
    return this.#file(name, this.#content(name));
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.#content(from);
    this.#name(from, null);
    this.#name(to, content);
  }

  async remove(name: string): Promise<void> {
    this.#content(name);
    this.#name(name, null);
  }

  async syncDirectory(): Promise<void> {
    for (const { name, content } of this.#changes) named(this.#durable, name, content);
    this.#changes = [];
  }

  #name(name: string, content: MemoryContent | null): void {
    named(this.#files, name, content);
    this.#changes.push({ name, content });
  }

  #file(name: string, content: MemoryContent): DiskFile {
    const life = this.#life;
    return {
      name,
      size: async () => content.length,
      read: async (position, length, into) => {
        const end = Math.max(position, Math.min(position + length, content.length));
        if (!content.canRead(position, end)) throw ioError("read");
        const bytes = content.part(position, end);
        into?.set(bytes);
        return into?.subarray(0, bytes.length) ?? bytes;
      },
      write: (position, bytes, done) => {
        this.writes += 1;
        const error = this.#fault("write", name, life) ?? this.#outOfQuota(name, content, position, bytes);
        if (error === null) content.write(position, bytes);
        this.#later("write", bytes.length, () => {
          if (life === this.#life) done(error);
        });
      },
      sync: (done) => {
        this.syncs += 1;
        const error = this.#fault("sync", name, life);
        if (error !== null && life === this.#life) content.failFlush();
        const flush = error === null ? content.beginFlush() : null;
        this.#later("sync", 0, () => {
          if (life !== this.#life) return;
          if (flush !== null) content.endFlush(flush);
          done(error);
        });
      },
      close: async () => undefined,
    };
  }

  /** As much of the bytes as there is room for is written. */
  #outOfQuota(name: string, content: MemoryContent, position: number, bytes: Uint8Array): Error | null {
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

  #later(operation: DiskOperation, bytes: number, task: () => void): void {
    if (this.#options.schedule !== undefined) this.#options.schedule(operation, bytes, task);
    else void Promise.resolve().then(task);
  }
}
