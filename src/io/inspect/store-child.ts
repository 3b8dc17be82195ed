// Looks at a copy of a store in a process of its own: lmdb trusts its pages, and may end the process that reads damaged
// ones. Its arguments are the directory, and `deep` where every record is to be read; it prints one line of JSON.
import { decodeHead, FRESH_HEAD, type Head } from "../../kv/head.js";
import { latin1OfBytes } from "../../kv/latin1.js";
import { loadStore } from "../../kv/loader.js";
import type { MvccStore } from "../../kv/mvcc-store.js";
import { decodeRecord } from "../../kv/record.js";
import { recordName, StoreCorrupt, UnknownStoreFormat } from "../../kv/record-store.js";
import { decodeMeta, type NotedDigest } from "../../replica/state-meta.js";
import { LmdbRecordStore } from "../lmdb-record-store.js";

export interface StoreReport {
  /** Null: the head cannot be read. */
  readonly head: {
    readonly slot: number;
    readonly revision: number;
    readonly compactRevision: number;
    /** Of the state, the last one that was noted. */
    readonly noted: NotedDigest | null;
  } | null;
  readonly keys: number;
  readonly bytes: number;
  /** Sentences. */
  readonly faults: readonly string[];
  /** The store is of another version, and not damaged. */
  readonly isUnknown: boolean;
}

/** Findings told at most: a store that has more is as lost as one that has as many. */
const MOST_FAULTS = 100;

const NOTHING = { head: null, keys: 0, bytes: 0, isUnknown: false };

async function report(directory: string, isDeep: boolean): Promise<StoreReport> {
  let records: LmdbRecordStore;
  try {
    records = await LmdbRecordStore.open(directory);
  } catch (error) {
    return { ...NOTHING, faults: [sentence(error)], isUnknown: error instanceof UnknownStoreFormat };
  }
  try {
    const bytes = records.head();
    const head = bytes === undefined ? FRESH_HEAD : decodeHead(bytes);
    const { slot, revision, compactRevision } = head;
    const faults: string[] = [];
    const noted = notedIn(head, faults);
    const found = {
      ...NOTHING,
      head: { slot, revision, compactRevision, noted },
      bytes: records.size().inUse,
    };
    if (isDeep) faults.push(...everyRecord(records));
    try {
      const { store } = await loadStore(records);
      if (isDeep) faults.push(...everyKey(records, store));
      return { ...found, keys: store.index.live, faults };
    } catch (error) {
      const text = sentence(error);
      return { ...found, faults: faults.includes(text) ? faults : [...faults, text] };
    }
  } catch (error) {
    return { ...NOTHING, faults: [sentence(error)], isUnknown: error instanceof UnknownStoreFormat };
  } finally {
    await records.close();
  }
}

function notedIn({ slot, meta }: Head, faults: string[]): NotedDigest | null {
  if (slot === 0) return null;
  const decoded = decodeMeta(meta);
  if (decoded === null) faults.push("the table of sessions that the head holds is intact and yet none");
  return decoded?.noted ?? null;
}

function sentence(error: unknown): string {
  if (error instanceof StoreCorrupt || error instanceof UnknownStoreFormat) return error.message;
  throw error;
}

function everyRecord(records: LmdbRecordStore): string[] {
  const faults: string[] = [];
  if (!records.showsEveryKey()) return ["pages of lmdb are damaged: it shows other keys than it counts"];
  for (const { main, sub, read } of records.everything()) {
    try {
      decodeRecord(read(), main, sub);
    } catch (error) {
      if (faults.length < MOST_FAULTS) faults.push(sentence(error));
    }
  }
  return faults;
}

/**
 * The index must lead to a record of the key, for every change of every key that counts: what a compaction lets go may
 * have been removed, and the checkpoint of the index has it until the next one.
 */
function everyKey(records: LmdbRecordStore, store: MvccStore): string[] {
  const faults: string[] = [];
  const { index, compactRevision } = store;
  index.visit("", null, (key, id) => {
    index.forEachKept(id, compactRevision, 0, (main, sub) => {
      const fault = faultOf(records, key, main, sub);
      if (fault !== null) faults.push(fault);
      return faults.length < MOST_FAULTS;
    });
    return faults.length < MOST_FAULTS;
  });
  return faults;
}

function faultOf(records: LmdbRecordStore, key: string, main: number, sub: number): string | null {
  try {
    const body = records.read(main, sub);
    if (body === undefined) return `${recordName(main, sub)} is missing, and a key has it`;
    return latin1OfBytes(decodeRecord(body, main, sub).key) === key
      ? null
      : `${recordName(main, sub)} is of another key than the index says`;
  } catch (error) {
    if (!(error instanceof StoreCorrupt)) throw error;
    // `everyRecord` tells it.
    return null;
  }
}

const [directory, depth] = process.argv.slice(2);
const found = await report(directory!, depth === "deep");
process.stdout.write(`${JSON.stringify(found)}\n`);
