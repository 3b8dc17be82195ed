// Comparisons of a transaction, as etcd evaluates them: over a range they must hold for every key; a missing key
// counts as all zeros, except that a comparison of its value never holds.
import { compareBytes } from "../base/bytes.js";
import type { KeyValue } from "../proto/gen/kv.js";
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
} from "../proto/gen/rpc.js";
import { boundsOf } from "./bounds.js";
import type { MvccStore } from "./mvcc-store.js";

const NO_BYTES = new Uint8Array(0);

const MISSING: KeyValue = {
  key: NO_BYTES,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: NO_BYTES,
  lease: 0n,
};

/** Whether all hold, at the newest revision. */
export function allHold(store: MvccStore, compares: readonly Compare[]): boolean {
  return compares.every((compare) => holds(store, compare));
}

function holds(store: MvccStore, compare: Compare): boolean {
  const bounds = boundsOf(compare.key, compare.rangeEnd);
  if (bounds.isSingle) {
    const kv = store.get(compare.key);
    return kv === undefined ? holdsForMissing(compare) : holdsFor(compare, kv);
  }
  let isEmpty = true;
  let result = true;
  store.index.visit(bounds.start, bounds.end, (_key, id) => {
    if (!store.index.isLiveAt(id, store.readRevision)) return true;
    isEmpty = false;
    result = holdsFor(compare, store.read(store.index.foundMain, store.index.foundSub));
    return result;
  });
  return isEmpty ? holdsForMissing(compare) : result;
}

function holdsForMissing(compare: Compare): boolean {
  return compare.target !== CompareTarget.VALUE && holdsFor(compare, MISSING);
}

function holdsFor(compare: Compare, kv: KeyValue): boolean {
  const order = orderOf(compare, kv);
  switch (compare.result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    case CompareResult.LESS:
      return order < 0;
    default:
      return true;
  }
}

/** What the key has against what the comparison names; an unknown target counts as equal, as in etcd. */
function orderOf(compare: Compare, kv: KeyValue): number {
  switch (compare.target) {
    case CompareTarget.VERSION:
      return kv.version - (compare.version ?? 0);
    case CompareTarget.CREATE:
      return kv.createRevision - (compare.createRevision ?? 0);
    case CompareTarget.MOD:
      return kv.modRevision - (compare.modRevision ?? 0);
    case CompareTarget.VALUE:
      return compareBytes(kv.value, compare.value ?? NO_BYTES);
    case CompareTarget.LEASE: {
      const lease = compare.lease ?? 0n;
      return kv.lease < lease ? -1 : kv.lease > lease ? 1 : 0;
    }
    default:
      return 0;
  }
}
