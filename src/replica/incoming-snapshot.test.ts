// Snapshots from a peer: whenever the process or the power ends, the next life goes on with what is whole, and
// whatever the peer sends, nothing becomes a snapshot that is not the announced one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNewest, diskWith, load, name, sample } from "../../test/support/snapshot-samples.js";
import { endings, StoppingDisk, stopEverywhere } from "../../test/support/stopping-disk.js";
import { isNoSpace, noSpace } from "../base/no-space.js";
import type { Disk } from "../wal/disk.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import type { Incoming } from "./incoming-snapshot.js";
import { SnapshotFiles } from "./snapshot-files.js";
import {
  encodeFirstSector,
  FRAME_BYTES,
  FRAME_HEAD,
  partSector,
  SECTOR,
  SnapshotDamaged,
  type SnapshotInfo,
} from "./snapshot-format.js";

const PIECE = FRAME_BYTES - FRAME_HEAD;
const FIRST_STATE = SECTOR + FRAME_HEAD + 40;

const large = sample(20, 5 * PIECE + 300);

interface Source {
  readonly info: SnapshotInfo;
  readonly bytes: Uint8Array;
}

async function sourceOf(one: typeof large): Promise<Source> {
  const disk = await diskWith(one);
  return { info: (await SnapshotFiles.open(disk)).newest!, bytes: disk.bytesOf(name(one.slot)).slice() };
}

async function feed(
  incoming: Incoming,
  bytes: Uint8Array,
  pieceBytes: number,
  upTo = bytes.length,
): Promise<void> {
  while (incoming.offset < upTo) {
    const to = Math.min(upTo, incoming.offset + pieceBytes);
    await incoming.append(bytes.subarray(incoming.offset, to));
  }
}

async function receiveAll(disk: Disk, { info, bytes }: Source, pieceBytes: number): Promise<SnapshotFiles> {
  const files = await SnapshotFiles.open(disk);
  const incoming = await files.receive(info);
  await feed(incoming, bytes, pieceBytes);
  assert.deepEqual(await incoming.finish(), info);
  return files;
}

for (const [what, one, pieceBytes, seeds] of [
  ["a small one, in pieces of 300 bytes", sample(20, 1500), 300, 12],
  ["one of several frames", large, 200_000, 2],
] as const) {
  test(`the end at any step of receiving ${what}: the next life goes on`, async () => {
    const before = sample(5, 300);
    const old = await diskWith(before);
    const source = await sourceOf(one);
    const offsets = new Set<number>();
    await stopEverywhere({
      before: async () => old.copy(),
      run: async (disk) => {
        await receiveAll(disk, source, pieceBytes);
      },
      check: async (disk, isDone) => {
        const files = await SnapshotFiles.open(disk);
        const slot = await checkNewest(files, [before, one]);
        assert.ok(slot === 20 || (slot === 5 && !isDone));
        if (slot === 5) {
          const incoming = await files.receive(source.info);
          const { offset } = incoming;
          offsets.add(offset);
          const part = disk.bytesOf(name(20, ".part")).slice(SECTOR, Math.max(SECTOR, offset));
          assert.ok(Buffer.from(part).equals(source.bytes.slice(SECTOR, Math.max(SECTOR, offset))));
          await feed(incoming, source.bytes, pieceBytes);
          await incoming.finish();
          assert.equal(await checkNewest(files, [one]), 20);
        }
        // Also what an earlier life wrote and did not sync is durable now.
        disk.crash();
        const again = await SnapshotFiles.open(disk);
        assert.equal(await checkNewest(again, [one]), 20);
        assert.deepEqual(disk.names(), [name(5), name(20)]);
      },
      endings: endings(seeds),
    });
    assert.ok(offsets.has(0) && offsets.has(source.info.bytes) && offsets.size >= 3, [...offsets].join());
  });
}

test("a second end, in the course of going on, loses nothing that was whole", async () => {
  const source = await sourceOf(large);
  const half = new MemoryDisk();
  const incoming = await (await SnapshotFiles.open(half)).receive(source.info);
  await feed(incoming, source.bytes, 200_000, FIRST_STATE + 3 * FRAME_BYTES + 1000);
  await incoming.close();
  const before = half.copy();
  await stopEverywhere({
    before: async () => before.copy(),
    run: async (disk) => {
      await (await SnapshotFiles.open(disk)).receive(source.info);
    },
    check: async (disk) => {
      const again = await (await SnapshotFiles.open(disk)).receive(source.info);
      assert.equal(again.offset, FIRST_STATE + 3 * FRAME_BYTES);
    },
    endings: endings(3),
  });
});

