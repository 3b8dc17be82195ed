// Contents of sectors, each with a number: equal contents have the same one, so that states are compared and counted
// without their bytes.
import { EMPTY_DIGEST, mixNumber } from "../../src/base/digest.js";

export const SECTOR = 512;
/** What nobody has written. */
export const ZEROS = 0;

export class Sectors {
  readonly #numbers: Map<string, number>;
  readonly #contents: Uint8Array[];
  /** Of each content, apart from its number, which depends on what came before. */
  readonly #sums: number[];

  constructor() {
    this.#numbers = new Map();
    this.#contents = [];
    this.#sums = [];
    this.numberOf(new Uint8Array(SECTOR));
  }

  /** `bytes` is a whole sector. */
  numberOf(bytes: Uint8Array): number {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, SECTOR).toString("latin1");
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#contents.length;
    this.#numbers.set(text, number);
    this.#contents.push(bytes.slice());
    this.#sums.push(sumOf(bytes));
    return number;
  }

  bytesOf(number: number): Uint8Array {
    return this.#contents[number]!;
  }

  sumOf(number: number): number {
    return this.#sums[number]!;
  }
}

function sumOf(bytes: Uint8Array): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  const sum = new Sum();
  for (let at = 0; at < SECTOR; at += 4) sum.add(words.getUint32(at, true));
  return sum.value;
}

/** Two digests side by side, 53 bits together: enough to count millions of states. */
export class Sum {
  #low = EMPTY_DIGEST;
  #high = EMPTY_DIGEST ^ 0x5bd1e995;

  add(number: number): void {
    this.#low = mixNumber(this.#low, number);
    this.#high = mixNumber(this.#high + 0x9e3779b9, number) ^ (this.#low >>> 7);
  }

  addText(text: string): void {
    this.add(text.length);
    for (let at = 0; at < text.length; at += 1) this.add(text.charCodeAt(at));
  }

  get value(): number {
    return (this.#high & 0x1fffff) * 2 ** 32 + this.#low;
  }
}
