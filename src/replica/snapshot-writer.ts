// Writes the frames of a snapshot, and anything long, synced in steps: a long sync would hold up those of the log.
import type { DiskFile } from "../wal/disk.js";
import { settled } from "../wal/promise-file.js";
import {
  addToSum,
  FRAME_BYTES,
  FRAME_HEAD,
  type FrameKind,
  LAST,
  META,
  SECTOR,
  STATE,
  sealFrame,
} from "./snapshot-format.js";

const STEP_BYTES = 1 << 20;
/** Of a frame that is begun. */
const FIRST_BYTES = 1 << 12;

/** A file of which at most `STEP_BYTES` are written and not synced. */
export class SteppedFile {
  readonly #file: DiskFile;
  #unsynced: number;

  constructor(file: DiskFile) {
    this.#file = file;
    this.#unsynced = 0;
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#unsynced >= STEP_BYTES) await this.sync();
      const piece = bytes.subarray(at, at + STEP_BYTES - this.#unsynced);
      const to = position + at;
      await settled((done) => this.#file.write(to, piece, done));
      this.#unsynced += piece.length;
      at += piece.length;
    }
  }

  async sync(): Promise<void> {
    await settled((done) => this.#file.sync(done));
    this.#unsynced = 0;
  }
}

/** Cuts and joins what it is given into frames, as large as they may be. */
class FrameWriter {
  readonly #file: SteppedFile;
  /** It grows: most snapshots of a young cluster are far shorter than a frame may be. */
  #frame: Uint8Array;
  #filled: number;
  position: number;
  frames: number;
  sum: number;

  constructor(file: SteppedFile) {
    this.#file = file;
    this.#frame = new Uint8Array(FIRST_BYTES);
    this.#filled = FRAME_HEAD;
    this.position = SECTOR;
    this.frames = 0;
    this.sum = 0;
  }

  async add(kind: FrameKind, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      // A full frame waits for the byte after it: only then is it known not to be the last.
      if (this.#filled === FRAME_BYTES) await this.end(kind);
      const piece = bytes.subarray(at, at + FRAME_BYTES - this.#filled);
      this.#reserve(this.#filled + piece.length);
      this.#frame.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
    }
  }

  #reserve(length: number): void {
    if (length <= this.#frame.length) return;
    const grown = new Uint8Array(Math.min(FRAME_BYTES, Math.max(length, 2 * this.#frame.length)));
    grown.set(this.#frame.subarray(0, this.#filled));
    this.#frame = grown;
  }

  async end(kind: FrameKind): Promise<void> {
    const frame = this.#frame.subarray(0, this.#filled);
    sealFrame(frame, kind, this.frames);
    await this.#file.write(this.position, frame);
    this.#filled = FRAME_HEAD;
    this.position += frame.length;
    this.frames += 1;
    this.sum = addToSum(this.sum, frame);
  }
}

/** Everything but the first sector; synced when it resolves. */
export async function writeFrames(
  file: SteppedFile,
  meta: Uint8Array,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: number; readonly frames: number; readonly sum: number }> {
  const writer = new FrameWriter(file);
  await writer.add(META, meta);
  await writer.end(META);
  for await (const chunk of chunks) await writer.add(STATE, chunk);
  await writer.end(LAST);
  await file.sync();
  return { bytes: writer.position, frames: writer.frames, sum: writer.sum };
}
