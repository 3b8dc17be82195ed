// The whole logical state as a stream: a header, records in order of revision, an end with their number. It is
// made of frames with checksums, so that a receiver may cut the stream as it likes and notices what is missing.
import { assert } from "../base/assert.js";
import { ByteReader, ByteWriter } from "../base/bytes.js";
import { crc32 } from "../base/crc32.js";
import type { DigestLanes } from "./running-digest.js";

const FORMAT = 2;
const KIND_HEADER = 1;
const KIND_RECORDS = 2;
const KIND_END = 3;
const FRAME_HEAD = 8;
const LARGEST_FRAME = 64 << 20;

/** What frames of records begin with; it grows for large ones. */
const RECORDS_BYTES = 128 << 10;

/** A snapshot that cannot be installed: cut short, damaged, or of another format. Nothing was changed by it. */
export class BadSnapshot extends Error {
  override readonly name = "BadSnapshot";
  readonly code = "BAD_SNAPSHOT";
}

export interface SnapshotHeader {
  readonly kind: "header";
  readonly revision: number;
  readonly compactRevision: number;
  readonly digest: DigestLanes;
}

export interface FrozenRecord {
  readonly main: number;
  readonly sub: number;
  readonly body: Uint8Array;
}

export type SnapshotFrame =
  | SnapshotHeader
  | { readonly kind: "records"; readonly records: readonly FrozenRecord[] }
  | { readonly kind: "end"; readonly count: number };

function begin(writer: ByteWriter): void {
  writer.u32(0);
  writer.u32(0);
}

function end(writer: ByteWriter): Uint8Array {
  writer.patchU32(0, writer.length - FRAME_HEAD);
  const bytes = writer.finish();
  writer.patchU32(4, crc32(bytes, 0, FRAME_HEAD));
  return bytes;
}

function framed(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(FRAME_HEAD + 64);
  begin(writer);
  write(writer);
  return end(writer);
}

export function encodeHeaderFrame(
  revision: number,
  compactRevision: number,
  digest: DigestLanes,
): Uint8Array {
  return framed((writer) => {
    writer.u8(KIND_HEADER);
    writer.u8(FORMAT);
    writer.varint(revision);
    writer.varint(compactRevision + 1);
    writer.u32(digest.a);
    writer.u32(digest.b);
  });
}

/**
 * Frames of records, all in the same memory, for a new buffer for each would be garbage that is collected in long
 * pauses: a frame is good until the first record of the next one is added.
 */
export class RecordsFrames {
  readonly #writer: ByteWriter;

  constructor() {
    this.#writer = new ByteWriter(RECORDS_BYTES);
  }

  /** Copies the record into the frame under way, or into a new one. */
  add(main: number, sub: number, body: Uint8Array): void {
    const writer = this.#writer;
    if (writer.length === 0) {
      begin(writer);
      writer.u8(KIND_RECORDS);
    }
    writer.varint(main);
    writer.varint(sub);
    writer.bytes(body);
  }

  end(): Uint8Array {
    assert(this.#writer.length > 0, "a frame has a record");
    const frame = end(this.#writer);
    this.#writer.clear();
    return frame;
  }
}

export function encodeEndFrame(count: number): Uint8Array {
  return framed((writer) => {
    writer.u8(KIND_END);
    writer.varint(count);
  });
}

/** The frames of a stream that comes in chunks of any length. Throws `BadSnapshot`. */
export async function* framesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<SnapshotFrame> {
  let waiting = new Uint8Array(0);
  for await (const chunk of chunks) {
    const all = new Uint8Array(waiting.length + chunk.length);
    all.set(waiting);
    all.set(chunk, waiting.length);
    let at = 0;
    while (all.length - at >= FRAME_HEAD) {
      const reader = new ByteReader(all, at);
      const length = reader.u32();
      const sum = reader.u32();
      if (length > LARGEST_FRAME)
        throw new BadSnapshot(`the snapshot has a frame of ${length} bytes: damaged`);
      if (all.length - at - FRAME_HEAD < length) break;
      const payload = all.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length);
      if (crc32(payload) !== sum) throw new BadSnapshot("a frame of the snapshot is damaged");
      yield decodeFrame(payload);
      at += FRAME_HEAD + length;
    }
    waiting = all.slice(at);
  }
  if (waiting.length > 0) throw new BadSnapshot("the snapshot ends within a frame");
}

function decodeFrame(payload: Uint8Array): SnapshotFrame {
  const reader = new ByteReader(payload);
  const kind = reader.u8();
  const frame =
    kind === KIND_HEADER ? readHeader(reader) : kind === KIND_RECORDS ? readRecords(reader) : null;
  const end = kind === KIND_END ? ({ kind: "end", count: reader.varint() } as const) : null;
  const found = frame ?? end;
  if (found === null || reader.failed || !reader.atEnd)
    throw new BadSnapshot("a frame of the snapshot makes no sense");
  return found;
}

function readHeader(reader: ByteReader): SnapshotHeader {
  const format = reader.u8();
  if (format !== FORMAT)
    throw new BadSnapshot(
      `the state in the snapshot has format ${format}, this version knows ${FORMAT}: start a version that knows it`,
    );
  const revision = reader.varint();
  const compactRevision = reader.varint() - 1;
  return { kind: "header", revision, compactRevision, digest: { a: reader.u32(), b: reader.u32() } };
}

function readRecords(reader: ByteReader): SnapshotFrame {
  const records: FrozenRecord[] = [];
  while (!reader.atEnd && !reader.failed) {
    records.push({ main: reader.varint(), sub: reader.varint(), body: reader.bytes() });
  }
  return { kind: "records", records };
}
