// The file of a fence: there or not there, whatever happens while it is written; damaged, it still fences.
import assert from "node:assert/strict";
import { test } from "node:test";
import { endings, stopEverywhere } from "../../test/support/stopping-disk.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { type Fence, FenceFile } from "./fence-file.js";

const FENCE: Fence = { slot: 2048, members: [2, 70, 65535] };

async function found(disk: MemoryDisk): Promise<Fence | null> {
  return (await FenceFile.open(disk)).found;
}

test("what is written is found, until it is removed", async () => {
  const disk = new MemoryDisk();
  const file = await FenceFile.open(disk);
  assert.equal(file.found, null);
  await file.remove();
  await file.write(FENCE);
  assert.deepEqual(await found(disk), FENCE);
  await file.write({ slot: 4096, members: [3] });
  assert.deepEqual(await found(disk), { slot: 4096, members: [3] });
  await file.remove();
  assert.equal(await found(disk), null);
  assert.deepEqual(disk.names(), []);
});

test("the end at any step of writing leaves a whole file or none, and one when it was done", async () => {
  const steps = await stopEverywhere({
    before: async () => new MemoryDisk(),
    run: async (disk) => (await FenceFile.open(disk)).write(FENCE),
    check: async (disk, isDone) => {
      const fence = await found(disk);
      assert.ok(fence === null ? !isDone : fence.slot === FENCE.slot);
      assert.equal(disk.names().includes("diverged.new"), false);
    },
    endings: endings(6),
  });
  assert.ok(steps >= 5);
});

test("the end at any step of removing leaves the file or none, and none when it was done", async () => {
  await stopEverywhere({
    before: async () => {
      const disk = new MemoryDisk();
      await (await FenceFile.open(disk)).write(FENCE);
      return disk;
    },
    run: async (disk) => (await FenceFile.open(disk)).remove(),
    check: async (disk, isDone) => {
      const fence = await found(disk);
      assert.ok(fence === null || !isDone);
    },
    endings: endings(4),
  });
});

test("one that is damaged fences all the same, and names nobody", async () => {
  const disk = new MemoryDisk();
  await (await FenceFile.open(disk)).write(FENCE);
  const good = await disk.read("diverged");
  for (let at = 0; at < good.length; at += 1) {
    for (const bytes of [good.with(at, good[at]! ^ 0x10), good.slice(0, at)]) {
      const damaged = new MemoryDisk();
      const file = await damaged.open("diverged", true);
      await new Promise<void>((resolve) => file.write(0, bytes, () => resolve()));
      await file.close();
      assert.deepEqual(await found(damaged), { slot: 0, members: [] });
    }
  }
});
