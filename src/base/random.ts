// A seeded generator whose whole state is four 32-bit numbers, so that it can be copied, digested and replayed.
// Source: "sfc32" of PractRand (Doty-Humphrey). Not for secrets.
import { assert } from "./assert.js";

export class Random {
  /** Plain data: copy it to copy the generator. */
  readonly state: Int32Array;

  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), "a seed is a safe integer");
    this.state = Int32Array.of(seed % 2 ** 32, Math.floor(seed / 2 ** 32), 0x9e3779b9, 1);
    for (let i = 0; i < 15; i += 1) this.#step();
  }

  copy(): Random {
    const other = new Random(0);
    other.state.set(this.state);
    return other;
  }

  #step(): number {
    const state = this.state;
    const a = state[0]!;
    const b = state[1]!;
    const c = state[2]!;
    const counter = state[3]!;
    const result = (a + b + counter) | 0;
    state[3] = counter + 1;
    state[0] = b ^ (b >>> 9);
    state[1] = (c + (c << 3)) | 0;
    state[2] = (((c << 21) | (c >>> 11)) + result) | 0;
    return result;
  }

  /** In [0, 1), of 2^32 values. */
  next(): number {
    return (this.#step() >>> 0) / 2 ** 32;
  }

  /** An integer from 0 to `n - 1`. */
  below(n: number): number {
    assert(Number.isSafeInteger(n) && n > 0 && n <= 2 ** 32, "below takes 1 to 2^32");
    return Math.floor(this.next() * n);
  }
}
