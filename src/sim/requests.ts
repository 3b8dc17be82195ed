// What a client asks: the usual kinds over few keys, each value its own, so that a value tells who wrote it and when.
import type { Random } from "../base/random.js";
import type { Request } from "./history/operation.js";

export class Requests {
  readonly #name: string;
  readonly #random: Random;
  readonly #keys: number;
  #values: number;

  /** `name` begins its values; nobody else has it. */
  constructor(name: string, random: Random, keys: number) {
    this.#name = name;
    this.#random = random;
    this.#keys = keys;
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

  #key(): string {
    return `k${this.#random.below(this.#keys)}`;
  }

  #value(): string {
    this.#values += 1;
    return `${this.#name}.${this.#values}`;
  }

  /** If the key is there, two puts; if not, one: half done it would show. */
  #txn(key: string): Request {
    const put = (at: string) => ({ kind: "put", key: at, value: this.#value() }) as const;
    return {
      kind: "txn",
      compares: [{ key, target: "create", relation: ">", operand: 0 }],
      success: [put(key), put(`${this.#key()}+`)],
      failure: [put(key)],
    };
  }
}
