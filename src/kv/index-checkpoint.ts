// A copy of the index in the record store, so that a restart reads only the records that came after it. It is
// made in slices while the index changes: it tells every change up to `base`, and the records tell the rest.
import { assert } from "../base/assert.js";
import { ByteWriter } from "../base/bytes.js";
import { NO_KEY } from "./key-index.js";
import type { MvccStore } from "./mvcc-store.js";

/** Bytes after which a chunk takes no further key. */
const CHUNK_BYTES = 256 * 1024;
/** Changes written between two pauses: below 1 ms, or some 3 ms in code that is not compiled yet. */
const SLICE_CHANGES = 16_000;
/** What reading a record costs, in changes, and how many of its bytes cost as much as one. */
const RECORD_COST = 64;
const BYTES_A_CHANGE = 64;

/**
 * One chunk: at most `maxKeys` keys from `start` on with their changes up to `base`, written in slices. Rule: what is
 * written of a key ends with its last change up to `base` as it was when it was begun, even when a compaction takes
 * that away between two slices; what else one takes away may be missing, for nobody can read it any more.
 */
export class ChunkEncoder {
  readonly #store: MvccStore;
  readonly #base: number;
  readonly #maxKeys: number;
  readonly #writer: ByteWriter;
  /** Keys walked over. */
  keys: number;
  /** Where the next slice starts, or the next chunk; null: there is none. */
  next: string | null;
  /** The key that the last slice ended within. */
  #open: string | null;
  /** Of the key that is written: its last change up to the base, and the revision that was written last. */
  #lastMain: number;
  #lastMark: number;
  #before: number;
  #left: number;
  #isCut: boolean;
  /** Takes the changes before the last one; one for all keys. */
  readonly #addEarlier: (main: number, mark: number) => boolean;

  constructor(store: MvccStore, start: string, base: number, maxKeys: number) {
    this.#store = store;
    this.#base = base;
    this.#maxKeys = maxKeys;
    this.#writer = ByteWriter.forShort();
    this.#writer.u32(0);
    this.keys = 0;
    this.next = start;
    this.#open = null;
    this.#lastMain = 0;
    this.#lastMark = 0;
    this.#before = 0;
    this.#left = 0;
    this.#isCut = false;
    this.#addEarlier = (main, mark) => {
      if (main > this.#lastMain || (main === this.#lastMain && mark >= this.#lastMark)) return false;
      // It goes on at a revision: never between two changes of one.
      this.#isCut = this.#left <= 0 && main > this.#before;
      if (!this.#isCut) this.#add(main, mark);
      return !this.#isCut;
    };
  }

  /** Writes on for 2 ms at most, about; returns whether the chunk is whole. */
  step(): boolean {
    assert(this.next !== null, "a chunk that is whole is not written on");
    const { index } = this.#store;
    this.#left = SLICE_CHANGES;
    if (this.#open !== null && !this.#writeChanges(this.#open, index.find(this.#open))) return false;
    const start = this.next;
    this.next = null;
    let isWhole = true;
    index.visit(start, null, (key, id) => {
      const isFull = this.keys >= this.#maxKeys || this.#writer.length >= CHUNK_BYTES;
      if (isFull || this.#left <= 0) {
        isWhole = isFull;
        this.next = key;
        return false;
      }
      this.keys += 1;
      if (!this.#begin(key, id) || this.#writeChanges(key, id)) return true;
      isWhole = false;
      this.next = `${key}\0`;
      return false;
    });
    return isWhole;
  }

  /** What was written, behind room for a seal. */
  take(): Uint8Array {
    return this.#writer.take();
  }

  /** Returns whether the key had come to be by the base. */
  #begin(key: string, id: number): boolean {
    const { index } = this.#store;
    if (!index.lastChangeUpTo(id, this.#base)) return false;
    const { foundMain, foundSub, foundTombstone } = index;
    let created = 0;
    let version = 0;
    if (!foundTombstone) {
      const isNewest = foundMain === index.main(id) && foundSub === index.sub(id);
      const kv = isNewest ? null : this.#store.read(foundMain, foundSub);
      if (kv !== null) this.#left -= RECORD_COST + kv.value.length / BYTES_A_CHANGE;
      created = kv?.createRevision ?? index.created(id);
      version = kv?.version ?? index.version(id);
    }
    const writer = this.#writer;
    writer.varint(key.length);
    for (let i = 0; i < key.length; i += 1) writer.u8(key.charCodeAt(i));
    writer.varint(created);
    writer.varint(version);
    this.#lastMain = foundMain;
    this.#lastMark = foundSub * 2 + (foundTombstone ? 1 : 0);
    this.#before = 0;
    return true;
  }

  /** Returns whether the key is done with. */
  #writeChanges(key: string, id: number): boolean {
    this.#isCut = false;
    // A key that is gone meanwhile, or has come to be anew, has none that is missing here.
    if (id !== NO_KEY) this.#store.index.forEachChange(id, this.#before + 1, this.#addEarlier);
    this.#open = this.#isCut ? key : null;
    if (this.#isCut) return false;
    this.#add(this.#lastMain, this.#lastMark);
    this.#writer.varint(0);
    return true;
  }

  #add(main: number, mark: number): void {
    this.#writer.varint(main - this.#before + 1);
    this.#writer.varint(mark);
    this.#before = main;
    this.#left -= 1;
  }
}
