// The segments of the log: files of one size, zeroed before use and never used again for anything else. The next one
// is made while the present one fills up, so that going over to it does not wait for the disk.
import { assert } from "../base/assert.js";
import { crc32 } from "../base/crc32.js";
import { isNoSpace } from "../base/no-space.js";
import type { SegmentSize } from "./compaction.js";
import { DataDirectoryError } from "./data-directory-error.js";
import type { Disk, DiskCallback, DiskFile } from "./disk.js";
import { settled, writeSynced } from "./promise-file.js";
import { SECTOR } from "./record-codec.js";
import type { Room } from "./room.js";
import { UnderWay } from "./under-way.js";
import { readPart } from "./unreadable.js";
import { writeZeros } from "./zeros.js";

const MAGIC = 0x534e5953;
const FORMAT = 1;
/** Where the first batch of a segment is: the sector before it names the segment. */
export const FIRST_BATCH = SECTOR;

const PREFIX = "log-";
const NAME = /^log-\d{10}$/;

export function segmentName(index: number): string {
  return `${PREFIX}${String(index).padStart(10, "0")}`;
}

/** Numbers of the segments among `files`, ascending. */
export function segmentsAmong(files: readonly string[]): number[] {
  const found: number[] = [];
  for (const name of files) {
    if (NAME.test(name)) found.push(Number(name.slice(PREFIX.length)));
  }
  return found.sort((a, b) => a - b);
}

/** `opens`: the first batch in it opens a life. */
function segmentHeader(index: number, opens: boolean): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, FORMAT, true);
  view.setUint32(12, index, true);
  view.setUint32(16, opens ? 1 : 0, true);
  view.setUint32(4, crc32(bytes, 0, 8), true);
  return bytes;
}

/** Whether the first sector is whole, and that of segment `index`. */
export function isHeaderIntact(bytes: Uint8Array, index: number): boolean {
  if (bytes.length < SECTOR) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  const isWhole = view.getUint32(0, true) === MAGIC && view.getUint32(4, true) === crc32(bytes, 0, 8, SECTOR);
  return isWhole && view.getUint32(12, true) === index;
}

/**
 * Whether a life began with the segment; false when its header is damaged. Refuses a segment of a newer version.
 */
export function opensLife(bytes: Uint8Array, index: number): boolean {
  if (bytes.length < SECTOR) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== crc32(bytes, 0, 8, SECTOR))
    return false;
  const format = view.getUint32(8, true);
  if (format === FORMAT) return view.getUint32(16, true) === 1;
  throw new DataDirectoryError(
    `${segmentName(index)} has format ${format}, this version knows ${FORMAT}: start a version that knows it`,
  );
}

interface Segment {
  readonly index: number;
  readonly file: DiskFile;
  readonly size: number;
}

export class SegmentFiles {
  readonly #disk: Disk;
  readonly #segmentBytes: number;
  readonly #room: Room;
  readonly #onFailed: (error: Error) => void;
  /** Segments with batches that are open; those of earlier lives are opened when they are first read. */
  readonly #files: Map<number, Promise<DiskFile>>;
  /** Reads under way, with their segments, and writes and syncs: no file is closed under one. */
  readonly #reads: Map<Promise<Uint8Array>, number>;
  readonly #underWay: UnderWay;
  /** Bytes of each segment, ascending. */
  readonly #sizes: Map<number, { bytes: number; used: number }>;
  /** Segments below it are removed, or being removed. */
  #lowest: number;
  #removing: Promise<void>;
  #active: Segment | null;
  #prepared: Segment | null;
  #preparing: Promise<void> | null;
  /** Told when the next segment is there, or will not be: there was no room until it was closed. */
  #waiting: ((isThere: boolean) => void) | null;
  #isClosed: boolean;
  /** Where the next batch of the active segment goes. */
  position: number;
  /** Bytes of all segments. */
  size: number;

