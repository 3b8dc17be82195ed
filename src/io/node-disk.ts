// A data directory as a `Disk`: files of mode 0600 in one directory of mode 0700. A failed write or sync is reported
// once and never tried again here (Rebello et al., "Can Applications Recover from fsync Failures?").
import { close, fdatasync, fstat, open, read, write } from "node:fs";
import { readdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.js";
import type { Disk, DiskCallback, DiskFile } from "../wal/disk.js";
import { makeDirectory, syncDirectory } from "./make-directory.js";

/** Settles a callback of Node.js as a promise. */
function settle<T>(action: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    action((error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
  });
}

export class NodeDisk implements Disk {
  readonly path: string;
  readonly #isReadOnly: boolean;

  private constructor(path: string, isReadOnly: boolean) {
    this.path = path;
    this.#isReadOnly = isReadOnly;
  }

  /** Makes the directory, unless it is there. */
  static async open(path: string): Promise<NodeDisk> {
    await makeDirectory(path);
    return NodeDisk.in(path);
  }

  /** In a directory that `makeDirectory` has made, or has found, in this process. */
  static in(path: string): NodeDisk {
    return new NodeDisk(path, false);
  }

  /** A directory that is there; nothing in it can be changed. */
  static forReading(path: string): NodeDisk {
    return new NodeDisk(path, true);
  }

  #change(): void {
    assert(!this.#isReadOnly, "a directory that is opened for reading is not changed");
  }

  async list(): Promise<string[]> {
    const entries = await readdir(this.path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();
  }

  /** Not by `readFile`: where a sector cannot be read that takes what is before it for the whole of a small file. */
  async read(name: string): Promise<Uint8Array> {
    const descriptor = await settle<number>((done) => open(join(this.path, name), "r", done));
    const file = new NodeFile(name, descriptor);
    try {
      return await file.read(0, await file.size());
    } finally {
      await file.close();
    }
  }

  async open(name: string, create: boolean): Promise<DiskFile> {
    if (create) this.#change();
    const flags = create ? "wx+" : this.#isReadOnly ? "r" : "r+";
    const descriptor = await settle<number>((done) => open(join(this.path, name), flags, 0o600, done));
    return new NodeFile(name, descriptor);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#change();
    await rename(join(this.path, from), join(this.path, to));
  }

  async remove(name: string): Promise<void> {
    this.#change();
    await unlink(join(this.path, name));
  }

  syncDirectory(): Promise<void> {
    return syncDirectory(this.path);
  }
}

class NodeFile implements DiskFile {
  readonly name: string;
  readonly #descriptor: number;

  constructor(name: string, descriptor: number) {
    this.name = name;
    this.#descriptor = descriptor;
  }

  async size(): Promise<number> {
    return (await settle<{ size: number }>((done) => fstat(this.#descriptor, done))).size;
  }

  async read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const left = Math.max(0, (await this.size()) - position);
    const most = Math.min(length, left);
    const bytes = into === undefined ? new Uint8Array(most) : into.subarray(0, most);
    let at = 0;
    while (at < bytes.length) {
      const from = at;
      const count = await settle<number>((done) =>
        read(this.#descriptor, bytes, from, bytes.length - from, position + from, done),
      );
      if (count === 0) break;
      at += count;
    }
    return bytes.subarray(0, at);
  }

  write(position: number, bytes: Uint8Array, done: DiskCallback): void {
    this.#writeFrom(position, bytes, 0, done);
  }

  /** A write may be short: the rest is written after it. */
  #writeFrom(position: number, bytes: Uint8Array, from: number, done: DiskCallback): void {
    write(this.#descriptor, bytes, from, bytes.length - from, position + from, (error, count) => {
      if (error) done(error);
      else if (count === 0 && from < bytes.length) done(new Error(`${this.name}: nothing could be written`));
      else if (from + count < bytes.length) this.#writeFrom(position, bytes, from + count, done);
      else done(null);
    });
  }

  sync(done: DiskCallback): void {
    fdatasync(this.#descriptor, done);
  }

  async close(): Promise<void> {
    await settle<void>((done) => close(this.#descriptor, (error) => done(error ?? null, undefined)));
  }
}
