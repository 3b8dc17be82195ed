// The state: an index over the records of every revision since the last compaction. A change takes the next main
// revision; its parts count up the sub revision; nothing is ever overwritten. Revisions count as etcd counts them.
import { assert } from "../base/assert.js";
import type { KeyValue } from "../proto/gen/kv.js";
import type { Bounds } from "./bounds.js";
import type { KvRefusal } from "./commands.js";
import { type KeyIndex, NO_KEY } from "./key-index.js";
import { bytesOfLatin1, latin1OfBytes } from "./latin1.js";
import { Overlay } from "./overlay.js";
import { decodeRecord, encodePut, encodeTombstone, RecordBlocks } from "./record.js";
import { type RecordStore, recordName, StoreCorrupt } from "./record-store.js";
import { type DigestLanes, RunningDigest } from "./running-digest.js";

/** A fresh store is at revision 1; its first change makes revision 2. */
export const FIRST_REVISION = 1;
/** Nothing was compacted yet; as in etcd lower than 0, so that a compaction at 0 succeeds once. */
export const NEVER_COMPACTED = -1;

export class MvccStore {
  readonly index: KeyIndex;
  readonly overlay: Overlay;
  /** Of every change since the cluster began. */
  readonly digest: RunningDigest;
  readonly #records: RecordStore;
  readonly #blocks = new RecordBlocks();
  /** Of the last change that is complete. */
  revision: number;
  compactRevision: number;
  /** Records that the index was told of one by one, at its loading and since. */
  indexed: number;
  /** Parts made of the change under way. */
  #parts = 0;
  #isChanging = false;

  constructor(
    records: RecordStore,
    index: KeyIndex,
    revision: number,
    compactRevision: number,
    digest: DigestLanes,
    indexed = 0,
  ) {
    this.#records = records;
    this.index = index;
    this.overlay = new Overlay(revision + 1);
    this.digest = new RunningDigest(digest);
    this.revision = revision;
    this.compactRevision = compactRevision;
    this.indexed = indexed;
  }

  /** What a read sees: the newest revision, with what the change under way has done already. */
  get readRevision(): number {
    return this.#parts > 0 ? this.revision + 1 : this.revision;
  }

  beginChange(): void {
    assert(!this.#isChanging, "changes are made one at a time");
    this.#isChanging = true;
  }

  /** A change that changed nothing takes no revision. */
  endChange(): void {
    assert(this.#isChanging, "a change that ends has begun");
    this.#isChanging = false;
    if (this.#parts > 0) this.revision += 1;
    this.#parts = 0;
  }

  /** Why a read at `revision` (0 or less: the newest) is refused, if it is. */
  refusesRead(revision: number): KvRefusal | null {
    if (revision <= 0) return null;
    if (revision > this.readRevision) return "futureRevision";
    return revision < this.compactRevision ? "compacted" : null;
  }

  /** The put whose record is at this revision. */
  read(main: number, sub: number): KeyValue {
    const body = this.overlay.read(main, sub) ?? this.#records.read(main, sub);
    if (body === undefined) {
      throw new StoreCorrupt(`${recordName(main, sub)} is missing; this replica's store must be rebuilt`);
    }
    return decodeRecord(body, main, sub);
  }

  /** The key as it is now, the change under way included; undefined when it is not there. */
  get(key: Uint8Array): KeyValue | undefined {
    const id = this.index.find(latin1OfBytes(key));
    if (id === NO_KEY || !this.index.isLiveAt(id, this.readRevision)) return undefined;
    return this.read(this.index.foundMain, this.index.foundSub);
  }

  has(key: Uint8Array): boolean {
    const id = this.index.find(latin1OfBytes(key));
    return id !== NO_KEY && this.index.isLive(id);
  }

  /** A part of the change under way; returns its main revision. */
  put(key: Uint8Array, value: Uint8Array, lease: bigint): number {
    assert(this.#isChanging, "a put is part of a change");
    const main = this.revision + 1;
    const sub = this.#parts;
    const id = this.index.put(latin1OfBytes(key), main, sub);
    const created = this.index.created(id);
    const version = this.index.version(id);
    this.#append(main, sub, encodePut(this.#blocks, main, sub, key, created, version, lease, value));
    return main;
  }

  /** Deletes what is there now within the bounds, in order of keys; returns how many keys. */
  delete(bounds: Bounds): number {
    assert(this.#isChanging, "a delete is part of a change");
    if (bounds.isSingle) {
      const id = this.index.find(bounds.start);
      if (id === NO_KEY || !this.index.isLive(id)) return 0;
      this.#tombstone(bounds.start, id);
      return 1;
    }
    let deleted = 0;
    this.index.visit(bounds.start, bounds.end, (key, id) => {
      if (this.index.isLive(id)) {
        this.#tombstone(key, id);
        deleted += 1;
      }
      return true;
    });
    return deleted;
  }

  #tombstone(key: string, id: number): void {
    const main = this.revision + 1;
    const sub = this.#parts;
    this.index.delete(id, main, sub);
    this.#append(main, sub, encodeTombstone(this.#blocks, main, sub, bytesOfLatin1(key)));
  }

  #append(main: number, sub: number, sealed: Uint8Array): void {
    this.overlay.append(main, sub, sealed);
    this.digest.record(sealed);
    this.indexed += 1;
    this.#parts += 1;
  }

  /** Makes revisions below `revision` unreadable. What that frees is freed later, and shows nowhere. */
  compact(revision: number): KvRefusal | null {
    if (revision <= this.compactRevision) return "compacted";
    if (revision > this.revision) return "futureRevision";
    this.compactRevision = revision;
    this.digest.compaction(revision);
    return null;
  }
}
