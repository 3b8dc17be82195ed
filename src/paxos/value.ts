// Values: what a slot holds. A value is bytes that nobody copies between socket and disk: a kind byte, then
// for a batch its commands. Decoding is total: bytes that are no batch hold no commands, the same everywhere.
import { ByteReader, ByteWriter, bytesEqual } from "../base/bytes.js";
import type { ReplicaId } from "./ballot.js";

/** An encoded value: a no-op or a batch of commands. Equal bytes are equal values. */
export type Value = Uint8Array;

/** A command of the embedder's machine with its place in the session of the replica it came from. */
export interface Command {
  /** The replica whose caller proposed it. */
  readonly origin: ReplicaId;
  /** The life of `origin` that proposed it. */
  readonly incarnation: number;
  /** Counts the commands of this origin and incarnation, from 1. */
  readonly number: number;
  /** Every number up to it is answered and will not be sent again. */
  readonly settled: number;
  readonly payload: Uint8Array;
}

const KIND_NOOP = 0;
const KIND_BATCH = 1;

/** The value that fills a gap (S7). */
export const NOOP: Value = Uint8Array.of(KIND_NOOP);

export function isNoop(value: Value): boolean {
  return value.length === 1 && value[0] === KIND_NOOP;
}

export function sameValue(a: Value, b: Value): boolean {
  return a === b || bytesEqual(a, b);
}

/** Bytes that a command takes up in a batch, at most. */
export function commandSize(command: Command): number {
  return command.payload.length + 40;
}

export function encodeBatch(commands: readonly Command[]): Value {
  const writer = ByteWriter.forShort();
  writer.u8(KIND_BATCH);
  writeCommands(writer, commands);
  return writer.take();
}

/** The commands in a value, in the order in which they are executed; none for a no-op or for broken bytes. */
export function commandsOf(value: Value): readonly Command[] {
  if (value.length === 0 || value[0] !== KIND_BATCH) return [];
  const reader = new ByteReader(value, 1);
  const commands = readCommands(reader);
  return reader.failed || !reader.atEnd ? [] : commands;
}

export function writeCommands(writer: ByteWriter, commands: readonly Command[]): void {
  writer.varint(commands.length);
  for (const command of commands) {
    writer.varint(command.origin);
    writer.varint(command.incarnation);
    writer.varint(command.number);
    writer.varint(command.settled);
    writer.bytes(command.payload);
  }
}

/** Reads what `writeCommands` wrote; payloads are views. On broken bytes `reader.failed` is set. */
export function readCommands(reader: ByteReader): Command[] {
  const count = reader.varint();
  const commands: Command[] = [];
  for (let i = 0; i < count && !reader.failed; i += 1) {
    commands.push({
      origin: reader.varint(),
      incarnation: reader.varint(),
      number: reader.varint(),
      settled: reader.varint(),
      payload: reader.bytes(),
    });
  }
  return commands;
}
