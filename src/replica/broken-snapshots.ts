// Snapshots that were found damaged and put aside: never restored, but what is whole in them may be all that there is
// of it, so that others, and this replica, may take it from here. Rule: whoever takes a frame checks it.
import type { Slot } from "../paxos/ballot.js";
import type { Disk } from "../wal/disk.js";
import { readPart } from "../wal/unreadable.js";
import { decodeFirstSector, isKnownFormat, isSame, SECTOR, type SnapshotInfo } from "./snapshot-format.js";

export const DAMAGED = ".damaged";
/** The name of a file that was put aside, and its slot. */
export const PUT_ASIDE: RegExp = /^snapshot-(\d{16})\.damaged$/;

interface Broken {
  readonly name: string;
  readonly slot: Slot;
  /** Length of the file. */
  readonly bytes: number;
  /** Null: its first sector cannot be read, so that nobody knows which one of this slot it is. */
  readonly info: SnapshotInfo | null;
}

export class BrokenSnapshots {
  readonly #disk: Disk;
  readonly #found: Map<string, Broken>;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.#found = new Map();
  }

  /** Looks at the file `name`, if it is one that was put aside. */
  async add(name: string): Promise<void> {
    const match = PUT_ASIDE.exec(name);
    if (match === null) return;
    const slot = Number(match[1]);
    const file = await this.#disk.open(name, false);
    try {
      const first = decodeFirstSector(await readPart(file, 0, SECTOR));
      if (first !== null && (!isKnownFormat(first.format) || first.slot !== slot)) return;
      this.#found.set(name, { name, slot, bytes: await file.size(), info: first });
    } finally {
      await file.close();
    }
  }

  /** Those of which it is known which they are, the newest first. */
  get all(): readonly SnapshotInfo[] {
    const known: SnapshotInfo[] = [];
    for (const { info } of this.#found.values()) {
      if (info !== null) known.push({ slot: info.slot, bytes: info.bytes, sum: info.sum });
    }
    return known.sort((a, b) => b.slot - a.slot);
  }

  /** Whether there is a file that is, or may be, what is left of this snapshot. */
  has(info: SnapshotInfo): boolean {
    return this.#find(info) !== null;
  }

  #find(wanted: SnapshotInfo): Broken | null {
    for (const broken of this.#found.values()) {
      const { slot, bytes, info } = broken;
      if (info === null ? slot === wanted.slot && bytes === wanted.bytes : isSame(info, wanted))
        return broken;
    }
    return null;
  }

  /**
   * Bytes of it, whole or not; fewer than `length` where the file ends or cannot be read, none when it is not there any
   * more.
   */
  async read(info: SnapshotInfo, offset: number, length: number): Promise<Uint8Array> {
    const broken = this.#find(info);
    if (broken === null) return new Uint8Array(0);
    // They are the operator's, who may remove them: nobody is told of one any more that is gone.
    if (!(await this.#disk.list()).includes(broken.name)) {
      // Another may have got its name meanwhile.
      if (this.#found.get(broken.name) === broken) this.#found.delete(broken.name);
      return new Uint8Array(0);
    }
    const file = await this.#disk.open(broken.name, false);
    try {
      return await readPart(file, offset, length);
    } finally {
      await file.close();
    }
  }
}
