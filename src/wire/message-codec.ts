// The bytes of every message between replicas: a kind byte, then the fields in their order, numbers as varints.
// Decoding is total: bytes that are no message give null, and nothing is allocated beyond what the bytes pay for.
import { unreachable } from "../base/assert.js";
import { ByteReader, type ByteWriter } from "../base/bytes.js";
import type { Message, MessageKind } from "../paxos/message.js";
import { readCommands, writeCommands } from "../paxos/value.js";
import {
  readAccepted,
  readBoolean,
  readDigests,
  readEntries,
  readFaulty,
  readNumbers,
  readReplica,
  readReplicaOrNone,
  readSlot,
  readValues,
  writeAccepted,
  writeDigests,
  writeFaulty,
  writeNumbers,
} from "./message-parts.js";
import type { PeerMessage } from "./peer-message.js";
import { readSnapshotMessage, writeSnapshotMessage } from "./snapshot-messages.js";

/** Longest encoded message; a longer one is refused before it is read. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

const KINDS: Readonly<Record<PeerMessage["kind"], number>> = {
  prepare: 1,
  promise: 2,
  accept: 3,
  accepted: 4,
  reject: 5,
  heartbeat: 6,
  heartbeatAck: 7,
  canvass: 8,
  canvassReply: 9,
  learn: 10,
  learned: 11,
  forward: 12,
  forwarded: 13,
  readIndex: 14,
  readIndexReply: 15,
  transfer: 16,
  genesis: 17,
  snapshotOffer: 18,
  snapshotRequest: 19,
  snapshotChunk: 20,
};
const KIND_OF = new Map(Object.entries(KINDS).map(([kind, code]) => [code, kind as PeerMessage["kind"]]));

export function encodeMessage(message: PeerMessage, writer: ByteWriter): void {
  writer.u8(KINDS[message.kind]);
  switch (message.kind) {
    case "genesis":
      writer.bytes(message.bytes);
      break;
    case "snapshotOffer":
    case "snapshotRequest":
    case "snapshotChunk":
      writeSnapshotMessage(message, writer);
      break;
    case "promise":
    case "accept":
    case "accepted":
    case "learned":
    case "forward":
    case "forwarded":
      encodeLists(message, writer);
      break;
    default:
      encodeNumbers(message, writer);
      break;
  }
}

type ListKind = "promise" | "accept" | "accepted" | "learned" | "forward" | "forwarded";
type ListMessage = Extract<Message, { kind: ListKind }>;
type NumberMessage = Exclude<Message, { kind: ListKind }>;

function encodeLists(message: ListMessage, writer: ByteWriter): void {
  switch (message.kind) {
    case "promise":
      writer.varint(message.ballot);
      writer.varint(message.from);
      writer.varint(message.to);
      writeAccepted(writer, message.accepted);
      writeFaulty(writer, message.faulty);
      writer.varint(message.chosenUpTo);
      writer.varint(message.compactedUpTo);
      break;
    case "accept":
      writer.varint(message.ballot);
      writer.varint(message.firstSlot);
      writer.varint(message.values.length);
      for (const value of message.values) writer.bytes(value);
      writer.varint(message.chosenUpTo);
      break;
    case "accepted":
      writer.varint(message.ballot);
      writer.varint(message.upTo);
      writeNumbers(writer, message.slots);
      break;
    case "learned":
      writer.varint(message.entries.length);
      for (const entry of message.entries) {
        writer.varint(entry.slot);
        writer.bytes(entry.value);
      }
      break;
    case "forward":
      writeCommands(writer, message.commands);
      writer.varint(message.hops);
      break;
    case "forwarded":
      writer.varint(message.origin);
      writer.varint(message.incarnation);
      writeNumbers(writer, message.numbers);
      writer.varint(message.ballot);
      writer.varint(message.chosenUpTo);
      break;
    default:
      unreachable(message);
  }
}

function encodeNumbers(message: NumberMessage, writer: ByteWriter): void {
  switch (message.kind) {
    case "prepare":
      writer.varint(message.ballot);
      writer.varint(message.fromSlot);
      break;
    case "reject":
      writer.varint(message.ballot);
      writer.varint(message.promised);
      break;
    case "heartbeat":
      writer.varint(message.ballot);
      writer.varint(message.chosenUpTo);
      writer.varint(message.round);
      writer.u8(message.quorumConnected ? 1 : 0);
      writer.varint(message.emptyAbove);
      writer.u8(message.full ? 1 : 0);
      writeDigests(writer, message.digests);
      break;
    case "heartbeatAck":
      writer.varint(message.ballot);
      writer.varint(message.round);
      writer.varint(message.syncedUpTo);
      writer.varint(message.digestSlot);
      writer.varint(message.digest);
      writer.u8(message.lease ? 1 : 0);
      writer.u8(message.damaged ? 1 : 0);
      writer.u8(message.full ? 1 : 0);
      break;
    case "canvass":
      writer.varint(message.round);
      writer.varint(message.chosenUpTo);
      break;
    case "canvassReply":
      writer.varint(message.round);
      writer.u8(message.willing ? 1 : 0);
      writer.varint(message.promised);
      writer.varint(message.chosenUpTo);
      writer.varint(message.leader);
      break;
    case "learn":
      writer.varint(message.fromSlot);
      break;
    case "readIndex":
      writer.varint(message.origin);
      writer.varint(message.id);
      writer.varint(message.hops);
      break;
    case "readIndexReply":
      writer.varint(message.origin);
      writer.varint(message.id);
      writer.varint(message.slot);
      writer.varint(message.ballot);
      writer.varint(message.chosenUpTo);
      break;
    case "transfer":
      writer.varint(message.ballot);
      writer.varint(message.to);
      break;
    default:
      unreachable(message);
  }
}

/** The message, its values and payloads views of `bytes`; null: malformed. Never throws. */
export function decodeMessage(bytes: Uint8Array): PeerMessage | null {
  if (bytes.length > MAX_MESSAGE_BYTES) return null;
  const reader = new ByteReader(bytes);
  const kind = KIND_OF.get(reader.u8());
  if (kind === undefined) return null;
  const message = decodeFields(kind, reader);
  return reader.failed || !reader.atEnd ? null : message;
}

