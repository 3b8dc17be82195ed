// Notes which sectors of a data directory cannot be read, whatever it is that reads them: what they mean for the
// replica others say, and that they are bad sectors nobody else does.
import { isIoError } from "../../base/io-error.js";
import type { Disk, DiskFile } from "../../wal/disk.js";
import { SECTOR } from "../../wal/record-codec.js";
import type { Inspection } from "./inspection.js";

export class NotingDisk implements Disk {
  readonly #disk: Disk;
  /** Where they begin, by file. */
  readonly #bad: Map<string, Set<number>>;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.#bad = new Map();
  }

  list = () => this.#disk.list();
  read = (name: string) => this.#disk.read(name);
  rename = (from: string, to: string) => this.#disk.rename(from, to);
  remove = (name: string) => this.#disk.remove(name);
  syncDirectory = () => this.#disk.syncDirectory();

  async open(name: string, create: boolean): Promise<DiskFile> {
    const file = await this.#disk.open(name, create);
    return {
      name,
      size: () => file.size(),
      read: (position, length, into) =>
        this.#noted(name, position, length, () => file.read(position, length, into)),
      write: (position, bytes, done) => file.write(position, bytes, done),
      sync: (done) => file.sync(done),
      close: () => file.close(),
    };
  }

  /** Only of one sector is it known which one it is. It may be read at a later try. */
  async #noted<T>(name: string, position: number, length: number, read: () => Promise<T>): Promise<T> {
    const sector = position - (position % SECTOR);
    const isOne = position + length <= sector + SECTOR;
    try {
      const found = await read();
      if (isOne) this.#bad.get(name)?.delete(sector);
      return found;
    } catch (error) {
      if (isOne && isIoError(error)) this.#bad.set(name, (this.#bad.get(name) ?? new Set()).add(sector));
      throw error;
    }
  }

  /** A finding for each row of neighbours. */
  tell(found: Inspection): void {
    for (const [name, sectors] of this.#bad) {
      for (const from of [...sectors].sort((a, b) => a - b)) {
        if (sectors.has(from - SECTOR)) continue;
        let to = from + SECTOR;
        while (sectors.has(to)) to += SECTOR;
        const text =
          `the disk cannot read ${to - from} bytes from here on (EIO); they count as damaged, and what that means is ` +
          "said in a line of its own, unless nothing that is needed was there; look at the disk";
        found.find(name, from, text);
      }
    }
  }
}
