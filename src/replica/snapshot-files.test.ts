// Snapshot files: written so that the end of the power at any step leaves the old or the new one, and found again.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  checkNewest,
  diskWith,
  inChunks,
  load,
  name,
  sample,
  write,
} from "../../test/support/snapshot-samples.js";
import { endings, StoppingDisk, stopEverywhere } from "../../test/support/stopping-disk.js";
import { noSpace } from "../base/no-space.js";
import { DataDirectoryError } from "../wal/data-directory-error.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { SnapshotFiles } from "./snapshot-files.js";
import {
  encodeFirstSector,
  FRAME_BYTES,
  FRAME_HEAD,
  partSector,
  SECTOR,
  wholeSector,
} from "./snapshot-format.js";

const PIECE = FRAME_BYTES - FRAME_HEAD;

test("only what this life has written is checked already, and no other of its slot", async () => {
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  const info = await write(files, sample(7, 3000));
  const other = { ...info, sum: info.sum + 1 };
  const isChecked = [info, other, { ...info, slot: 8 }].map((one) => files.isChecked(one));
  assert.deepEqual(isChecked, [true, false, false]);
  assert.equal((await SnapshotFiles.open(disk)).isChecked(info), false);
});

test("what is written can be loaded, in the same life and in the next", async () => {
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  assert.equal(files.newest, null);
  const one = sample(7, 3000);
  const info = await write(files, one);
  assert.deepEqual(info, { slot: 7, bytes: disk.bytesOf(name(7)).length, sum: info.sum });
  assert.deepEqual(files.all, [info]);
  assert.deepEqual(await load(files, info), one);
  const again = await SnapshotFiles.open(disk);
  assert.deepEqual(again.newest, info);
  assert.deepEqual(await load(again, info), one);
});

for (const [what, before, after, seeds] of [
  ["a small one", sample(5, 700), sample(10, 2000), 12],
  ["one of several frames", sample(5, 700), sample(10, 3 * PIECE + 5, PIECE + 1), 1],
] as const) {
  test(`the end at any step of writing ${what} leaves the old or the new one`, async () => {
    const old = await diskWith(before);
    const third = sample(12, 100);
    const seen = new Set<number>();
    const steps = await stopEverywhere({
      before: async () => old.copy(),
      run: async (disk) => {
        await write(await SnapshotFiles.open(disk), after);
      },
      check: async (disk, isDone) => {
        const files = await SnapshotFiles.open(disk);
        const slot = await checkNewest(files, [before, after]);
        assert.ok(slot === 10 || (slot === 5 && !isDone), `slot ${slot} is the newest`);
        assert.deepEqual(
          disk.names(),
          files.all.map((info) => name(info.slot)),
        );
        assert.deepEqual(files.damaged, []);
        seen.add(slot);
        // What was seen once is relied on: it outlasts the power from then on.
        disk.crash();
        const again = await SnapshotFiles.open(disk);
        assert.equal(await checkNewest(again, [before, after]), slot);
        await write(again, third);
        assert.equal(await checkNewest(again, [third]), 12);
      },
      endings: endings(seeds),
    });
    assert.ok(steps > 7);
    assert.deepEqual([...seen].sort(), [10, 5]);
  });
}

test("frames are synced before the first sector, and all before the name; in steps of a mebibyte", async () => {
  const disk = new StoppingDisk(new MemoryDisk());
  await write(await SnapshotFiles.open(disk), sample(3, 9 * PIECE));
  const temporary = name(3, ".new");
  assert.deepEqual(disk.steps.slice(-5), [
    `sync ${temporary}`,
    `write ${temporary} 0 ${SECTOR}`,
    `sync ${temporary}`,
    `rename ${temporary} ${name(3)}`,
    "syncDirectory",
  ]);
  assert.equal(disk.steps.filter((step) => step.startsWith(`write ${temporary} 0 `)).length, 1);
  let unsynced = 0;
  for (const step of disk.steps) {
    unsynced = step.startsWith("sync ") ? 0 : unsynced + Number(/^write .* (\d+)$/.exec(step)?.[1] ?? 0);
    assert.ok(unsynced <= 1 << 20);
  }
});

test("chunks of any size give the same file, in frames that are as large as they may be", async () => {
  const sizes = fc.array(
    fc.oneof(fc.nat(5), fc.nat(3 * PIECE), fc.constantFrom(PIECE - 1, PIECE, PIECE + 1, 2 * PIECE)),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 1, max: PIECE }), async (chunks, otherwise) => {
      const state = sample(9, 1000).state;
      const all = new Uint8Array(chunks.reduce((sum, size) => sum + size, 0)).map((_, i) => state[i % 997]!);
      const meta = state.subarray(0, chunks.length);
      async function* cut() {
        let at = 0;
        for (const size of chunks) {
          // The machine uses its buffer again.
          const chunk = all.slice(at, at + size);
          yield chunk;
          chunk.fill(0);
          at += size;
        }
      }
      const disk = new MemoryDisk();
      const files = await SnapshotFiles.open(disk);
      const info = await files.write(1, meta, cut());
      await files.verify(info);
      const found = await load(files, info);
      assert.ok(Buffer.from(found.state).equals(all));
      assert.deepEqual(found.meta, meta);
      const frames = 1 + Math.max(1, Math.ceil(all.length / PIECE));
      assert.equal(info.bytes, SECTOR + frames * FRAME_HEAD + meta.length + all.length);
      assert.deepEqual(await files.write(1, meta, inChunks(all, otherwise)), info);
    }),
    { numRuns: 60 },
  );
});

