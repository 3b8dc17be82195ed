// Damaged snapshot files: whatever bit is flipped, cut off, moved or put in, it is noticed, and never a wrong state.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskWith, inChunks, load, name, sample } from "../../test/support/snapshot-samples.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { FENCE_NAME, FenceFile } from "./fence-file.js";
import { SnapshotFiles } from "./snapshot-files.js";
import {
  addToSum,
  encodeFirstSector,
  FRAME_BYTES,
  FRAME_HEAD,
  LAST,
  META,
  SECTOR,
  SnapshotDamaged,
  STATE,
  sealFrame,
  wholeSector,
} from "./snapshot-format.js";

const PIECE = FRAME_BYTES - FRAME_HEAD;

/** The damage shows: at the opening, or both to who verifies it and to who loads it. */
async function isNoticed(bytes: Uint8Array): Promise<"at once" | "when read"> {
  const disk = new MemoryDisk();
  disk.put(name(9), bytes);
  const files = await SnapshotFiles.open(disk);
  const info = files.newest;
  if (info === null) {
    assert.deepEqual(disk.names(), [name(9, ".damaged")]);
    return "at once";
  }
  await assert.rejects(files.verify(info), SnapshotDamaged);
  await assert.rejects(load(files, info), SnapshotDamaged);
  await files.setAside(info);
  assert.equal(files.newest, null);
  assert.deepEqual(files.damaged, [name(9, ".damaged")]);
  disk.crash();
  assert.equal((await SnapshotFiles.open(disk)).newest, null, "for good");
  return "when read";
}

async function fileOf(stateBytes: number): Promise<Uint8Array> {
  return (await diskWith(sample(9, stateBytes))).bytesOf(name(9)).slice();
}

test("a flipped bit anywhere in a small file", async () => {
  const bytes = await fileOf(1200);
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = bytes.slice();
    flipped[at] = flipped[at]! ^ (1 << (at % 8));
    assert.equal(await isNoticed(flipped), at < SECTOR ? "at once" : "when read", `byte ${at}`);
  }
});

test("a flipped bit at chosen places of a large file", async () => {
  const bytes = await fileOf(5 * PIECE + 99);
  const first = SECTOR + FRAME_HEAD + 40;
  const edges = [0, 1, 2, 3, 4, 5].map((frame) => first + frame * FRAME_BYTES);
  const places = edges.flatMap((edge) => [-1, 0, 4, 8, 11, 12, 95].map((by) => edge + by));
  for (const at of [...places, bytes.length - 1]) {
    const flipped = bytes.slice();
    flipped[at] = flipped[at]! ^ 64;
    assert.equal(await isNoticed(flipped), "when read", `byte ${at}`);
  }
});

test("a file that is cut off anywhere, or goes on", async () => {
  const bytes = await fileOf(1200);
  for (let length = 0; length < bytes.length; length += 7) {
    assert.equal(await isNoticed(bytes.slice(0, length)), "at once", `${length} bytes`);
  }
  assert.equal(await isNoticed(Uint8Array.of(...bytes, 0)), "at once");
});

test("sectors that cannot be read: of a whole snapshot, and of a fence", async () => {
  const { length } = await fileOf(3000);
  for (let at = 0; at < length; at += SECTOR) {
    const disk = await diskWith(sample(9, 3000));
    disk.loseSectors(name(9), at, at + 1);
    const files = await SnapshotFiles.open(disk);
    const info = files.newest;
    assert.equal(info === null, at === 0);
    if (info === null) continue;
    await assert.rejects(files.verify(info), SnapshotDamaged);
    // What is before it can be had by a peer, who gets no byte in its place.
    assert.equal((await files.read(info, 0, length)).length, at);
    await files.setAside(info);
    assert.equal((await files.broken.read(info, at, length)).length, 0);
    assert.ok((await files.broken.read(info, at + SECTOR, length)).length > 0 || at + SECTOR >= length);
  }
  const disk = new MemoryDisk();
  await (await FenceFile.open(disk)).write({ slot: 7, members: [1, 2] });
  disk.loseSectors(FENCE_NAME, 0, 1);
  assert.deepEqual((await FenceFile.open(disk)).found, { slot: 0, members: [] });
});

test("sectors that can be read no more while it is in use", async () => {
  const disk = await diskWith(sample(9, 3000));
  const files = await SnapshotFiles.open(disk);
  const info = files.newest!;
  disk.loseSectors(name(9), 3 * SECTOR, 4 * SECTOR);
  let bytes = 0;
  for await (const piece of files.pieces(info, 1000)) bytes += piece.length;
  assert.equal(bytes, 3 * SECTOR);
  disk.loseSectors(name(9), 0, 1);
  await assert.rejects(files.verify(info), /its first sector is not the one that was read before/);
});

test("zeroed sectors", async () => {
  const bytes = await fileOf(3000);
  for (let at = 0; at < bytes.length; at += SECTOR) {
    await isNoticed(bytes.slice().fill(0, at, at + SECTOR));
  }
});

test("two frames that have changed places", async () => {
  const bytes = await fileOf(3 * PIECE);
  const at = SECTOR + FRAME_HEAD + 40;
  const swapped = bytes.slice();
  swapped.set(bytes.subarray(at, at + FRAME_BYTES), at + FRAME_BYTES);
  swapped.set(bytes.subarray(at + FRAME_BYTES, at + 2 * FRAME_BYTES), at);
  assert.equal(await isNoticed(swapped), "when read");
  // At once, not by the sum at the end alone: nothing that stands at a wrong place is given to a machine.
  const disk = new MemoryDisk();
  disk.put(name(9), swapped);
  const files = await SnapshotFiles.open(disk);
  const begin = async () => (await files.load(files.newest!)).chunks[Symbol.asyncIterator]().next();
  await assert.rejects(begin, SnapshotDamaged);
});

