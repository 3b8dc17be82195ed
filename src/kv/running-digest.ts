// A digest of everything that commands have changed, in the order in which they did: part of the state, so that
// replicas can be compared at any slot without reading the store (2.10). It finds accidents, not attacks.
import { SEAL_BYTES } from "./record-store.js";

/** As it is stored. */
export interface DigestLanes {
  readonly a: number;
  readonly b: number;
}

export const FRESH_DIGEST: DigestLanes = { a: 0x2545f491, b: 0x1b873593 };

const TAG_COMPACTION = 0x636f6d70;
const TAG_REFUSAL = 0x72656675;

export class RunningDigest {
  #a: number;
  #b: number;

  constructor({ a, b }: DigestLanes) {
    this.#a = a | 0;
    this.#b = b | 0;
  }

  get lanes(): DigestLanes {
    return { a: this.#a >>> 0, b: this.#b >>> 0 };
  }

  /** 53 bits. */
  get value(): number {
    return (finish(this.#a) % 2 ** 21) * 2 ** 32 + finish(this.#b);
  }

  /** A record stands for its key, value, revisions and place: its seal is a checksum over all of them. */
  record(sealed: Uint8Array): void {
    const seal = sealed[0]! | (sealed[1]! << 8) | (sealed[2]! << 16) | (sealed[SEAL_BYTES - 1]! << 24);
    this.#mix(seal);
    this.#mix(sealed.length);
  }

  compaction(revision: number): void {
    this.#mix(TAG_COMPACTION);
    this.#mix(revision % 2 ** 32);
    this.#mix(Math.floor(revision / 2 ** 32));
  }

  refusal(name: string): void {
    this.#mix(TAG_REFUSAL);
    for (let i = 0; i < name.length; i += 1) this.#mix(name.charCodeAt(i));
  }

  #mix(word: number): void {
    const a = Math.imul(this.#a ^ word, 0x85ebca6b);
    this.#a = (a ^ (a >>> 15)) | 0;
    const b = Math.imul((this.#b << 13) | (this.#b >>> 19), 0xc2b2ae35) + Math.imul(word, 0x9e3779b1);
    this.#b = (b ^ (b >>> 16)) | 0;
  }
}

function finish(lane: number): number {
  const h = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
