// Reading a range at one revision, as etcd's Range: filters, order, limit, count. Long reads go in steps: the
// records of a revision do not change, so that commands applied between two steps do not show.

import { compareBytes } from "../base/bytes.js";
import type { KeyValue } from "../proto/gen/kv.js";
import {
  type RangeRequest,
  type RangeResponse,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "../proto/gen/rpc.js";
import { type Bounds, boundsOf, coversEverything } from "./bounds.js";
import { NO_KEY } from "./key-index.js";
import type { MvccStore } from "./mvcc-store.js";

/** What reading a record costs, in keys walked over. */
const RECORD_COST = 20;
/** Keys walked over in about 2 ms. */
export const STEP_BUDGET = 20_000;

const NO_BYTES = new Uint8Array(0);

export class RangeRead {
  readonly #store: MvccStore;
  readonly #request: RangeRequest;
  readonly #bounds: Bounds;
  /** The revision that is read. */
  readonly revision: number;
  /** Records wanted at most; filters and orders need them all. */
  readonly #wanted: number;
  /** The count, when it is known beforehand. */
  readonly #knownCount: number | null;
  readonly #kvs: KeyValue[] = [];
  #count = 0;
  /** Where the next step starts. */
  #next: string;

  /** The request was checked, and its revision can be read. */
  constructor(store: MvccStore, request: RangeRequest) {
    this.#store = store;
    this.#request = request;
    this.#bounds = boundsOf(request.key, request.rangeEnd);
    this.revision = request.revision > 0 ? request.revision : store.readRevision;
    this.#next = this.#bounds.start;
    const isPlain = request.sortOrder === SortOrder.NONE && !isFiltered(request);
    if (request.countOnly) this.#wanted = 0;
    else this.#wanted = isPlain && request.limit > 0 ? request.limit + 1 : Number.POSITIVE_INFINITY;
    const isNewest = this.revision === store.readRevision;
    this.#knownCount = isNewest && coversEverything(this.#bounds) ? store.index.live : null;
  }

  /** Reads on; `budget` is in keys walked over. Returns whether the end is reached. */
  step(budget: number): boolean {
    const index = this.#store.index;
    if (this.#bounds.isSingle) {
      const id = index.find(this.#next);
      if (id !== NO_KEY && index.isLiveAt(id, this.revision)) this.#take();
      return true;
    }
    let left = budget;
    let isDone = !this.#needsMore();
    if (isDone) return true;
    isDone = true;
    index.visit(this.#next, this.#bounds.end, (key, id) => {
      if (left <= 0) {
        this.#next = key;
        isDone = false;
        return false;
      }
      left -= 1;
      if (index.isLiveAt(id, this.revision)) left -= this.#take();
      return this.#needsMore();
    });
    return isDone;
  }

  #needsMore(): boolean {
    return this.#knownCount === null || this.#kvs.length < this.#wanted;
  }

  /** Counts the key just found, and reads its record when that is wanted; returns what that cost. */
  #take(): number {
    this.#count += 1;
    if (this.#kvs.length >= this.#wanted) return 0;
    const kv = this.#store.read(this.#store.index.foundMain, this.#store.index.foundSub);
    if (!isFilteredOut(this.#request, kv)) this.#kvs.push(kv);
    return RECORD_COST;
  }

  finish(): RangeResponse {
    const request = this.#request;
    let kvs = this.#kvs;
    sortKvs(kvs, request);
    const more = request.limit > 0 && kvs.length > request.limit;
    if (more) kvs = kvs.slice(0, request.limit);
    if (request.keysOnly) for (const kv of kvs) kv.value = NO_BYTES;
    return { header: undefined, kvs, more, count: this.#knownCount ?? this.#count };
  }
}

/** The whole read at once. */
export function readRange(store: MvccStore, request: RangeRequest): RangeResponse {
  const read = new RangeRead(store, request);
  read.step(Number.POSITIVE_INFINITY);
  return read.finish();
}

function isFiltered(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function isFilteredOut(request: RangeRequest, kv: KeyValue): boolean {
  return (
    (request.maxModRevision !== 0 && kv.modRevision > request.maxModRevision) ||
    (request.minModRevision !== 0 && kv.modRevision < request.minModRevision) ||
    (request.maxCreateRevision !== 0 && kv.createRevision > request.maxCreateRevision) ||
    (request.minCreateRevision !== 0 && kv.createRevision < request.minCreateRevision)
  );
}

/** Records come in order of keys; keys that tie stay in it, whichever way the rest is sorted. */
function sortKvs(kvs: KeyValue[], request: RangeRequest): void {
  const sign = request.sortOrder === SortOrder.DESCEND ? -1 : 1;
  switch (request.sortTarget) {
    case SortTarget.KEY:
      if (sign < 0) kvs.reverse();
      return;
    case SortTarget.VERSION:
      kvs.sort((a, b) => sign * (a.version - b.version));
      return;
    case SortTarget.CREATE:
      kvs.sort((a, b) => sign * (a.createRevision - b.createRevision));
      return;
    case SortTarget.MOD:
      kvs.sort((a, b) => sign * (a.modRevision - b.modRevision));
      return;
    case SortTarget.VALUE:
      kvs.sort((a, b) => sign * compareBytes(a.value, b.value));
      return;
  }
}
