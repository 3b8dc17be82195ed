// Puts together an index from the chunks of its checkpoint: entries one by one, then the tree of all keys at once,
// which is quicker than key by key. Rule: the keys come in their order, or the checkpoint is no good.
import { ByteReader } from "../base/bytes.js";
import type { KeyIndex } from "./key-index.js";
import { latin1OfBytes } from "./latin1.js";
import { StoreCorrupt } from "./record-store.js";

export class IndexDecoder {
  readonly #index: KeyIndex;
  readonly #keys: string[];
  readonly #ids: number[];
  /** Of one key; the same for all. */
  readonly #mains: number[];
  readonly #marks: number[];

  /** `index` is new. */
  constructor(index: KeyIndex) {
    this.#index = index;
    this.#keys = [];
    this.#ids = [];
    this.#mains = [];
    this.#marks = [];
  }

  /** The next chunk. Throws `StoreCorrupt`. */
  add(body: Uint8Array): void {
    const reader = new ByteReader(body);
    while (!reader.atEnd && !reader.failed) this.#addEntry(body, reader);
    if (reader.failed)
      throw new StoreCorrupt("a chunk of the index checkpoint is intact and yet cannot be read");
  }

  #addEntry(body: Uint8Array, reader: ByteReader): void {
    const mains = this.#mains;
    const marks = this.#marks;
    mains.length = 0;
    marks.length = 0;
    const length = reader.varint();
    const from = reader.position;
    reader.skip(length);
    const created = reader.varint();
    const version = reader.varint();
    let before = 0;
    for (let step = reader.varint(); step !== 0; step = reader.varint()) {
      before += step - 1;
      mains.push(before);
      marks.push(reader.varint());
    }
    if (reader.failed) return;
    const key = latin1OfBytes(body, from, from + length);
    const keys = this.#keys;
    if (keys.length > 0 && keys[keys.length - 1]! >= key)
      throw new StoreCorrupt("the keys of the index checkpoint are out of their order");
    keys.push(key);
    this.#ids.push(this.#index.restoreEntry(created, version, mains, marks));
  }

  /** After the last one: the index has what they told. */
  end(): void {
    this.#index.restoreKeys(this.#keys, this.#ids);
  }
}
