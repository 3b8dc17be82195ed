// A hash of the whole logical state, for comparing replicas: two lanes of 32 bits, in the way of MurmurHash3.
// It finds accidents, not attacks.

export class StateHash {
  #a = 0x9747b28c;
  #b = 0x5bd1e995;

  number(value: number): void {
    this.#mix(value % 2 ** 32);
    this.#mix(Math.floor(value / 2 ** 32));
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    let at = 0;
    for (const end = bytes.length - 3; at < end; at += 4) {
      this.#mix(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    }
    for (; at < bytes.length; at += 1) this.#mix(bytes[at]!);
  }

  #mix(word: number): void {
    const k = Math.imul(word, 0xcc9e2d51);
    this.#a = (Math.imul(rotate(this.#a ^ Math.imul(rotate(k, 15), 0x1b873593), 13), 5) + 0xe6546b64) | 0;
    this.#b = (Math.imul(rotate(this.#b ^ Math.imul(rotate(k, 16), 0x85ebca6b), 17), 9) + 0x38495ab5) | 0;
  }

  /** 16 hex digits. */
  digest(): string {
    return hex(finish(this.#a)) + hex(finish(this.#b));
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function finish(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
