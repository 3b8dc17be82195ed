// The bytes of a batch: header, list of its records, repeat of the list of the batch before (A4), values, a trailer.
// Every sector that was written is recognisable: one that is zero in a batch, and not named by the trailer, was not.
//
// header, 72 bytes: 0 magic, 4 crc of bytes 8-71, 8 segment, 12 offset in it, 16 sequence (8), 24 link: crc of the
// batch before, 28 length, 32 records, 36 repeats, 40 zero sectors, 44 flags, 48 crc of the lists, 52 crc of the
// trailer, 56 highest slot of any vote or learned value in the log so far (8), 64 batches before it that it restates.
// list entry, 24 bytes: slot (53 bits) with the kind in its top byte, ballot (8), length and crc of the value.
// repeat entry, 16 bytes: the first two fields. trailer: numbers of the zero sectors (4 each), then one byte.
import { assert } from "../base/assert.js";
import { crc32 } from "../base/crc32.js";
import type { Ballot, Slot } from "../paxos/ballot.js";
import type { LogRecord } from "../paxos/outbox.js";

/** What a disk writes whole or not at all, in bytes. */
export const SECTOR = 512;
const MAGIC = 0x4c4e5953;
const HEADER = 72;
const ENTRY = 24;
const REPEAT = 16;
const END_BYTE = 0x5a;
const TWO_32 = 2 ** 32;

export const KIND_ACCEPTED = 1;
export const KIND_LEARNED = 2;
export const KIND_CHOSEN = 3;
export const KIND_WATERMARK = 4;
export const KIND_VOID = 5;
/** Bytes of the value of a void: a number of a batch. */
const SINCE = 8;

/**
 * What a new life says again: `watermark`, how far all was known chosen; it fixes no vote cast after that was first
 * said. `voidAgain`, what an earlier life found void; damage of batches from number `since` on it had not met.
 */
export type WalRecord =
  | LogRecord
  | { readonly kind: "watermark"; readonly upTo: Slot }
  | { readonly kind: "voidAgain"; readonly from: Slot; readonly ballot: Ballot; readonly since: number };

/** The log was closed in good order here. */
export const FLAG_CLEAN = 1;
/** What the batch before listed is not known: the repeat says nothing. */
export const FLAG_PREVIOUS_UNKNOWN = 2;

export interface BatchHeader {
  readonly segment: number;
  readonly offset: number;
  readonly sequence: number;
  readonly link: number;
  readonly crc: number;
  readonly length: number;
  readonly records: number;
  readonly repeats: number;
  readonly zeroSectors: number;
  readonly flags: number;
  readonly listCrc: number;
  readonly trailerCrc: number;
  readonly maxSlot: Slot;
  /** A batch that opens a life: so many before it add nothing that is not in it; they may never have been synced. */
  readonly restates: number;
}

/** A record as its batch lists it; `length` and `crc` are 0 for one that is only repeated. */
export interface ListEntry {
  readonly kind: number;
  readonly slot: Slot;
  readonly ballot: Ballot;
  readonly length: number;
  readonly crc: number;
}

function align(length: number, to: number): number {
  return Math.ceil(length / to) * to;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

/** Whether any byte from `from` on is not zero; fast, for the unused tail of a segment. */
export function firstNonZero(bytes: Uint8Array, from: number): number {
  let at = from;
  for (; at < bytes.length && (bytes.byteOffset + at) % 4 !== 0; at += 1) if (bytes[at] !== 0) return at;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, Math.floor((bytes.length - at) / 4));
  let word = 0;
  while (word < words.length && words[word] === 0) word += 1;
  for (at += word * 4; at < bytes.length; at += 1) if (bytes[at] !== 0) return at;
  return -1;
}

/** It grows with the largest batch. */
const FIRST_BUFFER = 4096;

/** Assembles one batch after another in one buffer, and keeps what links them. */
export class BatchAssembler {
  #buffer: Uint8Array;
  #view: DataView;
  #length: number;
  /** The repeat that the next batch carries, as its bytes. */
  #repeat: Uint8Array;
  #repeats: number;
  #records: number;
  #previousKnown: boolean;
  #link: number;
  #maxSlot: Slot;
  /** The highest slot of any record of this life, or that the log showed to it. */
  #shownUpTo: Slot;
  /** Number of the first batch of this life. */
  readonly #first: number;
  #restates: number;
  /** Of the next batch. */
  sequence: number;
  /** Where in the assembled batch the values begin, one after the other. */
  valuesAt: number;

