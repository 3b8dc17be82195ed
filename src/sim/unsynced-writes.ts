// What one life of a replica has written to its log and its promises and not synced yet, as its disk knows it: the
// truth about durability, whatever the log says of itself.

/** At position 0 a segment is made ahead of its use, beside everything else: no batch begins there. */
export function isMade(name: string, position: number): boolean {
  return name.startsWith("log-") && position === 0;
}

export class UnsyncedWrites {
  /** Writes of each file that no sync covers; 0 stays, for taking entries out of a map costs more than it saves. */
  readonly #writes: Map<string, number>;
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

  /** Nothing speaks for a segment that is being made, nor for a snapshot or the reserve. */
  written(name: string, position: number): void {
    if (isMade(name, position) || name.startsWith("snapshot-") || name.startsWith("reserve")) return;
    this.#add(name, 1);
  }

  /** A sync begins; what is returned is to be called when it has succeeded. */
  syncing(name: string): () => void {
    const covered = this.#of(name);
    return () => this.#add(name, -Math.min(covered, this.#of(name)));
  }

  /** It was half made, and is gone. */
  removed(name: string): void {
    this.#add(name, -this.#of(name));
  }

  #of(name: string): number {
    return this.#writes.get(name) ?? 0;
  }

  #add(name: string, more: number): void {
    this.#writes.set(name, this.#of(name) + more);
    this.#all += more;
  }
}
