// What one life of a replica has written to its log and its promises and not synced yet, as its disk knows it: the
// truth about durability, whatever the log says of itself.

/** Writes of one file that no sync covers. */
export interface FileWrites {
  count: number;
}

export class UnsyncedWrites {
  /** Of each file; none is taken out, for that costs more than it saves. */
  readonly #writes: Map<string, FileWrites>;
  #all: number;

  constructor() {
    this.#writes = new Map();
    this.#all = 0;
  }

  get isEmpty(): boolean {
    return this.#all === 0;
  }

  /** A new life must not trust what the one before it wrote, and says again what it needs (F10). */
  begin(): void {
    this.#writes.clear();
    this.#all = 0;
  }

  /** Of the file `name`, in this life. */
  of(name: string): FileWrites {
    let writes = this.#writes.get(name);
    if (writes === undefined) {
      writes = { count: 0 };
      this.#writes.set(name, writes);
    }
    return writes;
  }

  /** To be called for every write that `isAwaited`. */
  written(writes: FileWrites): void {
    writes.count += 1;
    this.#all += 1;
  }

  /** A sync that began when `covered` writes of the file waited has succeeded. */
  synced(writes: FileWrites, covered: number): void {
    const done = Math.min(covered, writes.count);
    writes.count -= done;
    this.#all -= done;
  }

  /** It was half made, and is gone. */
  removed(name: string): void {
    const writes = this.of(name);
    this.synced(writes, writes.count);
  }
}

/** Whether the log speaks for what is written to a file: not for snapshots, the reserve and the fence. */
export function isAwaited(name: string): boolean {
  return !NOT_OF_THE_LOG.some((start) => name.startsWith(start));
}

const NOT_OF_THE_LOG = ["snapshot-", "reserve", "diverged"];
