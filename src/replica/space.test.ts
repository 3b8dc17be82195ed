// What a leader does while its disk is full, and how often, when there is room for a moment in between.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, quiet } from "../../test/support/wal-life.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { Space } from "./space.js";

test("however often there was room for a moment, who leads is looked at once a second", async () => {
  const disk = new MemoryDisk();
  const clock = new ManualClock();
  let looked = 0;
  const told: string[] = [];
  const space = await Space.open<unknown>(disk, { decode: () => null } as never, {
    clock,
    self: 1,
    segmentBytes: 512,
    isStuck: () => false,
    isLeading: () => {
      looked += 1;
      return false;
    },
    others: () => [2],
    handOver: () => {},
    events: {
      onFault: () => told.push("full"),
      onWell: () => told.push("room"),
      onBroken: (error) => assert.fail(error),
    },
  });
  for (let flap = 0; flap < 5; flap += 1) {
    const waits = space.room.lacks("something");
    await quiet();
    space.room.has("something");
    // Who waited tries again, then the reserve is made.
    while (space.isLacking) {
      clock.advance(1000);
      await quiet();
    }
    assert.equal(await waits, true);
    assert.deepEqual(told.splice(0), ["full", "room"]);
  }
  void space.room.lacks("something");
  await quiet();
  looked = 0;
  for (let second = 0; second < 4; second += 1) clock.advance(1000);
  assert.equal(looked, 4);
  space.room.endWaiting();
  clock.advance(1000);
  assert.equal(clock.timers, 0);
});
