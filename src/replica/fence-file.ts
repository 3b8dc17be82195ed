// The file that says, over crashes, that the state here is not that of the majority (2.10). Rule: it is durable before
// anything is done about it, and goes only when a state from the majority is.
import { ByteReader, ByteWriter } from "../base/bytes.js";
import { crc32 } from "../base/crc32.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { Disk } from "../wal/disk.js";
import { readIntact } from "../wal/unreadable.js";
import { SteppedFile } from "./snapshot-writer.js";

export const FENCE_NAME = "diverged";
const NEW = "diverged.new";
const FORMAT = 1;

/** The state differed after `slot` from that of the majority `members`. */
export interface Fence {
  /** 0: the file was there, and could not be read. */
  readonly slot: Slot;
  readonly members: readonly ReplicaId[];
}

export class FenceFile {
  readonly #disk: Disk;
  /** What an earlier life has left. */
  readonly found: Fence | null;

  private constructor(disk: Disk, found: Fence | null) {
    this.#disk = disk;
    this.found = found;
  }

  static async open(disk: Disk): Promise<FenceFile> {
    const names = await disk.list();
    if (names.includes(NEW)) await disk.remove(NEW);
    return new FenceFile(disk, await readFence(disk, names));
  }

  async write(fence: Fence): Promise<void> {
    if ((await this.#disk.list()).includes(NEW)) await this.#disk.remove(NEW);
    const file = await this.#disk.open(NEW, true);
    try {
      const stepped = new SteppedFile(file);
      await stepped.write(0, encode(fence));
      await stepped.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(NEW, FENCE_NAME);
    await this.#disk.syncDirectory();
  }

  async remove(): Promise<void> {
    if (!(await this.#disk.list()).includes(FENCE_NAME)) return;
    await this.#disk.remove(FENCE_NAME);
    await this.#disk.syncDirectory();
  }
}

/** As it stands among the files `names`; null: there is none. Changes nothing. */
export async function readFence(disk: Disk, names: readonly string[]): Promise<Fence | null> {
  return names.includes(FENCE_NAME)
    ? decode((await readIntact(disk, FENCE_NAME)) ?? new Uint8Array(0))
    : null;
}

function encode({ slot, members }: Fence): Uint8Array {
  const writer = new ByteWriter(32);
  writer.u32(0);
  writer.u8(FORMAT);
  writer.varint(slot);
  writer.varint(members.length);
  for (const member of members) writer.varint(member);
  writer.patchU32(0, crc32(writer.finish().subarray(4)));
  return writer.finish();
}

/** The file being there is what counts: without a name of a member, whoever offers a state is believed. */
function decode(bytes: Uint8Array): Fence {
  const reader = new ByteReader(bytes);
  const sum = reader.u32();
  const format = reader.u8();
  const slot = reader.varint();
  const members: ReplicaId[] = [];
  for (let count = reader.varint(); count > 0 && !reader.failed; count -= 1) members.push(reader.varint());
  const isGood = !reader.failed && reader.atEnd && format === FORMAT && crc32(bytes.subarray(4)) === sum;
  return isGood ? { slot, members } : { slot: 0, members: [] };
}
