// The set of states seen: 64-bit fingerprints in typed arrays, open addressing, for many millions of them. Two states
// may share a fingerprint: of n states some two do with a probability of about n * n / 2^65 (Knuth, vol. 3, 6.4).
import { assert } from "../../base/assert.js";

const LOAD = 0.75;

export class StateTable {
  #low: Uint32Array;
  #high: Uint32Array;
  #mask: number;
  size = 0;

  /** Room for `2 ** bits` fingerprints at first; doubles as it fills. */
  constructor(bits = 16) {
    assert(Number.isInteger(bits) && bits > 0 && bits <= 30, "a table has 2^1 to 2^30 places");
    this.#low = new Uint32Array(2 ** bits);
    this.#high = new Uint32Array(2 ** bits);
    this.#mask = 2 ** bits - 1;
  }

  get bytes(): number {
    return 8 * (this.#mask + 1);
  }

  /** Notes a fingerprint of two 32-bit numbers; true when it is new. */
  add(low: number, high: number): boolean {
    // Zeros stand for a free place.
    const first = (low | high) === 0 ? 1 : low >>> 0;
    if (!this.#put(first, high >>> 0)) return false;
    this.size += 1;
    if (this.size > LOAD * (this.#mask + 1)) this.#grow();
    return true;
  }

  #put(low: number, high: number): boolean {
    let at = (low ^ (high << 7)) & this.#mask;
    for (;;) {
      const there = this.#low[at]!;
      const above = this.#high[at]!;
      if (there === 0 && above === 0) break;
      if (there === low && above === high) return false;
      at = (at + 1) & this.#mask;
    }
    this.#low[at] = low;
    this.#high[at] = high;
    return true;
  }

  #grow(): void {
    const low = this.#low;
    const high = this.#high;
    const places = 2 * low.length;
    this.#low = new Uint32Array(places);
    this.#high = new Uint32Array(places);
    this.#mask = places - 1;
    for (let at = 0; at < low.length; at += 1) {
      if ((low[at]! | high[at]!) !== 0) this.#put(low[at]!, high[at]!);
    }
  }
}

/** A fingerprint in the making: numbers are mixed into two independent 32-bit halves (MurmurHash3's mixers). */
export class Fingerprint {
  low = 0;
  high = 0;

  reset(): void {
    this.low = 0x9747b28c | 0;
    this.high = 0x85ebca6b | 0;
  }

  mix(value: number): void {
    let low = Math.imul(value ^ this.low, 0xcc9e2d51);
    low = (low << 15) | (low >>> 17);
    this.low = (Math.imul(low, 0x1b873593) + Math.imul(this.low, 5) + 0x52dce729) | 0;
    let high = Math.imul(value + this.high, 0x38b34ae5);
    high ^= high >>> 15;
    this.high = (Math.imul(high, 0xa1e38b93) ^ Math.imul(this.high, 9) ^ (this.low >>> 3)) | 0;
  }

  finish(): void {
    this.low = avalanche(this.low);
    this.high = avalanche(this.high ^ Math.imul(this.low, 0x27d4eb2f));
  }
}

function avalanche(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