  /** `restates`: of the first batch. `previous`: what the one before it lists; null: not known. */
  constructor(
    sequence: number,
    link: number,
    maxSlot: Slot,
    restates: number,
    previous: readonly ListEntry[] | null,
    shownUpTo: Slot,
  ) {
    this.#buffer = new Uint8Array(FIRST_BUFFER);
    this.#view = new DataView(this.#buffer.buffer);
    this.#length = 0;
    this.#repeat = new Uint8Array(REPEAT * 64);
    this.#repeats = 0;
    this.#records = 0;
    this.#previousKnown = previous !== null;
    this.#link = link;
    this.#maxSlot = maxSlot;
    this.#shownUpTo = shownUpTo;
    this.#first = sequence;
    this.#restates = restates;
    this.sequence = sequence;
    this.valuesAt = 0;
    if (previous !== null) this.#repeatList(previous);
  }

  #repeatList(previous: readonly ListEntry[]): void {
    this.#repeat = new Uint8Array(REPEAT * Math.max(previous.length, 64));
    const view = new DataView(this.#repeat.buffer);
    for (const { kind, slot, ballot } of previous) {
      if (kind >= KIND_CHOSEN) continue;
      writeKey(view, this.#repeats * REPEAT, kind, slot, ballot);
      this.#repeats += 1;
    }
  }

  /** Bytes of the batch of `records`; to be given a place with `place`. */
  assemble(records: readonly WalRecord[], flags: number): number {
    const repeatAt = HEADER + records.length * ENTRY;
    const lists = repeatAt + this.#repeats * REPEAT;
    let values = 0;
    for (const record of records) values += valueLength(record);
    const end = align(lists + values, 4);
    this.#reserve(align(end + 1, SECTOR) + (end / SECTOR + 1) * 4 + SECTOR);
    const buffer = this.#buffer;
    buffer.fill(0, 0, HEADER);
    this.#writeRecords(records, lists);
    for (let at = repeatAt; at < lists; at += 1) buffer[at] = this.#repeat[at - repeatAt]!;
    buffer.fill(0, lists + values, end);
    const trailer = this.#writeTrailer(end);
    this.#length = align(end + trailer + 1, SECTOR);
    buffer[end + trailer] = END_BYTE;
    buffer.fill(0, end + trailer + 1, this.#length);
    const view = this.#view;
    this.#records = records.length;
    this.valuesAt = lists;
    view.setUint32(0, MAGIC, true);
    writeU53(view, 16, this.sequence);
    view.setUint32(24, this.#link, true);
    view.setUint32(28, this.#length, true);
    view.setUint32(32, records.length, true);
    view.setUint32(36, this.#repeats, true);
    view.setUint32(40, trailer / 4, true);
    view.setUint32(44, flags | (this.#previousKnown ? 0 : FLAG_PREVIOUS_UNKNOWN), true);
    view.setUint32(48, crc32(buffer, 0, HEADER, lists), true);
    view.setUint32(52, crc32(buffer, 0, end, end + trailer), true);
    writeU53(view, 56, this.#maxSlot);
    view.setUint32(64, this.#restates, true);
    return this.#length;
  }

  #reserve(length: number): void {
    if (length <= this.#buffer.length) return;
    assert(length < TWO_32, "a batch is under 4 GiB");
    this.#buffer = new Uint8Array(Math.max(length, this.#buffer.length * 2));
    this.#view = new DataView(this.#buffer.buffer);
  }

  #writeRecords(records: readonly WalRecord[], valuesAt: number): void {
    const buffer = this.#buffer;
    const view = this.#view;
    let entryAt = HEADER;
    let valueAt = valuesAt;
    let voidFrom: Slot = 0;
    for (const record of records) {
      if (record.kind === "chosen" || record.kind === "watermark") {
        writeKey(view, entryAt, record.kind === "chosen" ? KIND_CHOSEN : KIND_WATERMARK, record.upTo, 0);
      } else if (record.kind === "void" || record.kind === "voidAgain") {
        writeKey(view, entryAt, KIND_VOID, record.from, record.ballot);
        writeU53(view, valueAt, record.kind === "void" ? this.#first : record.since);
        if (record.kind === "void") voidFrom = record.from;
      } else {
        const accepted = record.kind === "accepted";
        const kind = accepted ? KIND_ACCEPTED : KIND_LEARNED;
        writeKey(view, entryAt, kind, record.slot, accepted ? record.ballot : 0);
        buffer.set(record.value, valueAt);
        if (record.slot > this.#maxSlot) this.#maxSlot = record.slot;
        if (record.slot > this.#shownUpTo) this.#shownUpTo = record.slot;
      }
      const length = valueLength(record);
      view.setUint32(entryAt + 16, length, true);
      view.setUint32(entryAt + 20, crc32(buffer, 0, valueAt, valueAt + length), true);
      valueAt += length;
      entryAt += ENTRY;
    }
    // What is hidden from here on down is void above, but for what this life has written itself.
    if (voidFrom > 0) this.#maxSlot = Math.max(voidFrom - 1, this.#shownUpTo);
  }

  /** Names the sectors before `end` that hold nothing but zeros; its length in bytes. */
  #writeTrailer(end: number): number {
    let at = end;
    for (let sector = 1; (sector + 1) * SECTOR <= end; sector += 1) {
      if (!isZero(this.#buffer, sector * SECTOR, (sector + 1) * SECTOR)) continue;
      this.#view.setUint32(at, sector, true);
      at += 4;
    }
    return at - end;
  }

  /** The assembled batch, for its place; valid until the next is assembled. What comes next is linked to it. */
  place(segment: number, offset: number): Uint8Array {
    const view = this.#view;
    view.setUint32(8, segment, true);
    view.setUint32(12, offset, true);
    const crc = crc32(this.#buffer, 0, 8, HEADER);
    view.setUint32(4, crc, true);
    this.#link = crc;
    this.#previousKnown = true;
    this.#restates = 0;
    this.sequence += 1;
    this.#keepList();
    return this.#buffer.subarray(0, this.#length);
  }

  #keepList(): void {
    if (this.#records * REPEAT > this.#repeat.length) {
      this.#repeat = new Uint8Array(this.#records * REPEAT * 2);
    }
    let to = 0;
    for (let i = 0; i < this.#records; i += 1) {
      const from = HEADER + i * ENTRY;
      if (this.#buffer[from + 7]! >= KIND_CHOSEN) continue;
      for (let byte = 0; byte < REPEAT; byte += 1) this.#repeat[to + byte] = this.#buffer[from + byte]!;
      to += REPEAT;
    }
    this.#repeats = to / REPEAT;
  }

  /** The highest slot of any vote or learned value in the log so far, but for those that are void. */
  get maxSlot(): Slot {
    return this.#maxSlot;
  }

  /** The length of the value of record `i` of the assembled batch. */
  lengthOf(i: number): number {
    return this.#view.getUint32(HEADER + i * ENTRY + 16, true);
  }

  /** The crc of the value of record `i` of the assembled batch. */
  crcOf(i: number): number {
    return this.#view.getUint32(HEADER + i * ENTRY + 20, true);
  }
}

function valueLength(record: WalRecord): number {
  if (record.kind === "void" || record.kind === "voidAgain") return SINCE;
  return "value" in record ? record.value.length : 0;
}

/** The batch from which on a void that lies at `at` speaks of no damage. */
export function sinceOf(bytes: Uint8Array, at: number): number {
  return readU53(bytes, at);
}

function writeU53(view: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a number in the log is a safe integer from 0");
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

// Read byte by byte: a view for each batch would cost a recovery more than the reading.
function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function readU53(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + (readU32(bytes, at + 4) & 0x1fffff) * TWO_32;
}

function writeKey(view: DataView, at: number, kind: number, slot: Slot, ballot: Ballot): void {
  assert(slot > 0, "a record names a slot");
  writeU53(view, at, slot);
  view.setUint8(at + 7, kind);
  writeU53(view, at + 8, ballot);
}

/** The header at `at` of segment `segment`; null when there is none that can be read. */
export function readHeader(bytes: Uint8Array, at: number, segment: number): BatchHeader | null {
  if (at + HEADER > bytes.length || bytes[at] !== (MAGIC & 0xff)) return null;
  if (readU32(bytes, at) !== MAGIC) return null;
  const crc = readU32(bytes, at + 4);
  if (crc32(bytes, 0, at + 8, at + HEADER) !== crc) return null;
  // Its own place is part of it: a misdirected write, or a value that looks like a batch, is not taken for one.
  if (readU32(bytes, at + 8) !== segment || readU32(bytes, at + 12) !== at) return null;
  return {
    segment,
    offset: at,
    sequence: readU53(bytes, at + 16),
    link: readU32(bytes, at + 24),
    crc,
    length: readU32(bytes, at + 28),
    records: readU32(bytes, at + 32),
    repeats: readU32(bytes, at + 36),
    zeroSectors: readU32(bytes, at + 40),
    flags: readU32(bytes, at + 44),
    listCrc: readU32(bytes, at + 48),
    trailerCrc: readU32(bytes, at + 52),
    maxSlot: readU53(bytes, at + 56),
    restates: readU32(bytes, at + 64),
  };
}

/** Where the values begin, counted from the start of the segment. */
export function valuesOf(header: BatchHeader): number {
  return header.offset + HEADER + header.records * ENTRY + header.repeats * REPEAT;
}

/** Whether the lists of a batch, the own and the repeated one, can be read. */
export function isListIntact(bytes: Uint8Array, header: BatchHeader): boolean {
  const to = valuesOf(header);
  return to <= bytes.length && crc32(bytes, 0, header.offset + HEADER, to) === header.listCrc;
}

/** The records that a batch lists; null when its lists cannot be read. */
export function readList(bytes: Uint8Array, header: BatchHeader): readonly ListEntry[] | null {
  if (!isListIntact(bytes, header)) return null;
  const list: ListEntry[] = [];
  for (let i = 0; i < header.records; i += 1) list.push(listEntry(bytes, header, i));
  return list;
}

/** Record `i` of an intact list. */
export function listEntry(bytes: Uint8Array, header: BatchHeader, i: number): ListEntry {
  const at = header.offset + HEADER + i * ENTRY;
  return readEntry(bytes, at, readU32(bytes, at + 16), readU32(bytes, at + 20));
}

/** The records of the batch before, as a batch whose lists can be read repeats them. */
export function readRepeat(bytes: Uint8Array, header: BatchHeader): readonly ListEntry[] {
  const from = header.offset + HEADER + header.records * ENTRY;
  const list: ListEntry[] = [];
  for (let i = 0; i < header.repeats; i += 1) list.push(readEntry(bytes, from + i * REPEAT, 0, 0));
  return list;
}

function readEntry(bytes: Uint8Array, at: number, length: number, crc: number): ListEntry {
  return { kind: bytes[at + 7]!, slot: readU53(bytes, at), ballot: readU53(bytes, at + 8), length, crc };
}

/** Whether a sector of the batch was never written: it is zero, and the assembled batch had none such there. */
export function isTorn(bytes: Uint8Array, header: BatchHeader): boolean {
  const end = header.offset + header.length;
  // The trailer is found from the end: the last byte that is not zero is the end byte.
  let last = end - 1;
  while (last > end - SECTOR && bytes[last] === 0) last -= 1;
  if (isZero(bytes, end - SECTOR, end)) return true;
  const trailerAt = last - header.zeroSectors * 4;
  const readable =
    bytes[last] === END_BYTE &&
    trailerAt >= header.offset + HEADER &&
    crc32(bytes, 0, trailerAt, last) === header.trailerCrc;
  const named = new Set<number>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (readable) for (let at = trailerAt; at < last; at += 4) named.add(view.getUint32(at, true));
  // Without the trailer only the lists, and the trailer itself, are known to have no zero sector of their own.
  const listsEnd = valuesOf(header);
  for (let sector = 0; sector < header.length / SECTOR; sector += 1) {
    const from = header.offset + sector * SECTOR;
    if (!isZero(bytes, from, from + SECTOR)) continue;
    if (readable ? !named.has(sector) : from + SECTOR <= listsEnd || from + SECTOR > trailerAt) return true;
  }
  return false;
}
