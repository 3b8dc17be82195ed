// A snapshot that comes in pieces, from one peer or from several: a file of another name, which says of what it is a
// part, and goes on after the last whole frame when its replica died, or when the one after it came damaged. Rule: it
// gets a snapshot's name only after all of it was checked.
import { assert } from "../base/assert.js";
import { bytesEqual, concatBytes } from "../base/bytes.js";
import { isNoSpace } from "../base/no-space.js";
import type { Slot } from "../paxos/ballot.js";
import type { Disk, DiskFile } from "../wal/disk.js";
import { readPart } from "../wal/unreadable.js";
import {
  damaged,
  decodeFirstSector,
  encodeFirstSector,
  type FirstSector,
  FrameRow,
  FrameWalk,
  framesOf,
  isKnownFormat,
  isSame,
  partSector,
  SECTOR,
  SMALLEST_FILE,
  SnapshotDamaged,
  type SnapshotInfo,
  wholeSector,
} from "./snapshot-format.js";
import { SteppedFile } from "./snapshot-writer.js";

const NAME = /^snapshot-(\d{16})\.part$/;

function partName(slot: Slot): string {
  return `snapshot-${String(slot).padStart(16, "0")}.part`;
}

/** Removes the parts of snapshots up to `slot`: nobody goes on with them. */
export async function removeOldParts(disk: Disk, names: readonly string[], slot: Slot): Promise<void> {
  for (const name of names) {
    const match = NAME.exec(name);
    if (match !== null && Number(match[1]) <= slot) await disk.remove(name);
  }
}

export interface IncomingPorts {
  readonly disk: Disk;
  /** Gives a whole file of that name the snapshot's name, durably. */
  place(from: string, first: FirstSector): Promise<void>;
  /** The file is closed. */
  onEnd(): void;
}

export class Incoming {
  readonly info: SnapshotInfo;
  readonly #ports: IncomingPorts;
  readonly #file: DiskFile;
  readonly #stepped: SteppedFile;
  /** What came as the first sector; null when an earlier life got it, for it follows from the rest. */
  readonly #firstSector: Uint8Array | null;
  /** Of how many bytes of it there are. */
  #firstBytes: number;
  /** The frames that are in the file, each of them whole. */
  readonly #row: FrameRow;
  /** The begin of the frame after them. */
  #begun: Uint8Array;
  #isBusy: boolean;
  #isClosed: boolean;

  private constructor(info: SnapshotInfo, ports: IncomingPorts, file: DiskFile, row: FrameRow) {
    this.info = info;
    this.#ports = ports;
    this.#file = file;
    this.#stepped = new SteppedFile(file);
    this.#firstSector = row.frames === 0 ? new Uint8Array(SECTOR) : null;
    this.#firstBytes = row.frames === 0 ? 0 : SECTOR;
    this.#row = row;
    this.#begun = new Uint8Array(0);
    this.#isBusy = false;
    this.#isClosed = false;
  }

  /** Goes on with what there is of `info`; what there is of others is removed. */
  static async begin(info: SnapshotInfo, ports: IncomingPorts): Promise<Incoming> {
    assert(
      Number.isSafeInteger(info.slot) && info.slot > 0 && info.bytes >= SMALLEST_FILE,
      "a snapshot that is received has a slot from 1 and a length",
    );
    const { disk } = ports;
    const wanted = partName(info.slot);
    const names = (await disk.list()).filter((name) => NAME.test(name));
    for (const name of names) if (name !== wanted) await disk.remove(name);
    const left = names.includes(wanted) ? await openPart(disk, wanted, info) : null;
    if (left !== null) {
      const row = await orClose(left, rewritten(left, info));
      if (row !== null) return new Incoming(info, ports, left, row);
      await left.close();
      await disk.remove(wanted);
    }
    const file = await disk.open(wanted, true);
    const stepped = new SteppedFile(file);
    const headed = async () => {
      await stepped.write(0, encodeFirstSector(partSector(info)));
      await stepped.sync();
      await disk.syncDirectory();
    };
    await orClose(file, headed());
    return new Incoming(info, ports, file, new FrameRow());
  }

  /** Of the next byte that is wanted. */
  get offset(): number {
    if (this.#firstBytes < SECTOR) return this.#firstBytes;
    return this.#row.position + this.#begun.length;
  }

  /** Frames that are there. */
  get frames(): number {
    return this.#row.frames;
  }

  /**
   * Takes the bytes from `offset` on. False: a frame among them is not the one of this snapshot; what is before it is
   * taken, and `offset` is where it begins. Throws `SnapshotDamaged`, and takes none, when they are more than there
   * are.
   */
  append(bytes: Uint8Array): Promise<boolean> {
    return this.#alone(async () => {
      const from = this.offset;
      if (bytes.length > this.info.bytes - from) {
        throw damaged(this.#file.name, `${from + bytes.length} bytes came of ${this.info.bytes}`);
      }
      // The first sector on disk says of what this is a part, until all of it is checked.
      const head = bytes.subarray(0, Math.max(0, SECTOR - from));
      if (head.length > 0) this.#firstSector!.set(head, from);
      this.#firstBytes = Math.min(SECTOR, this.#firstBytes + head.length);
      return this.#takeFrames(concatBytes([this.#begun, bytes.subarray(head.length)]));
    });
  }

