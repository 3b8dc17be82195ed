// Bytes of one change of one key, as kept in the record store: the seal, a kind, the key and, for a put, what
// etcd's KeyValue holds. The revision is the record's place in the store. Records are made in shared blocks.
import { ByteReader } from "../base/bytes.js";
import type { KeyValue } from "../proto/gen/kv.js";
import { latin1OfBytes } from "./latin1.js";
import { recordName, SEAL_BYTES, StoreCorrupt, seal } from "./record-store.js";

const KIND_TOMBSTONE = 0;
const KIND_PUT = 1;
const KIND_PUT_WITH_LEASE = 2;

const BLOCK_BYTES = 1 << 20;
/** The first block is so large, each next one twice the one before, so that a small store costs little. */
const FIRST_BLOCK_BYTES = 1 << 12;
const LARGEST_SHARED = BLOCK_BYTES / 4;
const NO_BYTES = new Uint8Array(0);

/** Room for records: a typed array of its own for each would cost more than the record. */
export class RecordBlocks {
  #block = new Uint8Array(0);
  #used = 0;
  #next = FIRST_BLOCK_BYTES;

  allocate(length: number): Uint8Array {
    if (length > LARGEST_SHARED) return new Uint8Array(length);
    if (this.#used + length > this.#block.length) {
      while (this.#next < length) this.#next *= 2;
      this.#block = new Uint8Array(this.#next);
      this.#next = Math.min(BLOCK_BYTES, 2 * this.#next);
      this.#used = 0;
    }
    this.#used += length;
    return this.#block.subarray(this.#used - length, this.#used);
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  while (rest >= 0x80) {
    bytes[end] = (rest % 0x80) | 0x80;
    end += 1;
    rest = Math.floor(rest / 0x80);
  }
  bytes[end] = rest;
  return end + 1;
}

/** A sealed record of a put. */
export function encodePut(
  blocks: RecordBlocks,
  main: number,
  sub: number,
  key: Uint8Array,
  created: number,
  version: number,
  lease: bigint,
  value: Uint8Array,
): Uint8Array {
  const head = SEAL_BYTES + 1 + varintLength(key.length) + key.length;
  const numbers = varintLength(created) + varintLength(version) + (lease === 0n ? 0 : 8);
  const bytes = blocks.allocate(head + numbers + value.length);
  bytes[SEAL_BYTES] = lease === 0n ? KIND_PUT : KIND_PUT_WITH_LEASE;
  let at = writeVarint(bytes, SEAL_BYTES + 1, key.length);
  bytes.set(key, at);
  at = writeVarint(bytes, at + key.length, created);
  at = writeVarint(bytes, at, version);
  if (lease !== 0n) {
    let rest = BigInt.asUintN(64, lease);
    for (let i = 0; i < 8; i += 1) {
      bytes[at + i] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    at += 8;
  }
  bytes.set(value, at);
  return seal(bytes, main, sub);
}

/** A sealed record of a delete. */
export function encodeTombstone(
  blocks: RecordBlocks,
  main: number,
  sub: number,
  key: Uint8Array,
): Uint8Array {
  const bytes = blocks.allocate(SEAL_BYTES + 1 + varintLength(key.length) + key.length);
  bytes[SEAL_BYTES] = KIND_TOMBSTONE;
  bytes.set(key, writeVarint(bytes, SEAL_BYTES + 1, key.length));
  return seal(bytes, main, sub);
}

/** What the index needs of a record: its key as latin1; the version 0 is a tombstone. */
export interface RecordOutline {
  readonly key: string;
  readonly createRevision: number;
  readonly version: number;
}

/** As `decodeRecord`, without its value: many records are read at a start. */
export function outlineOf(body: Uint8Array, main: number, sub: number): RecordOutline {
  const reader = new ByteReader(body);
  const kind = reader.u8();
  const length = reader.varint();
  const from = reader.position;
  reader.skip(length);
  const isTombstone = kind === KIND_TOMBSTONE;
  const createRevision = isTombstone ? 0 : reader.varint();
  const version = isTombstone ? 0 : reader.varint();
  if (kind === KIND_PUT_WITH_LEASE) reader.skip(8);
  const isPut = kind === KIND_PUT || kind === KIND_PUT_WITH_LEASE;
  if (reader.failed || (isTombstone ? !reader.atEnd : !isPut || version === 0)) throw noRecord(main, sub);
  return { key: latin1OfBytes(body, from, from + length), createRevision, version };
}

function noRecord(main: number, sub: number): StoreCorrupt {
  return new StoreCorrupt(
    `${recordName(main, sub)} is intact and yet no record: written by another version?`,
  );
}

/** The change that a record (without its seal) tells. A tombstone has version 0, and only key and modRevision. */
export function decodeRecord(body: Uint8Array, main: number, sub: number): KeyValue {
  const reader = new ByteReader(body);
  const kind = reader.u8();
  const key = reader.bytes();
  if (kind === KIND_TOMBSTONE && !reader.failed && reader.atEnd) {
    return { key, createRevision: 0, modRevision: main, version: 0, value: NO_BYTES, lease: 0n };
  }
  const createRevision = reader.varint();
  const version = reader.varint();
  let lease = 0n;
  if (kind === KIND_PUT_WITH_LEASE) {
    const low = BigInt(reader.u32());
    lease = BigInt.asIntN(64, (BigInt(reader.u32()) << 32n) | low);
  }
  const value = reader.raw(reader.remaining);
  if (reader.failed || version === 0 || (kind !== KIND_PUT && kind !== KIND_PUT_WITH_LEASE)) {
    throw noRecord(main, sub);
  }
  return { key, createRevision, modRevision: main, version, value, lease };
}
