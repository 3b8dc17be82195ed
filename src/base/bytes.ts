// Reading and writing bytes without Node.js. A reader never throws: after the first bad read `failed` is
// true and every further read gives zero or nothing, so that callers check once, at the end.
import { assert } from "./assert.js";

const EMPTY = new Uint8Array(0);
const TWO_32 = 2 ** 32;

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** Byte order, as etcd compares keys; a prefix comes before what it starts. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i += 1) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Writers to be used again, and bytes that one of them may have. */
const SPARE = 8;
const SPARE_BYTES = 16 * 1024;
const spare: ByteWriter[] = [];

/** A growing buffer, little-endian. */
export class ByteWriter {
  #buffer: Uint8Array;
  length: number;

  /** One for what is short, and made often: a buffer of its own would cost more than writing it. End it with `take`. */
  static forShort(): ByteWriter {
    return spare.pop() ?? new ByteWriter();
  }

  constructor(capacity = 256) {
    this.#buffer = new Uint8Array(capacity);
    this.length = 0;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.length));
    this.#buffer = grown;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.length] = value;
    this.length += 1;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#buffer[this.length] = value;
    this.#buffer[this.length + 1] = value >>> 8;
    this.length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#putU32(this.length, value);
    this.length += 4;
  }

  // No DataView: making one costs more than all that most writers write.
  #putU32(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
  }

  /** A safe integer from 0, in eight bytes. */
  u53(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "u53 takes a safe integer from 0");
    this.u32(value % TWO_32);
    this.u32(Math.floor(value / TWO_32));
  }

  /** A safe integer from 0, in one to eight bytes, seven bits a byte. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "varint takes a safe integer from 0");
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.length] = (rest % 0x80) | 0x80;
      this.length += 1;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.length] = rest;
    this.length += 1;
  }

  /** Length, then the bytes. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.length);
    this.length += value.length;
  }

  /** Overwrites four bytes written before, for a length or checksum known only at the end. */
  patchU32(at: number, value: number): void {
    assert(at + 4 <= this.length, "patchU32 stays within what was written");
    this.#putU32(at, value);
  }

  /** A copy of the bytes written so far: the writer must not be used after it, for others use it. */
  take(): Uint8Array {
    const written = this.#buffer.slice(0, this.length);
    this.length = 0;
    if (spare.length < SPARE && this.#buffer.length <= SPARE_BYTES) spare.push(this);
    return written;
  }

  /** Begins anew in the same memory: what `finish` gave is written over. */
  clear(): void {
    this.length = 0;
  }

  /** The bytes written so far, as a view: the writer must not be used after it, unless they are done with. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  position: number;
  failed: boolean;

  constructor(bytes: Uint8Array, position = 0) {
    this.#bytes = bytes;
    this.position = position;
    this.failed = position > bytes.length;
  }

  get atEnd(): boolean {
    return this.position === this.#bytes.length;
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  #take(count: number): number {
    const at = this.position;
    if (this.failed || count > this.#bytes.length - at) {
      this.failed = true;
      return -1;
    }
    this.position = at + count;
    return at;
  }

  skip(count: number): void {
    this.#take(count);
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#bytes[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }

  u32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    if (at < 0) return 0;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  u53(): number {
    const low = this.u32();
    const high = this.u32();
    if (high >= 2 ** 21) this.failed = true;
    return this.failed ? 0 : high * TWO_32 + low;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) this.failed = true;
        return this.failed ? 0 : value;
      }
      scale *= 0x80;
    }
    this.failed = true;
    return 0;
  }

  /** A view of the bytes whose length comes first. */
  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return at < 0 ? EMPTY : this.#bytes.subarray(at, at + length);
  }
}
