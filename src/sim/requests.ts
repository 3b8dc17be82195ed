// What a client asks: the usual kinds over few keys, each value its own, so that a value tells who wrote it and when.
import type { Random } from "../base/random.js";
import type { Request } from "./history/operation.js";

export interface Extremes {
  /** Values are filled up to at most so many characters. */
  readonly longest: number;
  /** The chance that a transaction is one that the machine has to refuse. */
  readonly refusals: number;
}

const NONE: Extremes = { longest: 0, refusals: 0 };

export class Requests {
  readonly #name: string;
  readonly #random: Random;
  readonly #keys: number;
  readonly #extremes: Extremes;
  #values: number;

  /** `name` begins its values; nobody else has it. */
  constructor(name: string, random: Random, keys: number, extremes: Extremes = NONE) {
    this.#name = name;
    this.#random = random;
    this.#keys = keys;
    this.#extremes = extremes;
    this.#values = 0;
  }

  next(): Request {
    const random = this.#random;
    const key = this.#key();
    const kind = random.below(20);
    if (kind < 8) {
      const put = { kind: "put", key, value: this.#value() } as const;
      return random.next() < 0.3 ? { ...put, prevKv: true } : put;
    }
    if (kind < 14) return { kind: "get", key };
    if (kind < 15) return { kind: "get", key, local: true };
    if (kind < 17) return { kind: "delete", key };
    return this.#txn(key);
  }

  put(): Request {
    return { kind: "put", key: this.#key(), value: this.#value() };
  }

  #key(): string {
    return `k${this.#random.below(this.#keys)}`;
  }

  #value(): string {
    this.#values += 1;
    const value = `${this.#name}.${this.#values}`;
    const { longest } = this.#extremes;
    return longest === 0 ? value : value.padEnd(this.#random.below(longest), ".");
  }

  /** If the key is there, two puts; if not, one: half done it would show. One that puts a key twice is refused. */
  #txn(key: string): Request {
    const put = (at: string) => ({ kind: "put", key: at, value: this.#value() }) as const;
    const isRefused = this.#random.next() < this.#extremes.refusals;
    const other = isRefused ? key : `${this.#key()}+`;
    return {
      kind: "txn",
      compares: [{ key, target: "create", relation: ">", operand: 0 }],
      success: [put(key), put(other)],
      failure: [put(key)],
    };
  }
}