test("a frame of another snapshot, at its place there", async () => {
  const bytes = await fileOf(2 * PIECE + 7);
  const other = await SnapshotFiles.open(new MemoryDisk());
  const info = await other.write(9, sample(9, 0).meta, inChunks(sample(8, 2 * PIECE + 7).state));
  const at = SECTOR + FRAME_HEAD + 40 + FRAME_BYTES;
  const mixed = bytes.slice();
  mixed.set(await other.read(info, at, FRAME_BYTES), at);
  assert.equal(await isNoticed(mixed), "when read");
});

/** A file whose frames are whole and add up, though they need not make sense. */
function made(...kinds: readonly (1 | 2 | 3)[]): Uint8Array {
  const frames = kinds.map((kind, i) => {
    const frame = new Uint8Array(FRAME_HEAD + 10).fill(i);
    sealFrame(frame, kind, i);
    return frame;
  });
  const sum = frames.reduce(addToSum, 0);
  const bytes = SECTOR + frames.reduce((all, frame) => all + frame.length, 0);
  const first = encodeFirstSector(wholeSector({ slot: 9, bytes, sum }, frames.length));
  return Uint8Array.from([first, ...frames].flatMap((part) => [...part]));
}

test("frames in an order that makes no sense, or without a last one", async () => {
  const disk = new MemoryDisk();
  disk.put(name(9), made(META, META, STATE, LAST));
  const good = await SnapshotFiles.open(disk);
  await good.verify(good.newest!);
  for (const kinds of [
    [META],
    [LAST],
    [STATE, LAST],
    [META, STATE],
    [META, LAST, LAST],
    [META, LAST, STATE],
    [META, STATE, META, LAST],
  ] as const) {
    assert.equal(await isNoticed(made(...kinds)), "when read", kinds.join());
  }
});

test("a first sector that changes while the file is held", async () => {
  const disk = await diskWith(sample(9, 1000));
  const files = await SnapshotFiles.open(disk);
  disk.bytesOf(name(9))[300] = 1;
  await assert.rejects(files.verify(files.newest!), SnapshotDamaged);
  await assert.rejects(files.load(files.newest!), SnapshotDamaged);
});

test("one that is found damaged is put aside, but not another that got its name meanwhile; nor is it removed then", async () => {
  for (const isReplaced of [false, true]) {
    const disk = await diskWith(sample(9, 1000));
    const files = await SnapshotFiles.open(disk);
    const info = files.newest!;
    disk.bytesOf(name(9))[700]! ^= 1;
    const verify = files.verify.bind(files);
    const replace = () => files.write(9, sample(9, 0).meta, inChunks(sample(8, 1000).state));
    files.verify = (info) => verify(info).finally(() => (isReplaced ? replace() : undefined));
    const wrong = await files.check(info);
    // Of one that is not there any more nobody needs to know.
    assert.ok(isReplaced ? wrong === null : wrong instanceof SnapshotDamaged);
    await Promise.all([files.remove(info), files.remove(info)]);
    assert.deepEqual(disk.names(), isReplaced ? [] : [name(9, ".damaged")]);
  }
});

test("of two readings that come to the same damage one tells, and one puts it aside", async () => {
  const disk = await diskWith(sample(9, 1000));
  const files = await SnapshotFiles.open(disk);
  const info = files.newest!;
  disk.bytesOf(name(9))[700]! ^= 1;
  const found = await Promise.all([files.check(info), files.check(info)]);
  assert.equal(found.filter((wrong) => wrong instanceof SnapshotDamaged).length, 1);
  assert.equal(found.filter((wrong) => wrong === null).length, 1);
  assert.deepEqual([disk.names(), files.damaged], [[name(9, ".damaged")], [name(9, ".damaged")]]);
});

test("one that is removed while it is read is not read to its end: it would keep its room until then", async () => {
  const files = await SnapshotFiles.open(await diskWith(sample(9, 1_000_000)));
  const info = files.newest!;
  let frames = 0;
  const wrong = await files.check(info, async () => {
    frames += 1;
    if (frames === 2) await files.remove(info);
    return true;
  });
  assert.deepEqual([wrong, frames], [null, 2]);
});

test("of one that was removed before it is read nothing is told", async () => {
  const files = await SnapshotFiles.open(await diskWith(sample(9, 1000)));
  const info = files.newest!;
  assert.equal(await files.check({ ...info, sum: info.sum ^ 1 }), null, "another has its name");
  const removed = files.remove(info);
  assert.equal(await files.check(info), null);
  await removed;
  assert.equal(await files.check(info), null);
});

test("a reading that does not go on ends after a frame, and does not count as one", async () => {
  const disk = await diskWith(sample(9, 1_000_000));
  const files = await SnapshotFiles.open(disk);
  const info = files.newest!;
  let frames = 0;
  const goesOn = async () => {
    frames += 1;
    return frames < 2;
  };
  assert.deepEqual([await files.check(info, goesOn), frames, files.isChecked(info)], [null, 2, false]);
  assert.deepEqual([await files.check(info, async () => true), files.isChecked(info)], [null, true]);
});
