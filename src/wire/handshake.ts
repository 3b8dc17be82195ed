// What replicas tell each other about themselves and their connection: pure codecs of every frame but `message`.
// Decoding is total: malformed bytes give null.
import { assert } from "../base/assert.js";
import { ByteReader, type ByteWriter } from "../base/bytes.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { FRAME_KINDS, type FrameKind, sealFrame, startFrame } from "./frame.js";

/** Raised with every change of the frames or messages that an older replica would misread. */
export const PROTOCOL_VERSION = 3;

/** "SYND", then the version: their place never changes, so that every version can tell any other what is wrong. */
const MAGIC = 0x53594e44;
const MAX_TEXT = 2000;
const MAX_REPLICA = 65535;

/** First frame of either side of a connection. */
export interface Hello {
  /** 16 hex digits. */
  readonly clusterId: string;
  readonly replica: ReplicaId;
  /** The replica that the sender means to talk to; 0: told by the side that was dialled. */
  readonly to: ReplicaId;
  /** 32 hex digits. */
  readonly diskId: string;
  readonly incarnation: number;
  readonly run: number;
}

/** A run of a replica that the sender has met, told on so that a copied data directory is noticed. */
export interface Sighting {
  readonly replica: ReplicaId;
  readonly diskId: string;
  readonly incarnation: number;
  readonly run: number;
}

export type HelloResult =
  | { readonly kind: "hello"; readonly hello: Hello }
  | { readonly kind: "stranger" }
  | { readonly kind: "otherVersion"; readonly version: number };

export function encodeHello(hello: Hello): Uint8Array {
  const writer = startFrame(FRAME_KINDS.hello);
  writer.u32(MAGIC);
  writer.u16(PROTOCOL_VERSION);
  writeHex(writer, hello.clusterId, 8);
  writer.u16(hello.to);
  writeRun(writer, hello);
  return sealFrame(writer);
}

/** `payload` of any first frame: one that is no hello comes from a stranger. */
export function decodeHello(payload: Uint8Array): HelloResult {
  const reader = new ByteReader(payload, 1);
  if (payload[0] !== FRAME_KINDS.hello || reader.u32() !== MAGIC) return { kind: "stranger" };
  const version = reader.u16();
  if (reader.failed) return { kind: "stranger" };
  if (version !== PROTOCOL_VERSION) return { kind: "otherVersion", version };
  const clusterId = readHex(reader, 8);
  const to = reader.u16();
  const run = readRun(reader);
  return run === null ? { kind: "stranger" } : { kind: "hello", hello: { clusterId, to, ...run } };
}

export function encodeSighting(sighting: Sighting): Uint8Array {
  const writer = startFrame(FRAME_KINDS.sighting, 64);
  writeRun(writer, sighting);
  return sealFrame(writer);
}

export function decodeSighting(payload: Uint8Array): Sighting | null {
  return readRun(new ByteReader(payload, 1));
}

/** Why the sender refuses the connection, for the other side's log: printable ASCII, cut to 2,000 characters. */
export function encodeRefusal(text: string): Uint8Array {
  const writer = startFrame(FRAME_KINDS.refusal);
  for (let i = 0; i < Math.min(text.length, MAX_TEXT); i += 1) writer.u8(printable(text.charCodeAt(i)));
  return sealFrame(writer);
}

/** Total: what is not printable ASCII becomes a question mark, so that a peer cannot write lines into a log. */
export function decodeRefusal(payload: Uint8Array): string {
  const codes = Array.from(payload.subarray(1, 1 + MAX_TEXT), printable);
  return String.fromCharCode(...codes);
}

/** `welcome` gives the connection its number, `question` asks whether the link of that number still lives. */
export function encodeNumber(kind: FrameKind, number: number): Uint8Array {
  const writer = startFrame(kind, 32);
  writer.u53(number);
  return sealFrame(writer);
}

export function decodeNumber(payload: Uint8Array): number | null {
  const reader = new ByteReader(payload, 1);
  const number = reader.u53();
  return reader.failed || !reader.atEnd ? null : number;
}

/** `take`, `goodbye`, `ping` and `pong` say all by their kind. */
export function encodeBare(kind: FrameKind): Uint8Array {
  return sealFrame(startFrame(kind, 16));
}

function writeRun(writer: ByteWriter, sighting: Sighting): void {
  writer.u16(sighting.replica);
  writeHex(writer, sighting.diskId, 16);
  writer.u53(sighting.incarnation);
  writer.u53(sighting.run);
}

function readRun(reader: ByteReader): Sighting | null {
  const replica = reader.u16();
  const diskId = readHex(reader, 16);
  const incarnation = reader.u53();
  const run = reader.u53();
  const sound = !reader.failed && reader.atEnd && replica > 0 && replica <= MAX_REPLICA;
  return sound ? { replica, diskId, incarnation, run } : null;
}

function writeHex(writer: ByteWriter, digits: string, bytes: number): void {
  assert(digits.length === bytes * 2 && /^[0-9a-f]*$/.test(digits), `an id is ${bytes * 2} hex digits`);
  for (let i = 0; i < bytes; i += 1) writer.u8(Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
}

function readHex(reader: ByteReader, bytes: number): string {
  let digits = "";
  for (const byte of reader.raw(bytes)) digits += byte.toString(16).padStart(2, "0");
  return digits;
}

function printable(code: number): number {
  return code >= 0x20 && code < 0x7f ? code : 0x3f;
}
