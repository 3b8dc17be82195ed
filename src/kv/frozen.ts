// Every record that counts at one revision, in order: the whole logical state with its history above the last
// compaction. It does not depend on how far compacted records are removed, and holds still while commands go on.
// Rule: it is complete, or the walk throws; the tree of a damaged store may skip records that are intact.
import type { KeyValue } from "../proto/gen/kv.js";
import { mixOf, NO_KEY } from "./key-index.js";
import { latin1OfBytes } from "./latin1.js";
import type { MvccStore } from "./mvcc-store.js";
import { decodeRecord } from "./record.js";
import { type RecordStore, SEAL_BYTES, StoreCorrupt } from "./record-store.js";

/** Records read between two pauses: about 2 ms; and once there are so many bytes none is added. */
const SLICE_RECORDS = 400;
const SLICE_BYTES = 1 << 20;
/** Records that are read at once, where they are small. */
const MOST_AT_ONCE = 16;
/** Keys looked at between two pauses: about 2 ms. */
const SLICE_KEYS = 4_000;

export interface FrozenRecord {
  readonly main: number;
  readonly sub: number;
  readonly body: Uint8Array;
}

/**
 * Slices of the state at `revision`, compacted at `compactRevision`; the caller keeps both from being pruned. Throws
 * `StoreCorrupt`, after the last slice when records are missing.
 */
export async function* frozenRecords(
  store: MvccStore,
  records: RecordStore,
  revision: number,
  compactRevision: number,
): AsyncGenerator<readonly FrozenRecord[]> {
  let main = 0;
  let sub = 0;
  let sum = 0;
  while (main <= revision) {
    const slice = readSlice(store, records, main, sub);
    const last = slice.at(-1);
    if (last === undefined) break;
    main = last.main;
    sub = last.sub + 1;
    const kept = slice.filter((record) => record.main <= revision && counts(store, record, compactRevision));
    for (const record of kept) sum = (sum + mixOf(record.main, record.sub)) >>> 0;
    if (kept.length > 0) yield kept;
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
  const add = (main: number, sub: number) => {
    sum = (sum + mixOf(main, sub)) >>> 0;
  };
  let next: string | null = "";
  while (next !== null) {
    const start: string = next;
    let left = SLICE_KEYS;
    next = null;
    index.visit(start, null, (key, id) => {
      if (left === 0) {
        next = key;
        return false;
      }
      left -= 1;
      if (index.lastChangeUpTo(id, compactRevision)) {
        const { foundMain, foundSub, foundTombstone } = index;
        if (!foundTombstone || foundMain === compactRevision) add(foundMain, foundSub);
      }
      index.forEachChange(id, (main, mark) => {
        if (main > compactRevision && main <= revision) add(main, mark >>> 1);
      });
      return true;
    });
    await records.turn();
  }
  return sum;
}

/** From the store as far as it goes alone, from the overlay above that. */
function readSlice(store: MvccStore, records: RecordStore, main: number, sub: number): FrozenRecord[] {
  const slice: FrozenRecord[] = [];
  const limit = SLICE_RECORDS;
  const overlayFirst = store.overlay.first;
  let bytes = 0;
  if (main < overlayFirst) {
    let atOnce = 1;
    let at = { main, sub };
    while (slice.length < limit && bytes < SLICE_BYTES) {
      const some = records.scan(at.main, at.sub, atOnce).filter((record) => record.main < overlayFirst);
      if (some.length === 0) break;
      for (const record of some) bytes += record.body.length;
      slice.push(...some);
      const last = some.at(-1)!;
      at = { main: last.main, sub: last.sub + 1 };
      const average = bytes / slice.length;
      atOnce = Math.min(MOST_AT_ONCE, Math.max(1, Math.floor((SLICE_BYTES - bytes) / average)));
    }
    if (slice.length > 0) return slice;
  }
  for (const record of store.overlay.scan(main, sub, limit)) {
    if (bytes >= SLICE_BYTES) break;
    slice.push({ main: record.main, sub: record.sub, body: record.sealed.subarray(SEAL_BYTES) });
    bytes += record.sealed.length;
  }
  return slice;
}

/** Of what a compaction covers, only a key's last change counts, and a tombstone only at its very revision. */
function counts(store: MvccStore, record: FrozenRecord, compactRevision: number): boolean {
  if (record.main > compactRevision) return true;
  const kv: KeyValue = decodeRecord(record.body, record.main, record.sub);
  const id = store.index.find(latin1OfBytes(kv.key));
  if (id === NO_KEY || !store.index.lastChangeUpTo(id, compactRevision)) return false;
  if (store.index.foundMain !== record.main || store.index.foundSub !== record.sub) return false;
  return kv.version > 0 || record.main === compactRevision;
}
