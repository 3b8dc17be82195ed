// etcd's convention for ranges of keys: no end means the one key, an end of one zero byte means every key from
// the first on, anything else is the first key outside.
import { latin1OfBytes } from "./latin1.js";

export interface Bounds {
  readonly start: string;
  /** The first key outside; null: there is no end. */
  readonly end: string | null;
  readonly isSingle: boolean;
}

export function boundsOf(key: Uint8Array, rangeEnd: Uint8Array): Bounds {
  const start = latin1OfBytes(key);
  if (rangeEnd.length === 0) return { start, end: null, isSingle: true };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { start, end: null, isSingle: false };
  return { start, end: latin1OfBytes(rangeEnd), isSingle: false };
}

/** Whether every key there can be lies within. */
export function coversEverything(bounds: Bounds): boolean {
  return bounds.start <= "\0" && bounds.end === null && !bounds.isSingle;
}
