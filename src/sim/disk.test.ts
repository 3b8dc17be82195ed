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