function decodeFields(kind: PeerMessage["kind"], reader: ByteReader): PeerMessage {
  switch (kind) {
    case "genesis":
      return { kind, bytes: reader.bytes() };
    case "snapshotOffer":
    case "snapshotRequest":
    case "snapshotChunk":
      return readSnapshotMessage(kind, reader);
    case "promise":
    case "accept":
    case "accepted":
    case "learned":
    case "forward":
    case "forwarded":
      return decodeLists(kind, reader);
    default:
      return decodeNumbers(kind, reader);
  }
}

// The fields of an object literal are evaluated in the order in which they are written: that of the bytes.
function decodeLists(kind: ListKind, reader: ByteReader): Message {
  const r = reader;
  switch (kind) {
    case "promise":
      return {
        kind,
        ballot: r.varint(),
        from: readSlot(r),
        to: readSlot(r),
        accepted: readAccepted(r),
        faulty: readFaulty(r),
        chosenUpTo: r.varint(),
        compactedUpTo: r.varint(),
      };
    case "accept": {
      const message = { kind, ballot: r.varint(), firstSlot: readSlot(r), values: readValues(r) };
      if (message.firstSlot + message.values.length > Number.MAX_SAFE_INTEGER) r.failed = true;
      return { ...message, chosenUpTo: r.varint() };
    }
    case "accepted":
      return { kind, ballot: r.varint(), upTo: r.varint(), slots: readNumbers(r) };
    case "learned":
      return { kind, entries: readEntries(r) };
    case "forward":
      return { kind, commands: readCommands(r), hops: r.varint() };
    case "forwarded":
      return {
        kind,
        origin: readReplica(r),
        incarnation: r.varint(),
        numbers: readNumbers(r),
        ballot: r.varint(),
        chosenUpTo: r.varint(),
      };
    default:
      return unreachable(kind);
  }
}

function decodeNumbers(kind: Exclude<MessageKind, ListKind>, reader: ByteReader): Message {
  const r = reader;
  switch (kind) {
    case "prepare":
      return { kind, ballot: r.varint(), fromSlot: readSlot(r) };
    case "reject":
      return { kind, ballot: r.varint(), promised: r.varint() };
    case "heartbeat":
      return {
        kind,
        ballot: r.varint(),
        chosenUpTo: r.varint(),
        round: r.varint(),
        quorumConnected: readBoolean(r),
        emptyAbove: r.varint(),
        full: readBoolean(r),
        digests: readDigests(r),
      };
    case "heartbeatAck":
      return {
        kind,
        ballot: r.varint(),
        round: r.varint(),
        syncedUpTo: r.varint(),
        digestSlot: r.varint(),
        digest: r.varint(),
        lease: readBoolean(r),
        damaged: readBoolean(r),
        full: readBoolean(r),
      };
    case "canvass":
      return { kind, round: r.varint(), chosenUpTo: r.varint() };
    case "canvassReply":
      return {
        kind,
        round: r.varint(),
        willing: readBoolean(r),
        promised: r.varint(),
        chosenUpTo: r.varint(),
        leader: readReplicaOrNone(r),
      };
    case "learn":
      return { kind, fromSlot: readSlot(r) };
    case "readIndex":
      return { kind, origin: readReplica(r), id: r.varint(), hops: r.varint() };
    case "readIndexReply":
      return {
        kind,
        origin: readReplica(r),
        id: r.varint(),
        slot: r.varint(),
        ballot: r.varint(),
        chosenUpTo: r.varint(),
      };
    case "transfer":
      return { kind, ballot: r.varint(), to: readReplicaOrNone(r) };
    default:
      return unreachable(kind);
  }
}
