// The parts of messages: ids, flags and lists. A reader's count is checked against the bytes left before anything
// is made for it; what is out of range sets `failed`.
import type { ByteReader, ByteWriter } from "../base/bytes.js";
import type { Accepted, ChosenEntry, Faulty, StateDigest } from "../paxos/message.js";
import type { Value } from "../paxos/value.js";

/** Most elements of a list in a message. */
const MAX_COUNT = 1 << 20;

export function readSlot(reader: ByteReader): number {
  const slot = reader.varint();
  if (slot === 0) reader.failed = true;
  return slot;
}

export function readReplicaOrNone(reader: ByteReader): number {
  const replica = reader.varint();
  if (replica > 65535) reader.failed = true;
  return replica;
}

export function readReplica(reader: ByteReader): number {
  const replica = readReplicaOrNone(reader);
  if (replica === 0) reader.failed = true;
  return replica;
}

export function readBoolean(reader: ByteReader): boolean {
  const byte = reader.u8();
  if (byte > 1) reader.failed = true;
  return byte === 1;
}

/** How many elements come, each of at least `size` bytes; 0 when the bytes left cannot hold them. */
function readCount(reader: ByteReader, size: number): number {
  const count = reader.varint();
  if (count > MAX_COUNT || count * size > reader.remaining) reader.failed = true;
  return reader.failed ? 0 : count;
}

export function writeNumbers(writer: ByteWriter, numbers: readonly number[]): void {
  writer.varint(numbers.length);
  for (const number of numbers) writer.varint(number);
}

export function readNumbers(reader: ByteReader): number[] {
  const numbers: number[] = [];
  for (let count = readCount(reader, 1); count > 0 && !reader.failed; count -= 1) {
    numbers.push(reader.varint());
  }
  return numbers;
}

export function readValues(reader: ByteReader): Value[] {
  const values: Value[] = [];
  for (let count = readCount(reader, 1); count > 0 && !reader.failed; count -= 1) {
    values.push(reader.bytes());
  }
  return values;
}

export function readEntries(reader: ByteReader): ChosenEntry[] {
  const entries: ChosenEntry[] = [];
  for (let count = readCount(reader, 2); count > 0 && !reader.failed; count -= 1) {
    entries.push({ slot: readSlot(reader), value: reader.bytes() });
  }
  return entries;
}

export function writeAccepted(writer: ByteWriter, accepted: readonly Accepted[]): void {
  writer.varint(accepted.length);
  for (const vote of accepted) {
    writer.varint(vote.slot);
    writer.varint(vote.ballot);
    writer.bytes(vote.value);
  }
}

export function readAccepted(reader: ByteReader): Accepted[] {
  const accepted: Accepted[] = [];
  for (let count = readCount(reader, 3); count > 0 && !reader.failed; count -= 1) {
    accepted.push({ slot: readSlot(reader), ballot: reader.varint(), value: reader.bytes() });
  }
  return accepted;
}

export function writeFaulty(writer: ByteWriter, faulty: readonly Faulty[]): void {
  writer.varint(faulty.length);
  for (const range of faulty) {
    writer.varint(range.from);
    writer.varint(range.to);
    writer.varint(range.ballot);
  }
}

export function readFaulty(reader: ByteReader): Faulty[] {
  const faulty: Faulty[] = [];
  for (let count = readCount(reader, 3); count > 0 && !reader.failed; count -= 1) {
    const range = { from: readSlot(reader), to: readSlot(reader), ballot: reader.varint() };
    if (range.to < range.from) reader.failed = true;
    faulty.push(range);
  }
  return faulty;
}

export function writeDigests(writer: ByteWriter, digests: readonly StateDigest[]): void {
  writer.varint(digests.length);
  for (const { replica, slot, digest } of digests) {
    writer.varint(replica);
    writer.varint(slot);
    writer.varint(digest);
  }
}

export function readDigests(reader: ByteReader): StateDigest[] {
  const digests: StateDigest[] = [];
  for (let count = readCount(reader, 3); count > 0 && !reader.failed; count -= 1) {
    digests.push({ replica: readReplica(reader), slot: readSlot(reader), digest: reader.varint() });
  }
  return digests;
}
