// Small numbers for large things: equal keys get one number, and what was computed from two numbers is remembered.
// Rule: the explorer runs the real core once for each pair of a replica's state and an event, however often they meet.

/** Gives each distinct key a number, from 0 up, and keeps one value for it. */
export class Interner<T> {
  readonly #ids = new Map<string, number>();
  readonly values: T[] = [];

  /** The number of `key`; `make` is called when it is new. */
  id(key: string, make: () => T): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.values.length;
    this.#ids.set(key, id);
    this.values.push(make());
    return id;
  }
}

const NONE = -1;

/** A map from two numbers of at most 31 bits to one, in typed arrays. */
export class PairMap {
  #keys: Int32Array;
  #results: Int32Array;
  #mask: number;
  #size = 0;

  constructor() {
    this.#mask = 2 ** 12 - 1;
    this.#keys = new Int32Array(2 * (this.#mask + 1)).fill(NONE);
    this.#results = new Int32Array(this.#mask + 1);
  }

  get bytes(): number {
    return 12 * (this.#mask + 1);
  }

  /** What was set for the pair; -1: nothing. */
  get(a: number, b: number): number {
    const at = this.#find(a, b);
    return this.#keys[2 * at] === NONE ? NONE : this.#results[at]!;
  }

  set(a: number, b: number, result: number): void {
    const at = this.#find(a, b);
    if (this.#keys[2 * at] === NONE) this.#size += 1;
    this.#keys[2 * at] = a;
    this.#keys[2 * at + 1] = b;
    this.#results[at] = result;
    if (this.#size > 0.6 * (this.#mask + 1)) this.#grow();
  }

  #find(a: number, b: number): number {
    const keys = this.#keys;
    let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    let at = (hash ^ (hash >>> 13)) & this.#mask;
    while (keys[2 * at] !== NONE && (keys[2 * at] !== a || keys[2 * at + 1] !== b)) {
      at = (at + 1) & this.#mask;
    }
    return at;
  }

  #grow(): void {
    const keys = this.#keys;
    const results = this.#results;
    const places = 2 * results.length;
    this.#mask = places - 1;
    this.#keys = new Int32Array(2 * places).fill(NONE);
    this.#results = new Int32Array(places);
    for (let old = 0; old < results.length; old += 1) {
      if (keys[2 * old] === NONE) continue;
      const at = this.#find(keys[2 * old]!, keys[2 * old + 1]!);
      this.#keys[2 * at] = keys[2 * old]!;
      this.#keys[2 * at + 1] = keys[2 * old + 1]!;
      this.#results[at] = results[old]!;
    }
  }
}
