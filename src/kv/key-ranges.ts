// A set of ranges of keys, kept merged, for finding a put that a delete of the same transaction overlaps.

export class KeyRanges {
  /** Ascending and apart: range i is from `#starts[i]` up to, without, `#ends[i]` (null: no end, the last one). */
  readonly #starts: string[] = [];
  readonly #ends: (string | null)[] = [];

  /** A range that ends before it starts holds nothing. */
  add(start: string, end: string | null): void {
    if (end !== null && end <= start) return;
    let from = this.#countStartsBelow(start);
    const before = this.#ends[from - 1];
    if (from > 0 && (before === null || before! >= start)) from -= 1;
    const to = end === null ? this.#starts.length : this.#countStartsUpTo(end);
    let low = start;
    let high = end;
    if (from < to) {
      if (this.#starts[from]! < low) low = this.#starts[from]!;
      const last = this.#ends[to - 1]!;
      if (high !== null && (last === null || last > high)) high = last;
    }
    this.#starts.splice(from, to - from, low);
    this.#ends.splice(from, to - from, high);
  }

  addAll(other: KeyRanges): void {
    for (let i = 0; i < other.#starts.length; i += 1) this.add(other.#starts[i]!, other.#ends[i]!);
  }

  has(key: string): boolean {
    const i = this.#countStartsUpTo(key) - 1;
    if (i < 0) return false;
    const end = this.#ends[i]!;
    return end === null || key < end;
  }

  #countStartsBelow(key: string): number {
    return this.#count((start) => start < key);
  }

  #countStartsUpTo(key: string): number {
    return this.#count((start) => start <= key);
  }

  #count(isBefore: (start: string) => boolean): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#starts[middle]!)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