test("a snapshot that cannot be written leaves the one before, and the next can be written", async () => {
  let fails = true;
  const disk = new MemoryDisk({
    fault: (operation) => (fails && operation === "sync" ? new Error("no") : null),
  });
  const files = await SnapshotFiles.open(disk);
  await assert.rejects(write(files, sample(4, 10)), /no/);
  fails = false;
  async function* breaksOff() {
    yield Uint8Array.of(1);
    throw new Error("the machine cannot");
  }
  await assert.rejects(files.write(5, new Uint8Array(0), breaksOff()), /the machine cannot/);
  assert.equal(files.newest, null);
  await write(files, sample(6, 10));
  assert.deepEqual(disk.names(), [name(6)]);
});

test("who makes a snapshot that cannot be written is told, even before the first chunk was asked for", async () => {
  const disk = new MemoryDisk({ fault: (operation) => (operation === "write" ? noSpace("full") : null) });
  const files = await SnapshotFiles.open(disk);
  const calls: string[] = [];
  const chunks: AsyncIterableIterator<Uint8Array> = {
    [Symbol.asyncIterator]: () => chunks,
    next: async () => {
      calls.push("next");
      return { done: false, value: Uint8Array.of(1) };
    },
    return: async () => {
      calls.push("return");
      return { done: true, value: undefined };
    },
  };
  await assert.rejects(files.write(4, Uint8Array.of(1), chunks), /full/);
  assert.deepEqual(calls, ["return"]);
  assert.deepEqual(disk.names(), []);
});

test("leftovers go, files of others stay, and the newest is the one of the highest slot", async () => {
  const disk = await diskWith(sample(9, 10), sample(100, 10), sample(20, 10));
  const others = ["snapshot-9", "snapshot-x", "snapshot-x.new", `${name(9)}0`, "log-0000000001", "zzz"];
  for (const other of others) disk.put(other, Uint8Array.of(1));
  for (const suffix of [".new", ".part"]) disk.put(name(99, suffix), Uint8Array.of(2));
  disk.put(name(101, ".part"), Uint8Array.of(3));
  const files = await SnapshotFiles.open(disk);
  assert.deepEqual(
    files.all.map(({ slot }) => slot),
    [9, 20, 100],
  );
  assert.equal(files.newest?.slot, 100);
  const left = [...others, name(101, ".part"), ...[9, 20, 100].map((slot) => name(slot))];
  assert.deepEqual(disk.names(), left.sort());
});

test("a file under the name of another slot is put aside, not taken for that slot", async () => {
  const disk = await diskWith(sample(9, 10), sample(10, 10));
  await disk.rename(name(9), name(11));
  const files = await SnapshotFiles.open(disk);
  assert.equal(files.newest?.slot, 10);
  assert.deepEqual(files.damaged, [name(11, ".damaged")]);
  assert.deepEqual(disk.names(), [name(10), name(11, ".damaged")]);
});

test("a part that has got a snapshot's name is put aside", async () => {
  const disk = new MemoryDisk();
  const bytes = new Uint8Array(SECTOR + 100);
  bytes.set(encodeFirstSector(partSector({ slot: 9, bytes: bytes.length, sum: 0 })));
  disk.put(name(9), bytes);
  assert.equal((await SnapshotFiles.open(disk)).newest, null);
  assert.deepEqual(disk.names(), [name(9, ".damaged")]);
});

test("of damaged files the two of the highest slots are kept, whenever they were found", async () => {
  const disk = await diskWith(...[5, 6, 7, 8].map((slot) => sample(slot, 10)));
  for (const slot of [1, 2, 3]) disk.put(name(slot, ".damaged"), Uint8Array.of(1));
  const others = [`${name(1)}0.damaged`, "snapshot-9.damaged", name(1, ".damaged2")];
  for (const other of others) disk.put(other, Uint8Array.of(1));
  const kept = () => disk.names().filter((file) => /\.damaged/.test(file) && !others.includes(file));
  const files = await SnapshotFiles.open(disk);
  assert.deepEqual(kept(), [name(2, ".damaged"), name(3, ".damaged")]);
  // In an order that is not that of their slots.
  for (const [slot, left] of [
    [7, [3, 7]],
    [6, [6, 7]],
    [5, [6, 7]],
  ] as const) {
    await files.setAside(files.all.find((info) => info.slot === slot)!);
    assert.deepEqual(
      kept(),
      left.map((one) => name(one, ".damaged")),
    );
  }
  disk.bytesOf(name(8))[0] = 0;
  assert.equal((await SnapshotFiles.open(disk)).newest, null);
  assert.deepEqual(kept(), [name(7, ".damaged"), name(8, ".damaged")]);
  for (const other of others) assert.ok(disk.has(other));
});

