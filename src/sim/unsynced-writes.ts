// What one life of a replica has written to its log and its promises and not synced yet, as its disk knows it: the
// truth about durability, whatever the log says of itself.

export class UnsyncedWrites {
  /** Writes of each file that no sync covers. */
  readonly #writes: Map<string, number>;

  constructor() {
    this.#writes = new Map();
  }

  get isEmpty(): boolean {
    return this.#writes.size === 0;
  }

  /** A new life must not trust what the one before it wrote, and says again what it needs (F10). */
  begin(): void {
    this.#writes.clear();
  }

  /** At position 0 a segment is made ahead of its use, beside everything else: nothing speaks for it yet. */
  written(name: string, position: number): void {
    if (name.startsWith("log-") && position === 0) return;
    this.#writes.set(name, this.#of(name) + 1);
  }

  /** A sync begins; what is returned is to be called when it has succeeded. */
  syncing(name: string): () => void {
    const covered = this.#of(name);
    return () => {
      const left = this.#of(name) - covered;
      if (left > 0) this.#writes.set(name, left);
      else this.#writes.delete(name);
    };
  }

  #of(name: string): number {
    return this.#writes.get(name) ?? 0;
  }
}