test("a part of which a sector cannot be read begins anew; one whose other frames are missing goes on", async () => {
  const source = await sourceOf(large);
  const half = new MemoryDisk();
  const incoming = await (await SnapshotFiles.open(half)).receive(source.info);
  await feed(incoming, source.bytes, 200_000, FIRST_STATE + 3 * FRAME_BYTES + 1000);
  await incoming.close();
  for (const at of [0, FIRST_STATE + FRAME_BYTES, FIRST_STATE + 2 * FRAME_BYTES + 5000]) {
    const disk = half.copy();
    disk.loseSectors(name(20, ".part"), at, at + 1);
    const files = await SnapshotFiles.open(disk);
    const again = await files.receive(source.info);
    assert.equal(again.offset, 0);
    await feed(again, source.bytes, 200_000);
    await again.finish();
    assert.equal(await checkNewest(files, [large]), 20);
  }
});

test("what was synced on the way outlasts the power; at most a mebibyte is not", async () => {
  const source = await sourceOf(large);
  const memory = new MemoryDisk();
  const disk = new StoppingDisk(memory);
  const incoming = await (await SnapshotFiles.open(disk)).receive(source.info);
  await feed(incoming, source.bytes, source.bytes.length, source.bytes.length - 1);
  let unsynced = 0;
  for (const step of disk.steps) {
    unsynced = step.startsWith("sync ") ? 0 : unsynced + Number(/^write .* (\d+)$/.exec(step)?.[1] ?? 0);
    assert.ok(unsynced <= 1 << 20);
  }
  memory.crash();
  const again = await (await SnapshotFiles.open(memory)).receive(source.info);
  assert.equal(again.offset, FIRST_STATE + 3 * FRAME_BYTES);
});

test("what a failed sync left readable is written once more before it counts", async () => {
  const source = await sourceOf(sample(20, 3 * PIECE));
  let fails = false;
  const disk = new MemoryDisk({
    fault: (operation) => (fails && operation === "sync" ? new Error("no") : null),
  });
  const incoming = await (await SnapshotFiles.open(disk)).receive(source.info);
  await feed(incoming, source.bytes, 100_000, source.bytes.length - 10);
  fails = true;
  await assert.rejects(incoming.close(), /no/);
  fails = false;
  disk.kill();
  const files = await receiveAll(disk, source, 100_000);
  disk.crash();
  await files.verify(files.newest!);
});

test("until all of it is checked its first sector says of what it is a part, whatever the peer sends", async () => {
  const source = await sourceOf(sample(20, 1200));
  const wrong = source.bytes.slice();
  wrong.fill(7, 0, SECTOR);
  const disk = new MemoryDisk();
  const incoming = await (await SnapshotFiles.open(disk)).receive(source.info);
  for (const upTo of [100, 600, wrong.length]) {
    await feed(incoming, wrong, 333, upTo);
    const first = disk.bytesOf(name(20, ".part")).slice(0, SECTOR);
    assert.deepEqual(first, encodeFirstSector(partSector(source.info)));
  }
  await incoming.close();
  const again = await (await SnapshotFiles.open(disk)).receive(source.info);
  assert.equal(again.offset, wrong.length, "the frames are good");
});

test("it goes on behind the last whole frame, whatever the length of the file", async () => {
  const source = await sourceOf(large);
  for (const [flipped, expected] of [
    [FIRST_STATE + 2 * FRAME_BYTES + 500, FIRST_STATE + 2 * FRAME_BYTES],
    [FIRST_STATE - 3, 0],
    [source.bytes.length - 1, FIRST_STATE + 5 * FRAME_BYTES],
  ] as const) {
    const disk = new MemoryDisk();
    const incoming = await (await SnapshotFiles.open(disk)).receive(source.info);
    await feed(incoming, source.bytes, 400_000);
    await incoming.close();
    const part = disk.bytesOf(name(20, ".part"));
    part[flipped] = part[flipped]! ^ 1;
    const files = await SnapshotFiles.open(disk);
    const again = await files.receive(source.info);
    assert.equal(again.offset, expected);
    await feed(again, source.bytes, 400_000);
    await again.finish();
    assert.deepEqual(await load(files, source.info), large);
  }
});

test("a wrong byte from a peer: its frame is not taken, and can be had from another one", async () => {
  const old = await diskWith(sample(5, 300));
  const source = await sourceOf(sample(20, 1200));
  for (let at = 0; at < source.bytes.length; at += 11) {
    const disk = old.copy();
    const files = await SnapshotFiles.open(disk);
    const wrong = source.bytes.slice();
    wrong[at] = wrong[at]! ^ 4;
    const incoming = await files.receive(source.info);
    let isGood = true;
    while (isGood && incoming.offset < wrong.length) {
      const { offset } = incoming;
      isGood = await incoming.append(wrong.subarray(offset, Math.min(wrong.length, offset + 500)));
    }
    // A first sector that is damaged follows from the rest.
    assert.equal(isGood, at < SECTOR, `byte ${at}`);
    const begins = at < FIRST_STATE ? SECTOR : FIRST_STATE;
    if (!isGood) assert.deepEqual([incoming.offset, incoming.isInFrame], [begins, false]);
    await feed(incoming, source.bytes, 500);
    assert.deepEqual(await incoming.finish(), source.info);
    assert.deepEqual(disk.bytesOf(name(20)), source.bytes);
    assert.equal(await checkNewest(files, [sample(20, 1200)]), 20);
  }
});