  constructor(disk: Disk, segmentBytes: number, room: Room, onFailed: (error: Error) => void) {
    assert(
      segmentBytes % SECTOR === 0 && segmentBytes >= 4 * SECTOR,
      "a segment is a number of sectors, from 4",
    );
    this.#disk = disk;
    this.#segmentBytes = segmentBytes;
    this.#room = room;
    this.#onFailed = onFailed;
    this.#files = new Map();
    this.#reads = new Map();
    this.#underWay = new UnderWay();
    this.#sizes = new Map();
    this.#lowest = 0;
    this.#removing = Promise.resolve();
    this.#active = null;
    this.#prepared = null;
    this.#preparing = null;
    this.#waiting = null;
    this.#isClosed = false;
    this.position = 0;
    this.size = 0;
  }

  /** Nothing is read any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get index(): number {
    assert(this.#active !== null, "a segment is active");
    return this.#active.index;
  }

  /** Bytes of each segment that has batches or had, until its file is removed; ascending. */
  get sizes(): ReadonlyMap<number, SegmentSize> {
    return this.#sizes;
  }

  /** As `readPart` of a segment with batches; null after `close`, and of a segment that was retired. */
  async read(index: number, position: number, length: number): Promise<Uint8Array | null> {
    if (this.#isClosed || index < this.#lowest) return null;
    const bytes = this.#opened(index).then((file) => readPart(file, position, length));
    this.#reads.set(bytes, index);
    try {
      return await bytes;
    } finally {
      this.#reads.delete(bytes);
    }
  }

  #opened(index: number): Promise<DiskFile> {
    const known = this.#files.get(index);
    if (known !== undefined) return known;
    const file = this.#disk.open(segmentName(index), false);
    this.#files.set(index, file);
    // Tried again when it is read again.
    file.catch(() => this.#files.delete(index));
    return file;
  }

  /** A segment that was recovered, of so many bytes. */
  recovered(index: number, { bytes, used }: SegmentSize): void {
    this.#grows(index, bytes, used);
  }

  #grows(index: number, bytes: number, used: number): void {
    const before = this.#sizes.get(index);
    if (before === undefined) {
      this.#sizes.set(index, { bytes, used });
    } else {
      before.bytes += bytes;
      before.used += used;
    }
    this.size += bytes;
  }

  /** Segments below `lowest` are not needed by this life or the next: their files go, after the reads under way. */
  retire(lowest: number): void {
    if (lowest <= this.#lowest) return;
    assert(lowest <= this.index, "the active segment stays");
    const from = this.#lowest;
    this.#lowest = lowest;
    const gone = [...this.#sizes.keys()].filter((index) => index >= from && index < lowest);
    if (gone.length === 0) return;
    this.#removing = this.#removing.then(() => this.#remove(gone)).catch(this.#onFailed);
  }

  async #remove(gone: readonly number[]): Promise<void> {
    for (const index of gone) {
      const reads = [...this.#reads].filter(([, segment]) => segment === index);
      await Promise.allSettled(reads.map(([bytes]) => bytes));
      const opened = this.#files.get(index);
      this.#files.delete(index);
      if (opened !== undefined) await (await opened).close();
      await this.#disk.remove(segmentName(index));
      this.size -= this.#sizes.get(index)!.bytes;
      this.#sizes.delete(index);
    }
    await this.#disk.syncDirectory();
  }

  /** Goes on in a segment that was recovered. */
  async resume(index: number, position: number): Promise<void> {
    const file = await this.#opened(index);
    this.#active = { index, file, size: await file.size() };
    this.position = position;
  }

  /** Begins a new segment, as soon as there is room; for a new life. */
  async begin(index: number): Promise<void> {
    this.#activate(await this.#created(index, true));
  }

  #activate(segment: Segment): void {
    this.#active = segment;
    this.#files.set(segment.index, Promise.resolve(segment.file));
    this.position = FIRST_BATCH;
    this.#grows(segment.index, segment.size, 0);
  }

  #created(index: number, opens: boolean): Promise<Segment> {
    return this.#room.allocate(segmentName(index), () => this.#create(index, opens));
  }

