// All keys of a history, numbered in the order of their bytes, so that a store is an array and a range a piece of it.

import type { Request } from "./operation.js";
import { plainRequests } from "./operation.js";
import { compareTexts } from "./order.js";

export class KeyTable {
  readonly keys: readonly string[];
  readonly #ids = new Map<string, number>();

  constructor(requests: Iterable<Request>) {
    const keys = new Set<string>();
    for (const request of requests) {
      for (const plain of plainRequests(request)) keys.add(plain.key);
      if (request.kind === "txn") for (const { key } of request.compares) keys.add(key);
    }
    this.keys = [...keys].sort(compareTexts);
    for (const [id, key] of this.keys.entries()) this.#ids.set(key, id);
  }

  /** -1 for a key that no request names. */
  idOf(key: string): number {
    return this.#ids.get(key) ?? -1;
  }

  /** The number of keys below `key`. */
  #below(key: string): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareTexts(this.keys[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  firstOf(key: string): number {
    return this.#ids.get(key) ?? this.#below(key);
  }

  /** One above the last id of the range that begins at `key`. */
  endOf(key: string, rangeEnd: string | undefined): number {
    if (rangeEnd === undefined || rangeEnd === "") return this.firstOf(key) + (this.#ids.has(key) ? 1 : 0);
    if (rangeEnd === "\0") return this.keys.length;
    return this.#ids.get(rangeEnd) ?? this.#below(rangeEnd);
  }

  /** The keys that a request reads or writes. */
  idsOf(request: Request): Set<number> {
    const ids = new Set<number>();
    for (const plain of plainRequests(request)) {
      const end = plain.kind === "put" ? this.idOf(plain.key) + 1 : this.endOf(plain.key, plain.rangeEnd);
      for (let id = this.firstOf(plain.key); id < end; id += 1) ids.add(id);
    }
    if (request.kind === "txn") for (const { key } of request.compares) ids.add(this.idOf(key));
    return ids;
  }
}
