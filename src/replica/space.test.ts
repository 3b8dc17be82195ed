// What a leader does while its disk is full, and how often, when there is room for a moment in between.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, quiet } from "../../test/support/wal-life.js";
import type { Event } from "../paxos/event.js";
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
    post: () => {},
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

test("while too few have room a leader that has it drops what others hand on and grows, and says why it refuses", async () => {
  const told: string[] = [];
  const machine = { decode: (payload: Uint8Array) => payload[0], grows: (command: unknown) => command === 1 };
  const space = await Space.open<unknown>(new MemoryDisk(), machine as never, {
    clock: new ManualClock(),
    self: 1,
    segmentBytes: 512,
    isStuck: () => false,
    isLeading: () => true,
    others: () => [2],
    post: () => {},
    events: {
      onFault: (text) => told.push(text),
      onWell: (text) => told.push(text),
      onBroken: (error) => assert.fail(error),
    },
  });
  const command = (number: number) => ({
    origin: 2,
    incarnation: 1,
    number,
    settled: 0,
    payload: Uint8Array.of(number),
  });
  const forward = (...numbers: number[]): Event => ({
    kind: "message",
    from: 2,
    message: { kind: "forward", commands: numbers.map(command), hops: 1 },
  });
  assert.deepEqual(space.admitted(forward(1, 2)), forward(1, 2));
  assert.equal(space.refusal(1), null);
  space.onNotice({ kind: "full", isFull: true });
  assert.deepEqual(space.admitted(forward(1, 2)), forward(2));
  assert.equal(space.admitted(forward(1)), null);
  assert.deepEqual(space.counters, { fullDisks: 0, droppedForRoom: 2 });
  assert.match(
    space.refusal(1)!.message,
    /^nothing was proposed, for the disks of too many replicas are full: /,
  );
  assert.equal(space.refusal(2), null);
  space.onNotice({ kind: "full", isFull: false });
  assert.equal(space.refusal(1), null);
  assert.deepEqual(space.alarms, []);
  assert.match(told.join("; "), /^the disks of too many .*; a quorum of the replicas has room on its disks$/);
  space.room.endWaiting();
});
