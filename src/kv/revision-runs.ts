// The older revisions of all keys, in few large typed arrays, because an object per key costs too much memory.
// A run is a stretch of rows with room for a power of two; a full run moves to one twice as long.
import { assert } from "../base/assert.js";

const PAGE_BITS = 16;
const PAGE = 1 << PAGE_BITS;
const PAGE_MASK = PAGE - 1;
/** The first page begins so small and doubles, so that a short history costs little. */
const FIRST_ROWS = 256;

/** Fewer are moved one by one; more, which may be a million, as memory is. */
const FEW_ROWS = 64;

/** No run: a key without older revisions. */
export const NO_RUN = -1;

/** Rows of (main, mark); a mark is the sub revision times two, plus one for a tombstone. */
export class RevisionRuns {
  readonly #mains: Float64Array[] = [];
  readonly #marks: Uint32Array[] = [];
  /** Starts of unused runs by capacity, as powers of two. */
  readonly #free: number[][] = [];
  #end = 0;

  main(row: number): number {
    return this.#mains[row >> PAGE_BITS]![row & PAGE_MASK]!;
  }

  mark(row: number): number {
    return this.#marks[row >> PAGE_BITS]![row & PAGE_MASK]!;
  }

  #set(row: number, main: number, mark: number): void {
    this.#mains[row >> PAGE_BITS]![row & PAGE_MASK] = main;
    this.#marks[row >> PAGE_BITS]![row & PAGE_MASK] = mark;
  }

  #allocate(power: number): number {
    const unused = this.#free[power]?.pop();
    if (unused !== undefined) return unused;
    const start = this.#end;
    this.#end += 2 ** power;
    assert(this.#end <= 2 ** 31, "the index holds at most 2^31 older revisions");
    if ((this.#mains[0]?.length ?? 0) < Math.min(this.#end, PAGE)) this.#growFirst();
    while (this.#mains.length * PAGE < this.#end) {
      this.#mains.push(new Float64Array(PAGE));
      this.#marks.push(new Uint32Array(PAGE));
    }
    return start;
  }

  #growFirst(): void {
    const [mains = new Float64Array(0)] = this.#mains;
    const [marks = new Uint32Array(0)] = this.#marks;
    let rows = Math.max(FIRST_ROWS, mains.length);
    while (rows < Math.min(this.#end, PAGE)) rows *= 2;
    this.#mains[0] = new Float64Array(rows);
    this.#marks[0] = new Uint32Array(rows);
    this.#mains[0].set(mains);
    this.#marks[0].set(marks);
  }

  #release(start: number, power: number): void {
    while (this.#free.length <= power) this.#free.push([]);
    this.#free[power]!.push(start);
  }

  /** Within a run only towards its start. */
  #move(from: number, to: number, length: number): void {
    if (length < FEW_ROWS) {
      for (let i = 0; i < length; i += 1) this.#set(to + i, this.main(from + i), this.mark(from + i));
      return;
    }
    for (let done = 0; done < length; ) {
      const source = (from + done) & PAGE_MASK;
      const target = (to + done) & PAGE_MASK;
      const rows = Math.min(length - done, PAGE - source, PAGE - target);
      const sourcePage = (from + done) >> PAGE_BITS;
      const targetPage = (to + done) >> PAGE_BITS;
      this.#mains[targetPage]!.set(this.#mains[sourcePage]!.subarray(source, source + rows), target);
      this.#marks[targetPage]!.set(this.#marks[sourcePage]!.subarray(source, source + rows), target);
      done += rows;
    }
  }

  /** Adds a row behind `length` rows of the run at `start`; returns where the run is now. */
  push(start: number, length: number, main: number, mark: number): number {
    let at = start;
    if (at === NO_RUN) {
      at = this.#allocate(0);
    } else if ((length & (length - 1)) === 0) {
      const power = powerOf(length);
      at = this.#allocate(power + 1);
      this.#move(start, at, length);
      this.#release(start, power);
    }
    this.#set(at + length, main, mark);
    return at;
  }

  /** Drops the first `count` of `length` rows; returns where the run is now. */
  dropFirst(start: number, length: number, count: number): number {
    if (count === 0) return start;
    const left = length - count;
    const power = powerOf(length);
    if (left === 0) {
      this.#release(start, power);
      return NO_RUN;
    }
    const at = powerOf(left) === power ? start : this.#allocate(powerOf(left));
    this.#move(start + count, at, left);
    if (at !== start) this.#release(start, power);
    return at;
  }

  /** How many of the first `length` rows have a main revision up to `revision`. */
  countUpTo(start: number, length: number, revision: number): number {
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.main(start + middle) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The capacity of a run of `length` rows, as a power of two. */
function powerOf(length: number): number {
  return length <= 1 ? 0 : 32 - Math.clz32(length - 1);
}
