// Building the index: from the records of a store, after what a checkpoint tells, or from those of a snapshot. Rule: a
// record that is missing is noticed. Where the tree of a store is damaged, a walk may skip what is intact: so every
// change must follow on that of its key before it, and the newest ones be those that the head counted.
import { decodeHead, FRESH_HEAD, type Head } from "./head.js";
import { IndexDecoder } from "./index-decoder.js";
import { KeyIndex, NO_KEY } from "./key-index.js";
import { MvccStore, NEVER_COMPACTED } from "./mvcc-store.js";
import { outlineOf, RecordBlocks } from "./record.js";
import {
  type RecordStore,
  type Replacement,
  recordName,
  SEAL_BYTES,
  StoreCorrupt,
  type StoredRecord,
  seal,
} from "./record-store.js";
import { FRESH_DIGEST } from "./running-digest.js";
import { BadSnapshot, framesOf } from "./snapshot.js";

/** Records between two pauses: about 4 ms. */
const SLICE_RECORDS = 500;

/** Of a snapshot, as many records or bytes. */
const SLICE_TAKEN = 1_000;
const SLICE_BYTES = 1 << 20;

/** Bytes of a snapshot's records that are handed to the store at once: it takes as long over few as over many. */
const LOAD_BYTES = 4 << 20;

/** What is in the store; reads the whole index, and no records but those that no checkpoint covers. */
export async function loadStore(records: RecordStore): Promise<{ head: Head; store: MvccStore }> {
  const bytes = records.head();
  const head = bytes === undefined ? FRESH_HEAD : decodeHead(bytes);
  const index = new KeyIndex();
  const { checkpoint } = head;
  const decoder = new IndexDecoder(index);
  for (let number = 0; number < checkpoint.chunks; number += 1) {
    const chunk = records.chunk(checkpoint.generation, number);
    if (chunk === undefined) throw new StoreCorrupt(`chunk ${number} of the index checkpoint is missing`);
    decoder.add(chunk);
    await records.turn();
  }
  decoder.end();
  let main = checkpoint.base + 1;
  let sub = 0;
  let indexed = 0;
  while (main <= head.revision) {
    const slice = records.scan(main, sub, SLICE_RECORDS);
    for (const record of slice) {
      // In a damaged tree a walk may come to the same records again and again.
      if (record.main < main || (record.main === main && record.sub < sub))
        throw new StoreCorrupt(`${recordName(record.main, record.sub)} is shown out of its order`);
      main = record.main;
      sub = record.sub + 1;
      if (record.main > head.revision)
        throw new StoreCorrupt(`${recordName(record.main, record.sub)} is above the head`);
      if (!addToIndex(index, record.main, record.sub, record.body, head.compactRevision)) {
        throw new StoreCorrupt(`a record before that of revision ${record.main}.${record.sub} is missing`);
      }
    }
    indexed += slice.length;
    if (slice.length === 0) break;
    await records.turn();
  }
  const { keys } = head;
  if (index.live !== keys.live || index.sum !== keys.sum) {
    throw new StoreCorrupt(`the store has ${index.live} of its ${keys.live} keys, or older values of some`);
  }
  const { revision, compactRevision, digest } = head;
  return { head, store: new MvccStore(records, index, revision, compactRevision, digest, indexed) };
}

/** Returns whether the change of the key before this one is there; up to `compactRevision` it may have gone. */
function addToIndex(
  index: KeyIndex,
  main: number,
  sub: number,
  body: Uint8Array,
  compactRevision: number,
): boolean {
  const { key, createRevision, version } = outlineOf(body, main, sub);
  if (main > compactRevision) {
    const id = index.find(key);
    const isLive = id !== NO_KEY && index.isLive(id);
    const continues = isLive && index.version(id) === version - 1 && index.created(id) === createRevision;
    if (version === 0 ? !isLive : version === 1 ? isLive : !continues) return false;
  }
  if (version === 0) index.restoreDelete(key, main, sub);
  else index.restorePut(key, main, sub, createRevision, version);
  return true;
}

/** Reads a whole snapshot into `replacement`. Throws `BadSnapshot`; then the replacement is to be abandoned. */
export async function loadSnapshot(
  chunks: AsyncIterable<Uint8Array>,
  records: RecordStore,
  replacement: Replacement,
): Promise<MvccStore> {
  const index = new KeyIndex();
  const blocks = new RecordBlocks();
  let revision = 0;
  let compactRevision = NEVER_COMPACTED;
  let digest = FRESH_DIGEST;
  let count = 0;
  let isComplete = false;
  let waiting: StoredRecord[] = [];
  let waitingBytes = 0;
  let sliceTaken = 0;
  let sliceBytes = 0;
  // One is written while the next ones are read.
  let loading: Promise<void> = Promise.resolve();
  const load = async (): Promise<void> => {
    await loading;
    loading = replacement.load(waiting);
    // What it fails with is told when it is awaited.
    loading.catch(() => {});
    waiting = [];
    waitingBytes = 0;
  };
  try {
    for await (const frame of framesOf(chunks)) {
      if (isComplete) throw new BadSnapshot("the snapshot goes on after its end");
      if ((frame.kind === "header") !== (revision === 0))
        throw new BadSnapshot("the snapshot's frames are mixed up");
      if (frame.kind === "header") {
        revision = frame.revision;
        compactRevision = frame.compactRevision;
        digest = frame.digest;
      } else if (frame.kind === "records") {
        for (const { main, sub, body } of frame.records) {
          const record = takeRecord(index, blocks, main, sub, body, compactRevision);
          waiting.push(record);
          waitingBytes += record.sealed.length;
          sliceBytes += record.sealed.length;
        }
        sliceTaken += frame.records.length;
        if (waitingBytes >= LOAD_BYTES) await load();
        count += frame.records.length;
        if (sliceTaken >= SLICE_TAKEN || sliceBytes >= SLICE_BYTES) {
          await records.turn();
          sliceTaken = 0;
          sliceBytes = 0;
        }
      } else {
        if (frame.count !== count)
          throw new BadSnapshot(`the snapshot has ${count} of its ${frame.count} records`);
        isComplete = true;
      }
    }
    if (!isComplete || revision === 0) throw new BadSnapshot("the snapshot is cut short");
    if (waiting.length > 0) await load();
    await loading;
  } catch (error) {
    // Whoever removes what was loaded must come after it.
    await Promise.allSettled([loading]);
    throw error;
  }
  return new MvccStore(records, index, revision, compactRevision, digest, count);
}

function takeRecord(
  index: KeyIndex,
  blocks: RecordBlocks,
  main: number,
  sub: number,
  body: Uint8Array,
  compactRevision: number,
): StoredRecord {
  let follows: boolean;
  try {
    follows = addToIndex(index, main, sub, body, compactRevision);
  } catch (error) {
    throw new BadSnapshot("a record of the snapshot makes no sense", { cause: error });
  }
  if (!follows) throw new BadSnapshot(`the snapshot misses a record before that of revision ${main}.${sub}`);
  const sealed = blocks.allocate(SEAL_BYTES + body.length);
  sealed.set(body, SEAL_BYTES);
  return { main, sub, sealed: seal(sealed, main, sub) };
}
