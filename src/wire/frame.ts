// Frames of the stream between two replicas: checksum, length, payload. The checksum covers length and payload,
// and the length is checked against the limit before anything is allocated for it.
import { assert } from "../base/assert.js";
import { ByteWriter } from "../base/bytes.js";
import { crc32 } from "../base/crc32.js";

/** Checksum (4 bytes) and length of the payload (4 bytes), both little-endian. */
export const FRAME_HEADER_BYTES = 8;
/** Largest payload of a connection that has shaken hands. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** Largest payload before that: a stranger gets no more memory than this. */
export const MAX_HELLO_FRAME_BYTES = 4096;

/** First byte of a payload. `hello` keeps its number and place in every version of the protocol. */
export const FRAME_KINDS = {
  hello: 1,
  refusal: 2,
  welcome: 3,
  question: 4,
  take: 5,
  goodbye: 6,
  sighting: 7,
  message: 8,
  ping: 9,
  pong: 10,
} as const;

export type FrameKind = (typeof FRAME_KINDS)[keyof typeof FRAME_KINDS];

/** A writer to which the body is appended; `sealFrame` makes it a frame. */
export function startFrame(kind: FrameKind, capacity = 512): ByteWriter {
  const writer = new ByteWriter(capacity);
  writer.u32(0);
  writer.u32(0);
  writer.u8(kind);
  return writer;
}

/** The whole frame as a view of the writer's buffer. */
export function sealFrame(writer: ByteWriter): Uint8Array {
  writer.patchU32(4, writer.length - FRAME_HEADER_BYTES);
  const frame = writer.finish();
  writer.patchU32(0, crc32(frame.subarray(4)));
  return frame;
}

/** `oversized`: a length above the limit; `empty`: no kind byte; `checksum`: the bytes are not those sent. */
export type FrameFault = "oversized" | "empty" | "checksum";

/**
 * Cuts chunks into payloads. A frame within one chunk is a view of it; one that spans chunks is gathered in a
 * buffer that grows with what has arrived, so that a length alone costs no memory and every byte is copied at
 * most a constant number of times. After a fault it gives nothing more.
 */
export class FrameParser {
  /** Largest payload accepted, in bytes. */
  limit: number;
  fault: FrameFault | null;
  #chunk: Uint8Array;
  #at: number;
  /** The beginning of a frame whose rest has not arrived; its first `#gathered` bytes are filled. */
  #partial: Uint8Array;
  #gathered: number;
  /** Bytes of the frame in `#partial`, with its header; only the header's while the length is not known. */
  #wanted: number;

  constructor(limit: number) {
    this.limit = limit;
    this.fault = null;
    this.#chunk = new Uint8Array(0);
    this.#at = 0;
    this.#partial = new Uint8Array(0);
    this.#gathered = 0;
    this.#wanted = 0;
  }

  /** Only after `next` gave null. The chunk must not change as long as a payload is used. */
  push(chunk: Uint8Array): void {
    assert(this.fault !== null || this.#at === this.#chunk.length, "a chunk is pushed when all is parsed");
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next payload, kind byte first; null: more bytes are needed, or there is a fault. */
  next(): Uint8Array | null {
    if (this.fault !== null) return null;
    if (this.#gathered > 0) return this.#nextGathered();
    const available = this.#chunk.length - this.#at;
    if (available < FRAME_HEADER_BYTES) return this.#gather(FRAME_HEADER_BYTES);
    const wanted = this.#frameLength(this.#chunk, this.#at);
    if (wanted === 0) return null;
    if (available < wanted) return this.#gather(wanted);
    const frame = this.#chunk.subarray(this.#at, this.#at + wanted);
    this.#at += wanted;
    return this.#payload(frame);
  }

  #nextGathered(): Uint8Array | null {
    if (!this.#fill()) return null;
    if (this.#wanted === FRAME_HEADER_BYTES) {
      const wanted = this.#frameLength(this.#partial, 0);
      if (wanted === 0) return null;
      this.#wanted = wanted;
      if (!this.#fill()) return null;
    }
    const frame = this.#partial.subarray(0, this.#wanted);
    this.#partial = new Uint8Array(0);
    this.#gathered = 0;
    return this.#payload(frame);
  }

  #gather(wanted: number): null {
    this.#wanted = wanted;
    this.#fill();
    return null;
  }

  /** Moves bytes of the chunk to `#partial`; whether all that is wanted is there. */
  #fill(): boolean {
    const count = Math.min(this.#wanted - this.#gathered, this.#chunk.length - this.#at);
    const end = this.#gathered + count;
    if (end > this.#partial.length) {
      const grown = new Uint8Array(Math.max(end, Math.min(this.#wanted, this.#partial.length * 2)));
      grown.set(this.#partial.subarray(0, this.#gathered));
      this.#partial = grown;
    }
    this.#partial.set(this.#chunk.subarray(this.#at, this.#at + count), this.#gathered);
    this.#at += count;
    this.#gathered = end;
    return end === this.#wanted;
  }

  /** Length of the frame whose header is at `at`, or 0 with a fault. */
  #frameLength(bytes: Uint8Array, at: number): number {
    const length = u32At(bytes, at + 4);
    if (length > this.limit) this.fault = "oversized";
    else if (length === 0) this.fault = "empty";
    return this.fault === null ? FRAME_HEADER_BYTES + length : 0;
  }

  #payload(frame: Uint8Array): Uint8Array | null {
    if (crc32(frame.subarray(4)) === u32At(frame, 0)) return frame.subarray(FRAME_HEADER_BYTES);
    this.fault = "checksum";
    return null;
  }
}

function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
