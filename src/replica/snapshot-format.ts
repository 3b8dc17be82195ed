// Bytes of a snapshot file (docs/format.md): a first sector that says what the whole is, then frames with checksums.
// Rule: a frame counts only where its number says that it belongs, and a file only when its frames add up to its sum.
import { ByteReader, ByteWriter, bytesEqual } from "../base/bytes.js";
import { crc32 } from "../base/crc32.js";
import type { Slot } from "../paxos/ballot.js";
import type { DiskFile } from "../wal/disk.js";
import { readPart } from "../wal/unreadable.js";

export const SECTOR = 512;
export const FORMAT = 1;
const MAGIC_WHOLE = 0x464e5953;
const MAGIC_PART = 0x494e5953;

export const FRAME_HEAD = 12;
/** The largest frame, head included. */
export const FRAME_BYTES = 256 * 1024;
/** The smallest file: its first sector, an empty `meta` and an empty state. */
export const SMALLEST_FILE = SECTOR + 2 * FRAME_HEAD;

/** Frames come in this order: one or more of `META`, any number of `STATE`, one `LAST`. */
export const META = 1;
export const STATE = 2;
export const LAST = 3;
export type FrameKind = typeof META | typeof STATE | typeof LAST;

/** Which snapshot: two files that have all three in common are the same bytes. */
export interface SnapshotInfo {
  /** The state is the one after this slot. */
  readonly slot: Slot;
  /** Length of the file. */
  readonly bytes: number;
  /** Checksum over the checksums of all frames. */
  readonly sum: number;
}

/** A snapshot file that is not what it says it is; it must not be used. */
export class SnapshotDamaged extends Error {
  override readonly name = "SnapshotDamaged";
  readonly code = "SNAPSHOT_DAMAGED";
}

export interface FirstSector extends SnapshotInfo {
  /** False: of a file that is still being received; `frames` is 0 then. */
  readonly isWhole: boolean;
  readonly format: number;
  readonly frames: number;
}

export function wholeSector(info: SnapshotInfo, frames: number): FirstSector {
  return { isWhole: true, format: FORMAT, slot: info.slot, bytes: info.bytes, sum: info.sum, frames };
}

export function partSector(info: SnapshotInfo): FirstSector {
  return { ...wholeSector(info, 0), isWhole: false };
}

export function isKnownFormat(format: number): boolean {
  return format === FORMAT;
}

export function isSame(a: SnapshotInfo, b: SnapshotInfo): boolean {
  return a.slot === b.slot && a.bytes === b.bytes && a.sum === b.sum;
}

export function encodeFirstSector(first: FirstSector): Uint8Array {
  const writer = new ByteWriter(SECTOR);
  writer.u32(first.isWhole ? MAGIC_WHOLE : MAGIC_PART);
  writer.u32(0);
  writer.u32(first.format);
  writer.u53(first.slot);
  writer.u53(first.bytes);
  writer.u32(first.frames);
  writer.u32(first.sum);
  writer.raw(new Uint8Array(SECTOR - writer.length));
  const bytes = writer.finish();
  writer.patchU32(4, crc32(bytes, 0, 8));
  return bytes;
}

/** Null: not readable. Of another format than this one's, only `format` means something. */
export function decodeFirstSector(bytes: Uint8Array): FirstSector | null {
  if (bytes.length !== SECTOR) return null;
  const reader = new ByteReader(bytes);
  const magic = reader.u32();
  const crc = reader.u32();
  if ((magic !== MAGIC_WHOLE && magic !== MAGIC_PART) || crc !== crc32(bytes, 0, 8)) return null;
  const first = {
    isWhole: magic === MAGIC_WHOLE,
    format: reader.u32(),
    slot: reader.u53(),
    bytes: reader.u53(),
    frames: reader.u32(),
    sum: reader.u32(),
  };
  return reader.failed ? null : first;
}

/** Fills in the head of a frame whose bytes stand behind it. */
export function sealFrame(frame: Uint8Array, kind: FrameKind, number: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_HEAD);
  view.setUint32(4, frame.length - FRAME_HEAD, true);
  view.setUint32(8, kind, true);
  view.setUint32(0, crc32(frame, number, 4), true);
}

