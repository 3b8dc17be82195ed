// Snapshots of known content, and what can be said of the ones that a disk shows.
import assert from "node:assert/strict";
import { concatBytes } from "../../src/base/bytes.js";
import { Random } from "../../src/base/random.js";
import { SnapshotFiles } from "../../src/replica/snapshot-files.js";
import type { SnapshotInfo } from "../../src/replica/snapshot-format.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";

export interface Sample {
  readonly slot: number;
  readonly meta: Uint8Array;
  readonly state: Uint8Array;
}

/** Content that depends on the slot. */
export function sample(slot: number, stateBytes: number, metaBytes = 40): Sample {
  const random = new Random(slot);
  const bytes = (length: number) => Uint8Array.from({ length }, () => random.below(256));
  return { slot, meta: bytes(metaBytes), state: bytes(stateBytes) };
}

export async function* inChunks(bytes: Uint8Array, chunkBytes = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export function write(files: SnapshotFiles, { slot, meta, state }: Sample): Promise<SnapshotInfo> {
  return files.write(slot, meta, inChunks(state));
}

/** A disk with these snapshots, durable. */
export async function diskWith(...samples: readonly Sample[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  for (const one of samples) await write(files, one);
  return disk.copy();
}

export async function load(files: SnapshotFiles, info: SnapshotInfo): Promise<Sample> {
  const { meta, chunks } = await files.load(info);
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return { slot: info.slot, meta, state: concatBytes(parts) };
}

/** The newest is verified and is one of `expected`; gives its slot, 0 for none. */
export async function checkNewest(files: SnapshotFiles, expected: readonly Sample[]): Promise<number> {
  const info = files.newest;
  if (info === null) return 0;
  await files.verify(info);
  const found = await load(files, info);
  const one = expected.find(({ slot }) => slot === info.slot);
  assert.ok(one !== undefined, `slot ${info.slot} was never written`);
  assert.deepEqual(found, one);
  return info.slot;
}

export const name = (slot: number, suffix = ""): string =>
  `snapshot-${String(slot).padStart(16, "0")}${suffix}`;
