// A copy of the index in the record store, so that a restart reads only the records that came after it. It is
// made in slices while the index changes: it tells every change up to `base`, and the records tell the rest.
import { ByteWriter } from "../base/bytes.js";
import type { MvccStore } from "./mvcc-store.js";

/** Bytes after which a chunk takes no further key. */
const CHUNK_BYTES = 256 * 1024;

export interface EncodedChunk {
  readonly body: Uint8Array;
  /** Keys walked over. */
  readonly keys: number;
  /** Where the next chunk starts; null: this was the last. */
  readonly next: string | null;
}

/** Encodes at most `maxKeys` keys from `start` on with their changes up to `base`. */
export function encodeChunk(store: MvccStore, start: string, base: number, maxKeys: number): EncodedChunk {
  const writer = ByteWriter.forShort();
  let keys = 0;
  let next: string | null = null;
  store.index.visit(start, null, (key, id) => {
    if (keys >= maxKeys || writer.length >= CHUNK_BYTES) {
      next = key;
      return false;
    }
    keys += 1;
    encodeEntry(writer, store, key, id, base);
    return true;
  });
  return { body: writer.take(), keys, next };
}

function encodeEntry(writer: ByteWriter, store: MvccStore, key: string, id: number, base: number): void {
  const index = store.index;
  if (!index.lastChangeUpTo(id, base)) return;
  const { foundMain, foundSub, foundTombstone } = index;
  let created = 0;
  let version = 0;
  if (!foundTombstone) {
    const isNewest = foundMain === index.main(id) && foundSub === index.sub(id);
    const kv = isNewest ? null : store.read(foundMain, foundSub);
    created = kv?.createRevision ?? index.created(id);
    version = kv?.version ?? index.version(id);
  }
  writer.varint(key.length);
  for (let i = 0; i < key.length; i += 1) writer.u8(key.charCodeAt(i));
  writer.varint(created);
  writer.varint(version);
  let before = 0;
  index.forEachChange(id, (main, mark) => {
    if (main > base) return;
    writer.varint(main - before + 1);
    writer.varint(mark);
    before = main;
  });
  writer.varint(0);
}