/** `sum` over frames so far, with one more. */
export function addToSum(sum: number, frame: Uint8Array): number {
  return crc32(frame, sum, 0, 4);
}

export interface Frame {
  readonly kind: FrameKind;
  readonly position: number;
  /** As it lies in the file, head included. */
  readonly raw: Uint8Array;
}

export function payloadOf(frame: Frame): Uint8Array {
  return frame.raw.subarray(FRAME_HEAD);
}

/** Where in the row of frames something stands: behind so many of them. */
export class FrameRow {
  position: number;
  frames: number;
  sum: number;
  /** Of the frame before. */
  #kind: FrameKind | null;

  constructor() {
    this.position = SECTOR;
    this.frames = 0;
    this.sum = 0;
    this.#kind = null;
  }

  /** Whether all frames up to here are the snapshot that `info` names. */
  isAt(info: SnapshotInfo): boolean {
    return this.#kind === LAST && this.position === info.bytes && this.sum === info.sum;
  }

  /** Takes the frame with which `bytes` begin; null: it is not the next one; undefined: its end is not among them. */
  take(bytes: Uint8Array): Frame | null | undefined {
    const reader = new ByteReader(bytes);
    const crc = reader.u32();
    const length = FRAME_HEAD + reader.u32();
    const kind = reader.u32();
    if (reader.failed) return undefined;
    if (length > FRAME_BYTES || !this.#mayFollow(kind)) return null;
    if (length > bytes.length) return undefined;
    if (crc32(bytes, this.frames, 4, length) !== crc) return null;
    const frame = { kind, position: this.position, raw: bytes.subarray(0, length) };
    this.#kind = kind;
    this.position += length;
    this.frames += 1;
    this.sum = addToSum(this.sum, frame.raw);
    return frame;
  }

  #mayFollow(kind: number): kind is FrameKind {
    if (this.#kind === null) return kind === META;
    if (this.#kind === META) return kind === META || kind === STATE || kind === LAST;
    return this.#kind === STATE && (kind === STATE || kind === LAST);
  }
}

/** Walks the frames of a file from the first on, and stops at what is no whole frame in its place. */
export class FrameWalk extends FrameRow {
  readonly #file: DiskFile;
  readonly #end: number;

  constructor(file: DiskFile, end: number) {
    super();
    this.#file = file;
    this.#end = end;
  }

  /** Of the next frame, at most. */
  get #reach(): number {
    return Math.min(FRAME_BYTES, this.#end - this.position);
  }

  /** Whether what follows cannot be read; else it is damaged, or there is no more. */
  async isAtHole(): Promise<boolean> {
    const there = Math.min(this.#reach, (await this.#file.size()) - this.position);
    return (await readPart(this.#file, this.position, there)).length < there;
  }

  async next(): Promise<Frame | null> {
    const bytes = await readPart(this.#file, this.position, this.#reach);
    return this.take(bytes) ?? null;
  }
}

/** Every frame of `file`, checked; throws `SnapshotDamaged` at the first that is wrong, and when they do not add up. */
export async function* framesOf(file: DiskFile, info: SnapshotInfo): AsyncGenerator<Frame, FrameRow> {
  const size = await file.size();
  if (size !== info.bytes) throw damaged(file.name, `it has ${size} bytes, not ${info.bytes}`);
  const walk = new FrameWalk(file, info.bytes);
  while (walk.position < info.bytes) {
    const frame = await walk.next();
    if (frame === null) throw damaged(file.name, `no whole frame at byte ${walk.position}`);
    yield frame;
  }
  if (!walk.isAt(info)) throw damaged(file.name, "its frames are not those of this snapshot");
  return walk;
}

export async function checkFirstSector(file: DiskFile, first: FirstSector): Promise<void> {
  const found = await readPart(file, 0, SECTOR);
  if (!bytesEqual(found, encodeFirstSector(first))) {
    throw damaged(file.name, "its first sector is not the one that was read before");
  }
}

export function damaged(name: string, what: string): SnapshotDamaged {
  return new SnapshotDamaged(`the snapshot ${name} is damaged, and is not used: ${what}`);
}