  async #create(index: number, opens: boolean): Promise<Segment> {
    const file = await this.#disk.open(segmentName(index), true);
    try {
      await writeZeros(file, this.#segmentBytes);
      await settled((done) => file.write(0, segmentHeader(index, opens), done));
      await settled((done) => file.sync(done));
      await this.#disk.syncDirectory();
    } catch (error) {
      await file.close();
      if (isNoSpace(error)) await this.#disk.remove(segmentName(index));
      throw error;
    }
    return { index, file, size: this.#segmentBytes };
  }

  /** Whether a batch of `length` bytes goes into the active segment. */
  fits(length: number): boolean {
    assert(this.#active !== null, "a segment is active");
    return this.position + length <= this.#active.size;
  }

  /** A batch of `length` bytes was written and synced. */
  advance(length: number): void {
    assert(this.#active !== null, "a segment is active");
    this.#grows(this.index, 0, length);
    this.position += length;
    if (this.position > this.#active.size / 2) this.#prepareNext();
  }

  #prepareNext(): void {
    if (this.#prepared !== null || this.#preparing !== null) return;
    this.#preparing = this.#created(this.index + 1, false).then(
      (segment) => {
        this.#preparing = null;
        this.#prepared = segment;
        this.#tell(true);
      },
      (error: Error) => {
        this.#preparing = null;
        if (isNoSpace(error)) this.#tell(false);
        else this.#onFailed(error);
      },
    );
  }

  #tell(isThere: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(isThere);
  }

  /**
   * Goes over to the next segment, unless the active one is empty, and makes it larger if a batch of `length` bytes
   * needs that; `done` when the batch fits, or, with false, when nobody waits for room any more.
   */
  roll(length: number, done: (isThere: boolean) => void): void {
    const take = (isThere: boolean) => {
      if (isThere) {
        assert(this.#prepared !== null, "a segment is prepared");
        this.#activate(this.#prepared);
        this.#prepared = null;
      }
      if (!isThere || this.fits(length)) done(isThere);
      else this.#enlarge(length, done);
    };
    if (this.position === FIRST_BATCH) {
      this.#enlarge(length, done);
      return;
    }
    if (this.#prepared !== null) {
      take(true);
      return;
    }
    this.#waiting = take;
    this.#prepareNext();
  }

  /** Zeros behind the active segment, which is empty; those of an attempt without room are written again. */
  #enlarge(length: number, done: (isThere: boolean) => void): void {
    assert(this.#active !== null && this.position === FIRST_BATCH, "an empty segment is active");
    const { index, file, size } = this.#active;
    const more = FIRST_BATCH + length - size;
    this.#preparing = this.#room
      .allocate(segmentName(index), () => writeZeros(file, more, { from: size }))
      .then(
        () => {
          this.#preparing = null;
          this.#active = { index, file, size: size + more };
          this.#grows(index, more, 0);
          done(true);
        },
        (error: Error) => {
          this.#preparing = null;
          if (isNoSpace(error)) done(false);
          else this.#onFailed(error);
        },
      );
  }

  /** Writes a batch at `position`, and syncs it. */
  write(bytes: Uint8Array, done: DiskCallback): void {
    assert(this.#active !== null, "a segment is active");
    writeSynced(this.#active.file, this.position, bytes, this.#underWay.step(done));
  }

  sync(done: DiskCallback): void {
    assert(this.#active !== null, "a segment is active");
    this.#active.file.sync(this.#underWay.step(done));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#underWay.ended();
    await Promise.allSettled(this.#reads.keys());
    await this.#removing;
    while (this.#preparing !== null) await this.#preparing;
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared !== null) await prepared.file.close();
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const opened of await Promise.allSettled(files)) {
      if (opened.status === "fulfilled") await opened.value.close();
    }
  }
}
