// The disk of a replica over virtual time: what waits for it goes on when it is ready, not when others happen to stir.
import assert from "node:assert/strict";
import { test } from "node:test";
import { quiet } from "../../test/support/wal-life.js";
import { Random } from "../base/random.js";
import { Room } from "../wal/room.js";
import { SegmentFiles } from "../wal/segment-files.js";
import { SimDisk } from "./disk.js";
import { EventQueue } from "./event-queue.js";
import { ProcessLife } from "./process-life.js";

test("a segment is made as fast as its disk is, though nobody waits for an answer of the replica", async () => {
  const queue = new EventQueue();
  const disk = new SimDisk(new Random(1), () => {}, queue);
  const life = new ProcessLife(queue, new Random(2), 1, 0);
  const view = disk.view(life);
  const onFailed = (error: Error) => assert.ifError(error);
  const room = Room.withoutReserve({ disk: view, clock: life, onFailed });
  const segments = new SegmentFiles(view, 4096, room, onFailed);
  let isDone = false;
  const begun = segments.begin(1).then(() => {
    isDone = true;
  });
  const others = () => queue.after(1, others);
  others();
  while (!isDone && queue.now < 100) {
    queue.step();
    // As `World.run` does, but for what it lets run now and then in any case.
    if (queue.isStirred) await quiet();
    queue.isStirred = false;
  }
  assert.ok(isDone && queue.now < 3, `done: ${isDone}, after ${queue.now} ms`);
  await begun;
});

test("a write of which the disk lies makes the file as long as it should be, and takes its room", async () => {
  for (const lie of ["dropped", "misdirected"] as const) {
    const queue = new EventQueue();
    const disk = new SimDisk(new Random(1), () => {}, queue);
    const view = disk.view(new ProcessLife(queue, new Random(2), 1, 0));
    const run = async <T>(task: Promise<T>) => {
      while (queue.step()) await quiet();
      return task;
    };
    const file = await run(view.open("log-0000000001", true));
    const write = (position: number, bytes: Uint8Array) => {
      const written = new Promise<Error | null>((resolve) => file.write(position, bytes, resolve));
      return run(written);
    };
    await write(0, new Uint8Array(20_000).fill(1));
    disk.manners[lie] = 1;
    disk.memory.quota = 24_000;
    assert.equal(await write(16_000, new Uint8Array(8_000).fill(2)), null);
    const bytes = disk.memory.bytesOf("log-0000000001");
    assert.deepEqual([bytes.length, bytes[23_999]], [24_000, 0]);
    assert.match(String(await write(24_000, new Uint8Array(1))), /ENOSPC/);
    // Within the file it needs no room, wherever it goes.
    for (let i = 0; i < 20; i += 1) assert.equal(await write(23_488, new Uint8Array(512).fill(3)), null);
    assert.equal(disk.memory.bytesOf("log-0000000001").length, 24_000);
  }
});
