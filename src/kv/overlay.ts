// What is applied and not yet committed to the record store: read through, counted in bytes. A commit takes the
// records of its moment away as `committing`; they stay readable here until the store has them.
import { assert } from "../base/assert.js";
import { SEAL_BYTES, type StoredRecord } from "./record-store.js";

/** Bytes that a record costs beside its own: its objects here and its place in the store's pages. */
const RECORD_OVERHEAD = 64;

/** Records of consecutive main revisions from `first` on; every one of those has at least one record. */
class Layer {
  readonly first: number;
  readonly records: StoredRecord[] = [];
  /** Where the records of a main revision begin. */
  readonly starts: number[] = [];
  bytes = 0;

  constructor(first: number) {
    this.first = first;
  }

  find(main: number, sub: number): StoredRecord | undefined {
    const start = this.starts[main - this.first];
    if (start === undefined) return undefined;
    const record = this.records[start + sub];
    return record?.main === main ? record : undefined;
  }

  collect(main: number, sub: number, limit: number, into: StoredRecord[]): void {
    const start = main <= this.first ? 0 : this.starts[main - this.first];
    if (start === undefined) return;
    for (let i = start; i < this.records.length && into.length < limit; i += 1) {
      const record = this.records[i]!;
      if (record.main > main || record.sub >= sub) into.push(record);
    }
  }
}

export class Overlay {
  #active: Layer;
  #committing: Layer | null = null;

  /** `first` is the main revision of the next change. */
  constructor(first: number) {
    this.#active = new Layer(first);
  }

  get bytes(): number {
    return this.#active.bytes + (this.#committing?.bytes ?? 0);
  }

  /** The lowest main revision that is not in the store alone. */
  get first(): number {
    return (this.#committing ?? this.#active).first;
  }

  append(main: number, sub: number, sealed: Uint8Array): void {
    const layer = this.#active;
    const isNew = main === layer.first + layer.starts.length;
    assert(isNew ? sub === 0 : main === layer.first + layer.starts.length - 1, "revisions are consecutive");
    if (isNew) layer.starts.push(layer.records.length);
    layer.records.push({ main, sub, sealed });
    layer.bytes += sealed.length + RECORD_OVERHEAD;
  }

  /** The record's bytes without the seal, as a view; undefined when it is in the store or nowhere. */
  read(main: number, sub: number): Uint8Array | undefined {
    const record = this.#active.find(main, sub) ?? this.#committing?.find(main, sub);
    return record?.sealed.subarray(SEAL_BYTES);
  }

  /** At most `limit` records from revision (`main`, `sub`) on, ascending. */
  scan(main: number, sub: number, limit: number): StoredRecord[] {
    const found: StoredRecord[] = [];
    this.#committing?.collect(main, sub, limit, found);
    this.#active.collect(main, sub, limit, found);
    return found;
  }

  /** Begins a commit: what is there now, which is gone with `committed`. */
  beginCommit(): readonly StoredRecord[] {
    assert(this.#committing === null, "one commit at a time");
    this.#committing = this.#active;
    this.#active = new Layer(this.#committing.first + this.#committing.starts.length);
    return this.#committing.records;
  }

  /** The commit has failed: what it took is here as before. */
  notCommitted(): void {
    assert(this.#committing !== null, "a commit is under way");
    const earlier = this.#committing;
    const later = this.#active;
    const before = earlier.records.length;
    for (const start of later.starts) earlier.starts.push(start + before);
    for (const record of later.records) earlier.records.push(record);
    earlier.bytes += later.bytes;
    this.#active = earlier;
    this.#committing = null;
  }

  committed(): void {
    this.#committing = null;
  }
}
