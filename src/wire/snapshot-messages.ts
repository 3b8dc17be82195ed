// How a replica that is behind the logs of others gets the state (L4): an offer, then pieces of the file, each asked
// for. A file is named by its slot, length and checksum: equal ones are the same bytes, whoever has them.
import { unreachable } from "../base/assert.js";
import type { ByteReader, ByteWriter } from "../base/bytes.js";
import type { Slot } from "../paxos/ballot.js";
import { readSlot } from "./message-parts.js";

/** Names a snapshot: the state after `slot`, `bytes` long as a file, with the checksum `sum` over all of it. */
export interface SnapshotName {
  readonly slot: Slot;
  readonly bytes: number;
  readonly sum: number;
}

export interface SnapshotOfferMessage extends SnapshotName {
  readonly kind: "snapshotOffer";
}

/** Asks for the piece from `offset` on; from the end on: a piece that came from there was damaged. */
export interface SnapshotRequestMessage extends SnapshotName {
  readonly kind: "snapshotRequest";
  readonly offset: number;
}

export interface SnapshotChunkMessage extends SnapshotName {
  readonly kind: "snapshotChunk";
  readonly offset: number;
  readonly data: Uint8Array;
}

export type SnapshotMessage = SnapshotOfferMessage | SnapshotRequestMessage | SnapshotChunkMessage;

export function isSnapshotMessage(message: { readonly kind: string }): message is SnapshotMessage {
  const { kind } = message;
  return kind === "snapshotOffer" || kind === "snapshotRequest" || kind === "snapshotChunk";
}

export function writeSnapshotMessage(message: SnapshotMessage, writer: ByteWriter): void {
  writer.varint(message.slot);
  writer.varint(message.bytes);
  writer.varint(message.sum);
  if (message.kind !== "snapshotOffer") writer.varint(message.offset);
  if (message.kind === "snapshotChunk") writer.bytes(message.data);
}

// The fields of an object literal are evaluated in the order in which they are written: that of the bytes.
export function readSnapshotMessage(kind: SnapshotMessage["kind"], reader: ByteReader): SnapshotMessage {
  const name = { slot: readSlot(reader), bytes: reader.varint(), sum: reader.varint() };
  switch (kind) {
    case "snapshotOffer":
      return { kind, ...name };
    case "snapshotRequest":
      return { kind, ...name, offset: reader.varint() };
    case "snapshotChunk":
      return { kind, ...name, offset: reader.varint(), data: reader.bytes() };
    default:
      return unreachable(kind);
  }
}
