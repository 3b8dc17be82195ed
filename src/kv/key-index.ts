// The index: every key with the revisions at which it was changed since the last compaction, in memory.
// Keys are latin1 strings in a B-tree; what belongs to a key lies in columns of typed arrays under its number.
import sortedBTree from "sorted-btree";
import { bulkLoad } from "sorted-btree/extended/bulkLoad.js";
import { assert } from "../base/assert.js";
import { NO_RUN, RevisionRuns } from "./revision-runs.js";

const BTree = sortedBTree.default;

const PAGE_BITS = 14;
const PAGE = 1 << PAGE_BITS;
/** The first page begins so small and doubles, so that an index of few keys costs little. */
const FIRST_ENTRIES = 64;
const PAGE_MASK = PAGE - 1;

function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** No such key. */
export const NO_KEY = -1;

class EntryPage {
  /** The newest change: its revision, and its sub revision times two plus one for a tombstone. */
  readonly mains: Float64Array;
  readonly marks: Uint32Array;
  /** Of the generation that the newest change belongs to. */
  readonly created: Float64Array;
  readonly versions: Float64Array;
  /** Older changes, in `RevisionRuns`. */
  readonly runs: Int32Array;
  readonly runLengths: Uint32Array;

  constructor(entries: number) {
    this.mains = new Float64Array(entries);
    this.marks = new Uint32Array(entries);
    this.created = new Float64Array(entries);
    this.versions = new Float64Array(entries);
    this.runs = new Int32Array(entries);
    this.runLengths = new Uint32Array(entries);
  }

  /** Twice as long, with the same entries. */
  doubled(): EntryPage {
    const page = new EntryPage(2 * this.mains.length);
    page.mains.set(this.mains);
    page.marks.set(this.marks);
    page.created.set(this.created);
    page.versions.set(this.versions);
    page.runs.set(this.runs);
    page.runLengths.set(this.runLengths);
    return page;
  }
}

