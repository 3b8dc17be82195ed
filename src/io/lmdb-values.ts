// Values that lmdb gives are copied out of its one buffer, many into one block: a buffer of its own for each costs
// more than to read it, and ten times that when it is collected. Who looks at each once is lent lmdb's buffer itself.
import { assert } from "../base/assert.js";

const BLOCK_BYTES = 1 << 16;
/** A larger one has a buffer of its own, so that who keeps a small one keeps one block at most. */
const LARGEST_SHARED = BLOCK_BYTES / 8;

/** As lmdb's option `encoder`: what it decodes is good for ever. */
export class ValueCopies {
  /** lmdb may pass its own buffer: it is copied. */
  readonly needsStableBuffer = false;
  #block: Uint8Array;
  #used: number;
  #isLending: boolean;

  constructor() {
    this.#block = new Uint8Array(BLOCK_BYTES);
    this.#used = 0;
    this.#isLending = false;
    // lmdb calls it as a function.
    this.decode = this.decode.bind(this);
  }

  encode(value: Uint8Array): Uint8Array {
    return value;
  }

  /** Within `read`, a value is good until lmdb gives the next one. */
  lend(read: () => void): void {
    assert(!this.#isLending, "what is lent is gone when lmdb reads something else");
    this.#isLending = true;
    try {
      read();
    } finally {
      this.#isLending = false;
    }
  }

  /** The first `length` of `bytes`, whose own length lmdb may have changed: what goes by it copies too much. */
  decode(bytes: Uint8Array, length = bytes.length): Uint8Array {
    const value = new Uint8Array(bytes.buffer, bytes.byteOffset, length);
    if (this.#isLending) return value;
    if (length > LARGEST_SHARED) return value.slice();
    if (this.#used + length > BLOCK_BYTES) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += length;
    this.#block.set(value, from);
    return this.#block.subarray(from, from + length);
  }
}
