// The head of the record store: what a restart begins with, written with every commit.
import { ByteReader, ByteWriter } from "../base/bytes.js";
import { FIRST_REVISION, NEVER_COMPACTED } from "./mvcc-store.js";
import { StoreCorrupt, UnknownStoreFormat } from "./record-store.js";
import { type DigestLanes, FRESH_DIGEST } from "./running-digest.js";

const FORMAT = 2;

/** A checkpoint of the index: every change up to `base`, in `chunks` chunks. */
export interface Checkpoint {
  readonly generation: number;
  readonly chunks: number;
  readonly base: number;
}

/** What the index must come to when it is read back: `KeyIndex.live` and `KeyIndex.sum`. */
export interface KeyCount {
  readonly live: number;
  readonly sum: number;
}

export interface Head {
  readonly slot: number;
  readonly meta: Uint8Array;
  readonly revision: number;
  readonly compactRevision: number;
  readonly digest: DigestLanes;
  /** `chunks` 0 and `base` 0: none yet. */
  readonly checkpoint: Checkpoint;
  readonly keys: KeyCount;
}

export const FRESH_HEAD: Head = {
  slot: 0,
  meta: new Uint8Array(0),
  revision: FIRST_REVISION,
  compactRevision: NEVER_COMPACTED,
  digest: FRESH_DIGEST,
  checkpoint: { generation: 0, chunks: 0, base: 0 },
  keys: { live: 0, sum: 0 },
};

export function encodeHead(head: Head): Uint8Array {
  const writer = ByteWriter.forShort();
  writer.u8(FORMAT);
  writer.varint(head.slot);
  writer.varint(head.revision);
  writer.varint(head.compactRevision + 1);
  writer.u32(head.digest.a);
  writer.u32(head.digest.b);
  writer.varint(head.checkpoint.generation);
  writer.varint(head.checkpoint.chunks);
  writer.varint(head.checkpoint.base);
  writer.bytes(head.meta);
  writer.varint(head.keys.live);
  writer.u32(head.keys.sum);
  return writer.take();
}

export function decodeHead(bytes: Uint8Array): Head {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT) {
    throw new UnknownStoreFormat(
      `the head of the store has format ${format}, this version knows ${FORMAT}: start a version that knows it`,
    );
  }
  const slot = reader.varint();
  const revision = reader.varint();
  const compactRevision = reader.varint() - 1;
  const digest = { a: reader.u32(), b: reader.u32() };
  const checkpoint = { generation: reader.varint(), chunks: reader.varint(), base: reader.varint() };
  const meta = reader.bytes().slice();
  const keys = { live: reader.varint(), sum: reader.u32() };
  if (reader.failed || !reader.atEnd) throw new StoreCorrupt("head of the store is intact and yet no head");
  return { slot, meta, revision, compactRevision, digest, checkpoint, keys };
}