test("a frame that has begun may be begun anew, from somebody else", async () => {
  const source = await sourceOf(sample(20, 1200));
  const incoming = await (await SnapshotFiles.open(new MemoryDisk())).receive(source.info);
  await feed(incoming, source.bytes, 100, FIRST_STATE + 200);
  assert.deepEqual([incoming.frames, incoming.isInFrame], [1, true]);
  incoming.restartFrame();
  assert.deepEqual([incoming.offset, incoming.isInFrame], [FIRST_STATE, false]);
  await feed(incoming, source.bytes, 100);
  assert.deepEqual(await incoming.finish(), source.info);
});

test("bytes that end within a frame are not all of it", async () => {
  const one = await sourceOf(sample(20, 1200));
  const info = { ...one.info, bytes: one.info.bytes - 100 };
  const disk = new MemoryDisk();
  const incoming = await (await SnapshotFiles.open(disk)).receive(info);
  await feed(incoming, one.bytes, 500, info.bytes);
  await assert.rejects(incoming.finish(), SnapshotDamaged);
  assert.deepEqual(disk.names(), []);
});

test("another whole snapshot than the announced one, and more bytes than announced", async () => {
  const source = await sourceOf(sample(20, 1200));
  const other = await sourceOf({ ...sample(21, 1200), slot: 20 });
  assert.equal(other.bytes.length, source.bytes.length);
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  const incoming = await files.receive(source.info);
  await feed(incoming, other.bytes, 500);
  await assert.rejects(incoming.append(Uint8Array.of(1)), SnapshotDamaged);
  await assert.rejects(incoming.finish(), SnapshotDamaged);
  assert.deepEqual(disk.names(), []);
  const second = await files.receive(source.info);
  await assert.rejects(second.append(new Uint8Array(source.bytes.length + 1)), SnapshotDamaged);
  assert.equal(second.offset, 0);
  // The frames of this one behind the first sector of the other.
  await second.append(other.bytes.subarray(0, SECTOR));
  await feed(second, source.bytes, 500);
  await assert.rejects(second.finish(), SnapshotDamaged);
});

test("what is left of another snapshot is removed, be it of the same slot", async () => {
  const source = await sourceOf(large);
  const disk = new MemoryDisk();
  disk.put(name(7, ".part"), Uint8Array.of(1));
  const incoming = await (await SnapshotFiles.open(disk)).receive(source.info);
  await feed(incoming, source.bytes, 300_000, 900_000);
  await incoming.close();
  assert.deepEqual(disk.names(), [name(20, ".part")]);
  const files = await SnapshotFiles.open(disk);
  const other = await files.receive({ ...source.info, sum: source.info.sum ^ 1 });
  assert.equal(other.offset, 0);
  await other.abandon();
  assert.deepEqual(disk.names(), []);
  assert.equal((await files.receive(source.info)).offset, 0);
});

test("one that arrives while one of the same slot is made: what is held is what is there", async () => {
  class UnevenDisk extends MemoryDisk {
    ticks = 0;
    override async syncDirectory() {
      const { ticks } = this;
      this.ticks = 0;
      for (let i = 0; i < ticks; i += 1) await Promise.resolve();
      await super.syncDirectory();
    }
  }
  const source = await sourceOf(sample(20, 1200));
  const disk = new UnevenDisk();
  const files = await SnapshotFiles.open(disk);
  const incoming = await files.receive(source.info);
  await feed(incoming, source.bytes, 500);
  // The directory sync of whoever comes first ends last.
  disk.ticks = 500;
  const made = files.write(20, Uint8Array.of(1), (async function* () {})());
  await Promise.all([made, incoming.finish()]);
  assert.equal(files.all.length, 1);
  await files.verify(files.newest!);
});

test("a part that cannot be gone on with, for there is no room, is closed: there are many tries", async () => {
  let isFull = false;
  const fault = (operation: string) => (isFull && operation === "write" ? noSpace("full") : null);
  const disk = new MemoryDisk({ fault });
  const source = await sourceOf(large);
  const files = await SnapshotFiles.open(disk);
  const incoming = await files.receive(source.info);
  await feed(incoming, source.bytes, PIECE, 2 * PIECE);
  await incoming.close();
  let open = 0;
  const { open: original } = disk;
  disk.open = async (...args) => {
    const file = await original.apply(disk, args);
    open += 1;
    const close = file.close.bind(file);
    return Object.assign(file, {
      close: () => {
        open -= 1;
        return close();
      },
    });
  };
  isFull = true;
  await assert.rejects(files.receive(source.info), isNoSpace);
  assert.equal(open, 0);
  isFull = false;
  await feed(await files.receive(source.info), source.bytes, PIECE);
});
