// A disk that counts what is asked of it, and from one operation on does nothing more: to die at each of them in turn.
import type { Disk, DiskFile } from "../../src/wal/disk.js";

export class DyingDisk implements Disk {
  readonly #disk: Disk;
  /** Operations that change something, as they came: kind and file. */
  readonly done: string[] = [];
  /** So many are still done; the next one, and all after it, never. */
  left = Number.POSITIVE_INFINITY;
  /** The error with which an operation fails; null: it does not. */
  fault: (operation: string) => Error | null = () => null;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get isDead(): boolean {
    return this.left < 0;
  }

  #goesOn(operation: string): boolean {
    this.left -= 1;
    if (this.isDead) return false;
    this.done.push(operation);
    return true;
  }

  async #step<T>(operation: string, run: () => Promise<T>): Promise<T> {
    if (!this.#goesOn(operation)) return new Promise(() => {});
    const error = this.fault(operation);
    if (error !== null) throw error;
    return run();
  }

  list = () => this.#disk.list();
  read = (name: string) => this.#disk.read(name);
  rename = (from: string, to: string) => this.#step(`rename ${to}`, () => this.#disk.rename(from, to));
  remove = (name: string) => this.#step(`remove ${name}`, () => this.#disk.remove(name));
  syncDirectory = () => this.#step("sync directory", () => this.#disk.syncDirectory());

  async open(name: string, create: boolean): Promise<DiskFile> {
    const opened = () => this.#disk.open(name, create);
    const file = await (create ? this.#step(`create ${name}`, opened) : opened());
    return {
      name,
      size: () => file.size(),
      read: (position, length) => file.read(position, length),
      close: () => file.close(),
      write: (position, bytes, done) => {
        if (this.#goesOn(`write ${name}`)) file.write(position, bytes, done);
      },
      sync: (done) => {
        if (this.#goesOn(`sync ${name}`)) file.sync(done);
      },
    };
  }
}