test("the newest is the one of the highest slot, not the one that was written last", async () => {
  const files = await SnapshotFiles.open(new MemoryDisk());
  for (const slot of [9, 100, 20]) await write(files, sample(slot, 10));
  assert.deepEqual(
    files.all.map(({ slot }) => slot),
    [9, 20, 100],
  );
  assert.equal(files.newest?.slot, 100);
});

test("a file of a newer version is refused, and nothing is changed", async () => {
  const disk = await diskWith(sample(9, 10));
  const first = { ...wholeSector({ slot: 12, bytes: SECTOR, sum: 0 }, 0), format: 2 };
  disk.put(name(12), encodeFirstSector(first));
  disk.put(name(3), Uint8Array.of(1));
  disk.put(name(4, ".new"), Uint8Array.of(1));
  const before = disk.names();
  await assert.rejects(SnapshotFiles.open(disk), (error) => {
    return error instanceof DataDirectoryError && /0012 has format 2.*start a version/.test(error.message);
  });
  assert.deepEqual(disk.names(), before);
});

test("a peer reads raw bytes in pieces, and a removal waits for it", async () => {
  const disk = await diskWith(sample(9, 5000), sample(10, 10));
  const files = await SnapshotFiles.open(disk);
  const [info] = files.all;
  const bytes = disk.bytesOf(name(9)).slice();
  const pieces: number[] = [];
  for (let at = 0; at < bytes.length; at += 777) pieces.push(...(await files.read(info!, at, 777)));
  assert.deepEqual(Uint8Array.from(pieces), bytes);
  const last = files.read(info!, 4000, 10_000);
  const { chunks } = await files.load(info!);
  const walk = chunks[Symbol.asyncIterator]();
  const reading = files.read(info!, 0, 600);
  const removal = files.remove(info!);
  assert.deepEqual(files.all.length, 1, "nobody new may come to it");
  await assert.rejects(walk.next(), /not held any more/);
  await removal;
  assert.deepEqual(await last, bytes.slice(4000));
  assert.deepEqual(await reading, bytes.slice(0, 600));
  await assert.rejects(files.read(info!, 0, 10), /not held any more/);
  disk.crash();
  assert.deepEqual(disk.names(), [name(10)]);
});

/** Opens files late. */
class SlowDisk extends MemoryDisk {
  override async open(file: string, create: boolean) {
    for (let i = 0; i < 50; i += 1) await Promise.resolve();
    return super.open(file, create);
  }
}

test("a file keeps its name until those are at it who came before its end", async () => {
  const disk = new SlowDisk();
  const files = await SnapshotFiles.open(disk);
  const old = { ...sample(8, 4000), slot: 9 };
  const one = await write(files, sample(9, 4000));
  const bytes = disk.bytesOf(name(9)).slice();
  const reading = files.read(one, 0, 10_000);
  const verified = files.verify(one);
  const other = await write(files, old);
  assert.deepEqual(await reading, bytes);
  await verified;
  for (const end of ["remove", "setAside"] as const) {
    const last = files.newest ?? (await write(files, old));
    assert.deepEqual(last, other);
    const late = files.read(last, 0, 10);
    await files[end](last);
    assert.equal((await late).length, 10);
  }
});

test("a snapshot of the same slot replaces the one before, and its readers are told", async () => {
  const disk = await diskWith(sample(9, 5000));
  const files = await SnapshotFiles.open(disk);
  const old = files.newest!;
  const other = { ...sample(8, 4000), slot: 9 };
  const reading = files.read(old, 0, old.bytes);
  const info = await write(files, other);
  assert.equal((await reading).length, old.bytes);
  await assert.rejects(files.read(old, 0, 10), /not held any more/);
  assert.deepEqual(files.all, [info]);
  assert.deepEqual(await load(files, info), other);
});

test("damage that two come to at once is put aside once, and a file that has got the name meanwhile is not", async () => {
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  const info = await write(files, sample(9, 5000));
  await Promise.all([files.setAside(info), files.setAside(info)]);
  assert.deepEqual(files.damaged, [`${name(9)}.damaged`]);
  assert.equal(files.newest, null);
  const other = await write(files, sample(9, 4000));
  await files.setAside(info);
  assert.deepEqual(files.all, [other]);
});

test("a state that differed is kept under another name, the last one only, and is never loaded", async () => {
  const disk = new MemoryDisk();
  const files = await SnapshotFiles.open(disk);
  const first = await write(files, sample(7, 300));
  await files.setAside(first, "diverged");
  await write(files, sample(9, 300));
  disk.crash();
  const again = await SnapshotFiles.open(disk);
  assert.deepEqual(
    again.all.map(({ slot }) => slot),
    [9],
  );
  assert.deepEqual(disk.names(), [name(7, ".diverged"), name(9)]);
  assert.deepEqual(again.damaged, []);
  await again.removeEvidence();
  await again.setAside(again.newest!, "diverged");
  assert.deepEqual(disk.names(), [name(9, ".diverged")]);
});