  async #takeFrames(bytes: Uint8Array): Promise<boolean> {
    let rest = bytes;
    for (;;) {
      const frame = this.#row.take(rest);
      if (frame === undefined) break;
      if (frame === null) {
        this.#begun = new Uint8Array(0);
        return false;
      }
      await this.#stepped.write(frame.position, frame.raw);
      rest = rest.subarray(frame.raw.length);
    }
    this.#begun = rest.slice();
    return true;
  }

  /** Whether the begin of a frame is there, and not its end. */
  get isInFrame(): boolean {
    return this.#begun.length > 0;
  }

  /** What follows comes from somebody else: the frame that has begun is to come whole. */
  restartFrame(): void {
    this.#begun = new Uint8Array(0);
  }

  /**
   * All of it is there: checks every byte, and makes it a snapshot, durably. Throws `SnapshotDamaged`, and removes it,
   * when it is not what was announced.
   */
  finish(): Promise<SnapshotInfo> {
    return this.#alone(async () => {
      assert(this.offset === this.info.bytes, "a snapshot is finished when all of it is there");
      let first: FirstSector;
      try {
        first = await this.#check();
      } catch (error) {
        if (error instanceof SnapshotDamaged) await this.#end(true);
        throw error;
      }
      try {
        // All frames are durable before the first sector says that they are there.
        await this.#stepped.sync();
        await this.#stepped.write(0, encodeFirstSector(first));
        await this.#stepped.sync();
      } catch (error) {
        if (isNoSpace(error)) await this.#end(true);
        throw error;
      }
      this.#isClosed = true;
      await this.#file.close();
      // Without its name it is gone on with the next time.
      this.#ports.onEnd();
      await this.#ports.place(this.#file.name, first);
      return { slot: first.slot, bytes: first.bytes, sum: first.sum };
    });
  }

  async #check(): Promise<FirstSector> {
    const frames = framesOf(this.#file, this.info);
    let step = await frames.next();
    while (!step.done) step = await frames.next();
    const first = wholeSector(this.info, step.value.frames);
    // One that is damaged itself follows from the rest; one that is not, and says otherwise, is of something else.
    const came = this.#firstSector;
    if (came !== null && decodeFirstSector(came) !== null && !bytesEqual(came, encodeFirstSector(first))) {
      throw damaged(this.#file.name, "its first sector is not the one of this snapshot");
    }
    return first;
  }

  /** Stops, and keeps what there is: `receive` of the same snapshot goes on with it. */
  close(): Promise<void> {
    return this.#alone(async () => {
      await this.#stepped.sync();
      await this.#end(false);
    });
  }

  /** Stops, and removes what there is. */
  abandon(): Promise<void> {
    return this.#alone(() => this.#end(true));
  }

  async #end(removes: boolean): Promise<void> {
    this.#isClosed = true;
    await this.#file.close();
    if (removes) await this.#ports.disk.remove(this.#file.name);
    this.#ports.onEnd();
  }

  async #alone<T>(step: () => Promise<T>): Promise<T> {
    assert(
      !this.#isBusy && !this.#isClosed,
      "an incoming snapshot takes one step at a time, until it has ended",
    );
    this.#isBusy = true;
    try {
      return await step();
    } finally {
      this.#isBusy = false;
    }
  }
}

/** Null: it was of something else, and is removed. */
/** Nobody else has the file when `step` fails. */
async function orClose<T>(file: DiskFile, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openPart(disk: Disk, name: string, info: SnapshotInfo): Promise<DiskFile | null> {
  const file = await disk.open(name, false);
  const first = decodeFirstSector(await orClose(file, readPart(file, 0, SECTOR)));
  // One that was checked before it could get its name has the first sector of a whole file already.
  if (first !== null && isKnownFormat(first.format) && isSame(first, info)) return file;
  await file.close();
  await disk.remove(name);
  return null;
}

/**
 * Where to go on: behind the last whole frame. All of it is written once more, for what can be read of an earlier life
 * need not be on the disk, and no sync would bring it there after one that failed. Null: there it cannot be read, and
 * then a file system may not be able to write a part of a block either.
 */
async function rewritten(file: DiskFile, info: SnapshotInfo): Promise<FrameRow | null> {
  const stepped = new SteppedFile(file);
  await stepped.write(0, encodeFirstSector(partSector(info)));
  const walk = new FrameWalk(file, info.bytes);
  for (let frame = await walk.next(); frame !== null; frame = await walk.next()) {
    await stepped.write(frame.position, frame.raw);
  }
  await stepped.sync();
  return (await walk.isAtHole()) ? null : walk;
}
