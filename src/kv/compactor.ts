// Frees what a compaction made unreadable, key by key, in slices, while commands go on. Only a compaction that is
// durable is carried out, so that a crash never leaves an older state without its records.
import { isNoSpace } from "../base/no-space.js";
import { type MvccStore, NEVER_COMPACTED } from "./mvcc-store.js";
import type { RecordStore, RevisionKey } from "./record-store.js";

/** Keys looked at, and changes dropped, between two pauses: about 2 ms. */
const SLICE_KEYS = 1_000;
const SLICE_CHANGES = 10_000;

export class Compactor {
  readonly #store: MvccStore;
  readonly #records: RecordStore;
  /** The newest compaction that is on disk. */
  #durable: number;
  /** Tombstones above it are still needed: a restart from the checkpoint learns of the deletes by them alone. */
  #checkpointBase: number;
  /** Every key was pruned up to this. */
  #prunedTo = NEVER_COMPACTED;
  /** Pruned from the index, and removed once a checkpoint covers them; in lists that are looked through at once. */
  #deferred: RevisionKey[][] = [];
  /** Reads under way, by the revision that they need. */
  readonly #pins: number[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;
  /** Why it ended, if it failed; a commit tells it on. */
  failure: unknown = null;

  constructor(store: MvccStore, records: RecordStore, durable: number, checkpointBase: number) {
    this.#store = store;
    this.#records = records;
    this.#durable = durable;
    this.#checkpointBase = checkpointBase;
  }

  /** Tombstones that wait for a checkpoint. */
  get deferredCount(): number {
    return this.#deferred.reduce((count, some) => count + some.length, 0);
  }

  /** Keeps `revision` readable until `unpin`; it can be read now. */
  pin(revision: number): void {
    this.#pins.push(revision);
  }

  unpin(revision: number): void {
    this.#pins.splice(this.#pins.indexOf(revision), 1);
    this.#goOn();
  }

  /** Called when a commit is flushed. */
  committed(compactRevision: number): void {
    this.#durable = compactRevision;
    this.#goOn();
  }

  /** What a checkpoint up to `base` lets go; removed together with the commit that completes it. In slices. */
  async takeDeferred(base: number): Promise<RevisionKey[]> {
    const covered: RevisionKey[] = [];
    const lists = this.#deferred;
    this.#deferred = [];
    for (const some of lists) {
      const later: RevisionKey[] = [];
      for (const revision of some) (revision.main <= base ? covered : later).push(revision);
      this.defer(later);
      await this.#records.turn();
    }
    return covered;
  }

  /** Not removed yet: they go with a later checkpoint. */
  defer(revisions: readonly RevisionKey[]): void {
    let last = this.#deferred.at(-1);
    for (const revision of revisions) {
      if (last === undefined || last.length === SLICE_CHANGES) {
        last = [];
        this.#deferred.push(last);
      }
      last.push(revision);
    }
  }

  /** The checkpoint is durable. */
  checkpointed(base: number): void {
    this.#checkpointBase = base;
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Resolves when what can be freed now is freed. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  #target(): number {
    return Math.min(this.#durable, ...this.#pins);
  }

  #goOn(): void {
    if (this.#running !== null || this.#stopped || this.failure !== null) return;
    if (this.#target() <= this.#prunedTo) return;
    this.#running = this.#pruneAll(this.#target()).then(
      () => {
        this.#running = null;
        this.#goOn();
      },
      (error: unknown) => {
        this.#running = null;
        this.failure = error;
      },
    );
  }

  async #pruneAll(target: number): Promise<void> {
    let next: string | null = "";
    while (next !== null && !this.#stopped) {
      const removed: RevisionKey[] = [];
      next = this.#pruneSlice(next, target, removed);
      if (removed.length > 0) await this.#remove(removed);
      await this.#records.turn();
    }
    if (!this.#stopped) this.#prunedTo = target;
  }

  async #remove(removed: readonly RevisionKey[]): Promise<void> {
    try {
      await this.#records.remove(removed);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.defer(removed);
    }
  }

  /** Returns where the next slice starts, null at the end. */
  #pruneSlice(start: string, target: number, removed: RevisionKey[]): string | null {
    const index = this.#store.index;
    const keys: string[] = [];
    const ids: number[] = [];
    let next: string | null = null;
    index.visit(start, null, (key, id) => {
      if (keys.length === SLICE_KEYS) {
        next = key;
        return false;
      }
      keys.push(key);
      ids.push(id);
      return true;
    });
    let left = SLICE_CHANGES;
    const deferred: RevisionKey[] = [];
    const drop = (main: number, sub: number, isTombstone: boolean): void => {
      left -= 1;
      const isNeeded = isTombstone && main > this.#checkpointBase;
      (isNeeded ? deferred : removed).push({ main, sub });
    };
    for (let i = 0; i < keys.length; i += 1) {
      if (left > 0 && index.prune(keys[i]!, ids[i]!, target, left, drop)) continue;
      next = keys[i]!;
      break;
    }
    this.defer(deferred);
    return next;
  }
}