/** Spreads a revision over 32 bits, for sums that tell sets of revisions apart. */
export function mixOf(main: number, sub: number): number {
  let hash =
    Math.imul(main ^ Math.imul(main / 2 ** 32, 0x85ebca6b), 0x9e3779b1) ^ Math.imul(sub + 1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Takes one revision that is no longer in the index. */
export type DropRevision = (main: number, sub: number, isTombstone: boolean) => void;

export class KeyIndex {
  #tree = new BTree<string, number>(undefined, compareStrings);
  readonly #runs = new RevisionRuns();
  readonly #pages: EntryPage[] = [];
  readonly #free: number[] = [];
  #end = 0;
  /** Keys that are there at the newest revision. */
  live = 0;
  /** Sum of `mixOf` over the newest changes of those keys. */
  sum = 0;
  /** What `isLiveAt` and `lastChangeUpTo` found. */
  foundMain = 0;
  foundSub = 0;
  foundTombstone = false;

  /** All keys, with those that only have a history. */
  get size(): number {
    return this.#tree.size;
  }

  find(key: string): number {
    return this.#tree.get(key) ?? NO_KEY;
  }

  isLive(id: number): boolean {
    return (this.#page(id).marks[id & PAGE_MASK]! & 1) === 0;
  }

  /** Of the newest change. */
  main(id: number): number {
    return this.#page(id).mains[id & PAGE_MASK]!;
  }

  /** Of the newest change. */
  sub(id: number): number {
    return this.#page(id).marks[id & PAGE_MASK]! >>> 1;
  }

  /** Of a live key. */
  created(id: number): number {
    return this.#page(id).created[id & PAGE_MASK]!;
  }

  version(id: number): number {
    return this.#page(id).versions[id & PAGE_MASK]!;
  }

  #page(id: number): EntryPage {
    return this.#pages[id >> PAGE_BITS]!;
  }

  #newEntry(): number {
    let id = this.#free.pop();
    if (id === undefined) {
      id = this.#end;
      this.#end += 1;
      if (id >> PAGE_BITS === this.#pages.length) {
        this.#pages.push(new EntryPage(this.#pages.length === 0 ? FIRST_ENTRIES : PAGE));
      } else if (id === this.#pages[0]!.mains.length && id < PAGE) {
        this.#pages[0] = this.#pages[0]!.doubled();
      }
    }
    const page = this.#page(id);
    page.mains[id & PAGE_MASK] = 0;
    page.runs[id & PAGE_MASK] = NO_RUN;
    page.runLengths[id & PAGE_MASK] = 0;
    return id;
  }

  #pushNewest(page: EntryPage, at: number): void {
    const length = page.runLengths[at]!;
    page.runs[at] = this.#runs.push(page.runs[at]!, length, page.mains[at]!, page.marks[at]!);
    page.runLengths[at] = length + 1;
  }

  /** A put; returns the key's number, under which `created` and `version` are those after it. */
  put(key: string, main: number, sub: number): number {
    const id = this.find(key);
    const continues = id !== NO_KEY && this.isLive(id);
    const created = continues ? this.created(id) : main;
    const version = continues ? this.version(id) + 1 : 1;
    return this.#change(id, key, main, sub, created, version);
  }

  /** A put as its record tells it, when the index is read back; returns the key's number. */
  restorePut(key: string, main: number, sub: number, created: number, version: number): number {
    return this.#change(this.find(key), key, main, sub, created, version);
  }

  #change(known: number, key: string, main: number, sub: number, created: number, version: number): number {
    const id = known === NO_KEY ? this.#newEntry() : known;
    const page = this.#page(id);
    const at = id & PAGE_MASK;
    if (known === NO_KEY) {
      this.#tree.set(key, id);
    } else {
      this.#pushNewest(page, at);
      this.#countOut(page, at);
    }
    page.mains[at] = main;
    page.marks[at] = sub * 2;
    this.#countIn(page, at);
    page.created[at] = created;
    page.versions[at] = version;
    return id;
  }

  /** A delete of a key that is live. */
  delete(id: number, main: number, sub: number): void {
    const page = this.#page(id);
    const at = id & PAGE_MASK;
    this.#pushNewest(page, at);
    this.#countOut(page, at);
    page.mains[at] = main;
    page.marks[at] = sub * 2 + 1;
    page.created[at] = 0;
    page.versions[at] = 0;
  }

  /** A delete as its record tells it; the records before it may have gone with a compaction. */
  restoreDelete(key: string, main: number, sub: number): void {
    const id = this.find(key);
    if (id === NO_KEY) this.#tree.set(key, this.restoreEntry(0, 0, [main], [sub * 2 + 1]));
    else this.delete(id, main, sub);
  }

  /**
   * A whole entry of a checkpoint, but for its key; revisions ascend, the last is the newest. Returns its number, for
   * `restoreKeys`.
   */
  restoreEntry(created: number, version: number, mains: readonly number[], marks: readonly number[]): number {
    const id = this.#newEntry();
    const page = this.#page(id);
    const at = id & PAGE_MASK;
    for (let i = 0; i < mains.length; i += 1) {
      if (i > 0) this.#pushNewest(page, at);
      page.mains[at] = mains[i]!;
      page.marks[at] = marks[i]!;
    }
    page.created[at] = created;
    page.versions[at] = version;
    this.#countIn(page, at);
    return id;
  }

  /** The keys of an index that has none yet, strictly ascending, with their numbers: quicker than one by one. */
  restoreKeys(keys: string[], ids: number[]): void {
    assert(this.#tree.isEmpty, "an index that is restored has no keys yet");
    this.#tree = bulkLoad(keys, ids, this.#tree.maxNodeSize, compareStrings);
  }

  #countIn(page: EntryPage, at: number): void {
    if ((page.marks[at]! & 1) === 1) return;
    this.live += 1;
    this.sum = (this.sum + mixOf(page.mains[at]!, page.marks[at]! >>> 1)) >>> 0;
  }

  #countOut(page: EntryPage, at: number): void {
    if ((page.marks[at]! & 1) === 1) return;
    this.live -= 1;
    this.sum = (this.sum - mixOf(page.mains[at]!, page.marks[at]! >>> 1)) >>> 0;
  }

  /** Every change of a key from revision `from` on, ascending, until `visit` says false. */
  forEachChange(id: number, from: number, visit: (main: number, mark: number) => boolean): void {
    const page = this.#page(id);
    const at = id & PAGE_MASK;
    const run = page.runs[at]!;
    const length = page.runLengths[at]!;
    const first = run === NO_RUN ? 0 : this.#runs.countUpTo(run, length, from - 1);
    for (let i = first; i < length; i += 1) {
      if (!visit(this.#runs.main(run + i), this.#runs.mark(run + i))) return;
    }
    if (page.mains[at]! >= from) visit(page.mains[at]!, page.marks[at]!);
  }

  /**
   * Every change of a key, from revision `from` on, that a compaction at `revision` leaves, whether `prune` has
   * come to the key or not; ascending, until `visit` says false.
   */
  forEachKept(
    id: number,
    revision: number,
    from: number,
    visit: (main: number, sub: number) => boolean,
  ): void {
    const page = this.#page(id);
    const at = id & PAGE_MASK;
    const run = page.runs[at]!;
    const length = page.runLengths[at]!;
    const newest = page.mains[at]!;
    if (run !== NO_RUN && newest > revision) {
      const first = this.#runs.countUpTo(run, length, revision) - 1;
      for (let i = Math.max(0, first, this.#runs.countUpTo(run, length, from - 1)); i < length; i += 1) {
        const main = this.#runs.main(run + i);
        const mark = this.#runs.mark(run + i);
        if (isKept(main, mark, revision) && !visit(main, mark >>> 1)) return;
      }
    }
    const mark = page.marks[at]!;
    if (newest >= from && isKept(newest, mark, revision)) visit(newest, mark >>> 1);
  }

  /** Finds the last change at or below `revision`: a put or a tombstone. */
  lastChangeUpTo(id: number, revision: number): boolean {
    const page = this.#page(id);
    const at = id & PAGE_MASK;
    let main = page.mains[at]!;
    let mark = page.marks[at]!;
    if (main > revision) {
      const run = page.runs[at]!;
      const count = run === NO_RUN ? 0 : this.#runs.countUpTo(run, page.runLengths[at]!, revision);
      if (count === 0) return false;
      main = this.#runs.main(run + count - 1);
      mark = this.#runs.mark(run + count - 1);
    }
    this.foundMain = main;
    this.foundSub = mark >>> 1;
    this.foundTombstone = (mark & 1) === 1;
    return true;
  }

  /** Whether the key is there at `revision`; `foundMain` and `foundSub` say which record holds it. */
  isLiveAt(id: number, revision: number): boolean {
    return this.lastChangeUpTo(id, revision) && !this.foundTombstone;
  }

  /** Visits keys from `start` up to and without `end` (null: without end) in order until `visit` says false. */
  visit(start: string, end: string | null, visit: (key: string, id: number) => boolean): void {
    const pair: (string | number)[] = [];
    const found = this.#tree.entries(start, pair);
    for (let step = found.next(); step.done !== true; step = found.next()) {
      const key = pair[0] as string;
      if (end !== null && key >= end) return;
      if (!visit(key, pair[1] as number)) return;
    }
  }

  /**
   * Forgets what a compaction at `revision` makes unreadable: everything before the last change up to it, and
   * that too when it is a tombstone, unless it is at `revision` itself, which a watch may still ask for. Drops
   * `atMost` changes, the oldest, and a tombstone that was the last; says whether that was all.
   */
  prune(key: string, id: number, revision: number, atMost: number, drop: DropRevision): boolean {
    const page = this.#page(id);
    const at = id & PAGE_MASK;
    const run = page.runs[at]!;
    const length = page.runLengths[at]!;
    if (page.mains[at]! <= revision) {
      if (!this.#dropRows(page, at, length, atMost, drop)) return false;
      const mark = page.marks[at]!;
      if ((mark & 1) === 0 || page.mains[at] === revision) return true;
      drop(page.mains[at]!, mark >>> 1, true);
      this.#tree.delete(key);
      this.#free.push(id);
      return true;
    }
    if (run === NO_RUN) return true;
    let count = this.#runs.countUpTo(run, length, revision) - 1;
    if (count < 0) return true;
    const isTombstone = (this.#runs.mark(run + count) & 1) === 1;
    if (isTombstone && this.#runs.main(run + count) < revision) count += 1;
    return this.#dropRows(page, at, count, atMost, drop);
  }

  /** The first `all`, or `atMost` of them; says whether that was all. */
  #dropRows(page: EntryPage, at: number, all: number, atMost: number, drop: DropRevision): boolean {
    const run = page.runs[at]!;
    const count = Math.min(all, atMost);
    for (let i = 0; i < count; i += 1) {
      const mark = this.#runs.mark(run + i);
      drop(this.#runs.main(run + i), mark >>> 1, (mark & 1) === 1);
    }
    page.runs[at] = this.#runs.dropFirst(run, page.runLengths[at]!, count);
    page.runLengths[at] = page.runLengths[at]! - count;
    return count === all;
  }
}

/** By a compaction at `revision`: a put that it comes to, and a tombstone that is not older. */
function isKept(main: number, mark: number, revision: number): boolean {
  return (mark & 1) === 0 || main >= revision;
}
