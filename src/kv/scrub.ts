// Checks a store while it is in use: its head, the chunks of its index checkpoint, and every record that the index
// knows, for one that nobody reads may be damaged, or missing, for years. Rule: a step is short, however large it is.
import type { ScrubStep } from "../machine/machine.js";
import type { Checkpoint } from "./head.js";
import type { MvccStore } from "./mvcc-store.js";
import { chunkName, headName, type RecordStore, recordName, StoreCorrupt } from "./record-store.js";

/** Where a clock stands still, a step ends all the same. */
const MOST_RECORDS = 1_000;

export class Scrub {
  readonly #records: RecordStore;
  readonly #store: MvccStore;
  /** The next chunk to check; those before it, and the head, are done. */
  #chunk: number;
  /** The next key, of which the changes up to a revision are done. */
  #key: string;
  #doneMain: number;
  #doneSub: number;

  constructor(records: RecordStore, store: MvccStore) {
    this.#records = records;
    this.#store = store;
    this.#chunk = 0;
    this.#key = "";
    this.#doneMain = 0;
    this.#doneSub = 0;
  }

  /** `checkpoint`: null while a commit may be replacing it; its chunks then wait for the next pass. */
  step(checkpoint: Checkpoint | null, isOver: () => boolean): ScrubStep {
    let checked = 0;
    if (this.#key === "" && this.#doneMain === 0 && checkpoint !== null) {
      if (this.#chunk === 0) this.#checkHead(checkpoint);
      while (this.#chunk < checkpoint.chunks) {
        this.#checkChunk(checkpoint);
        checked += 1;
        if (isOver()) return { checked, part: 0, isEnd: false };
      }
    }
    const { records, keys, isEnd } = this.#checkKeys(isOver);
    if (isEnd) {
      this.#chunk = 0;
      this.#key = "";
      this.#doneMain = 0;
      this.#doneSub = 0;
    }
    const { size } = this.#store.index;
    return { checked: checked + records, part: size === 0 ? 1 : Math.min(1, keys / size), isEnd };
  }

  #checkHead({ chunks }: Checkpoint): void {
    if (this.#records.head() === undefined && chunks > 0) throw new StoreCorrupt(`${headName()} is missing`);
  }

  #checkChunk({ generation }: Checkpoint): void {
    if (this.#records.chunk(generation, this.#chunk) === undefined) {
      throw new StoreCorrupt(`${chunkName(generation, this.#chunk)} is missing`);
    }
    this.#chunk += 1;
  }

  /**
   * What a compaction lets go is not looked for: it is removed bit by bit, and after a start the index has it again
   * until the compactor has been round.
   */
  #checkKeys(isOver: () => boolean): { records: number; keys: number; isEnd: boolean } {
    const { index, compactRevision } = this.#store;
    const first = this.#key;
    let records = 0;
    let keys = 0;
    let isStopped = false;
    index.visit(first, null, (key, id) => {
      if (key !== this.#key) {
        this.#key = key;
        this.#doneMain = 0;
        this.#doneSub = 0;
      }
      const before = records;
      index.forEachKept(id, compactRevision, this.#doneMain, (main, sub) => {
        if (main === this.#doneMain && sub <= this.#doneSub) return true;
        this.#checkRecord(main, sub);
        this.#doneMain = main;
        this.#doneSub = sub;
        records += 1;
        isStopped = records >= MOST_RECORDS || isOver();
        return !isStopped;
      });
      // Of many keys in a row there may be nothing to read; the first one of a step is never where it ends for that.
      if (records === before && key !== first) isStopped = keys >= MOST_RECORDS || isOver();
      if (!isStopped) keys += 1;
      return !isStopped;
    });
    return { records, keys, isEnd: !isStopped };
  }

  #checkRecord(main: number, sub: number): void {
    // Not committed yet, so there is nothing of it on disk.
    if (this.#store.overlay.read(main, sub) !== undefined) return;
    if (this.#records.read(main, sub) === undefined) {
      throw new StoreCorrupt(`${recordName(main, sub)} is missing; this replica's store must be rebuilt`);
    }
  }
}
