// Every record that counts at one revision, in order: the whole logical state with its history above the last
// compaction. It does not depend on how far compacted records are removed, and holds still while commands go on.
// Rule: it is complete, or the walk throws; the tree of a damaged store may skip records that are intact.
import { mixOf, NO_KEY } from "./key-index.js";
import type { MvccStore } from "./mvcc-store.js";
import { outlineOf } from "./record.js";
import { type RecordStore, SEAL_BYTES, StoreCorrupt } from "./record-store.js";

/** Records read between two pauses: about 2 ms; and once there are so many bytes none is added. */
const SLICE_RECORDS = 400;
const SLICE_BYTES = 1 << 20;
/** Records between two looks at their number and bytes, where they are small. */
const MOST_AT_ONCE = 16;
/** Of the index between two pauses, about 2 ms: so many keys of one change each, or changes of few keys. */
const SLICE_CHANGES = 64_000;
const CHANGES_A_KEY = 16;

/**
 * Gives `take` the state at `revision`, compacted at `compactRevision`, in slices: after each, how many records there
 * were. The caller keeps both from being pruned. Throws `StoreCorrupt`, after the last slice when records are missing.
 */
export async function* frozenRecords(
  store: MvccStore,
  records: RecordStore,
  revision: number,
  compactRevision: number,
  take: (main: number, sub: number, body: Uint8Array) => void,
): AsyncGenerator<number> {
  let sum = 0;
  let taken = 0;
  const takeOne = (main: number, sub: number, body: Uint8Array) => {
    if (main > revision || !counts(store, main, sub, body, compactRevision)) return;
    sum = (sum + mixOf(main, sub)) >>> 0;
    taken += 1;
    take(main, sub, body);
  };
  const at = { main: 0, sub: 0 };
  while (at.main <= revision) {
    taken = 0;
    if (!readSlice(store, records, at, takeOne)) break;
    if (taken > 0) yield taken;
    await records.turn();
  }
  if (sum !== (await indexedSum(store, records, revision, compactRevision))) {
    throw new StoreCorrupt(
      "records are missing in a walk over the store; this replica's store must be rebuilt",
    );
  }
}

/** Of the same revisions, as the index knows them. */
async function indexedSum(
  store: MvccStore,
  records: RecordStore,
  revision: number,
  compactRevision: number,
): Promise<number> {
  const { index } = store;
  let sum = 0;
  let left = 0;
  /** Of the key that was come to: up to this revision. */
  let done = 0;
  // One for all keys.
  const add = (main: number, sub: number) => {
    if (main > revision) return false;
    sum = (sum + mixOf(main, sub)) >>> 0;
    done = main;
    left -= 1;
    return left > 0;
  };
  let next: string | null = "";
  while (next !== null) {
    const start: string = next;
    left = SLICE_CHANGES;
    next = null;
    index.visit(start, null, (key, id) => {
      // The rest of one with very many changes.
      if (key !== start) done = 0;
      left -= CHANGES_A_KEY - 1;
      index.forEachKept(id, compactRevision, done + 1, add);
      if (left <= 0) next = key;
      return left > 0;
    });
    await records.turn();
  }
  return sum;
}

/** From the store as far as it goes alone, from the overlay above that; moves `at` on. Says whether there was any. */
function readSlice(
  store: MvccStore,
  records: RecordStore,
  at: { main: number; sub: number },
  take: (main: number, sub: number, body: Uint8Array) => void,
): boolean {
  const overlayFirst = store.overlay.first;
  let count = 0;
  let bytes = 0;
  const moveOn = (main: number, sub: number) => {
    at.main = main;
    at.sub = sub + 1;
    count += 1;
  };
  if (at.main < overlayFirst) {
    let left = 1;
    records.visit(at.main, at.sub, (main, sub, body) => {
      if (main >= overlayFirst) return false;
      moveOn(main, sub);
      bytes += body.length;
      take(main, sub, body);
      left -= 1;
      if (left > 0) return true;
      const average = bytes / count;
      left = Math.min(MOST_AT_ONCE, Math.max(1, Math.floor((SLICE_BYTES - bytes) / average)));
      return count < SLICE_RECORDS && bytes < SLICE_BYTES;
    });
    if (count > 0) return true;
  }
  for (const { main, sub, sealed } of store.overlay.scan(at.main, at.sub, SLICE_RECORDS)) {
    if (bytes >= SLICE_BYTES) break;
    moveOn(main, sub);
    bytes += sealed.length;
    take(main, sub, sealed.subarray(SEAL_BYTES));
  }
  return count > 0;
}

/** Of what a compaction covers, only a key's last change counts, and a tombstone only at its very revision. */
function counts(
  store: MvccStore,
  main: number,
  sub: number,
  body: Uint8Array,
  compactRevision: number,
): boolean {
  if (main > compactRevision) return true;
  const { key, version } = outlineOf(body, main, sub);
  const id = store.index.find(key);
  if (id === NO_KEY || !store.index.lastChangeUpTo(id, compactRevision)) return false;
  if (store.index.foundMain !== main || store.index.foundSub !== sub) return false;
  return version > 0 || main === compactRevision;
}
