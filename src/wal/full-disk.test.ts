// A full disk is not a failed write (F29): at whatever byte it is full, the log waits, loses nothing that was proven,
// and goes on when there is room; what fails inside a segment that is there is a failed write.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, ManualClock, quiet, text, vote, WalLife } from "../../test/support/wal-life.js";
import { checkPrefix, type Turn } from "../../test/support/wal-model.js";
import { isNoSpace, noSpace } from "../base/no-space.js";
import { MemoryDisk } from "./memory-disk.js";
import { RESERVE_NAME, Room } from "./room.js";

const segmentBytes = 4096;

interface Told {
  readonly clock: ManualClock;
  readonly room: Room;
  readonly events: string[];
}

async function roomOf(disk: MemoryDisk, reserveBytes: number): Promise<Told> {
  const clock = new ManualClock();
  const events: string[] = [];
  const room = await Room.open({
    disk,
    clock,
    reserveBytes,
    onLack: (what) => events.push(`no room for ${what}`),
    onRoom: () => events.push("room"),
    onFailed: (error) => events.push(error.message),
  });
  return { clock, room, events };
}

async function seconds(clock: ManualClock, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await quiet();
    clock.advance(1000);
  }
  await quiet();
}

const turnOf = (slot: number): Turn => ({
  promise: 5,
  records: [vote(slot, 5, text(`${slot} ${".".repeat(900)}`)), ...(slot > 1 ? [chosen(slot - 1)] : [])],
});

test("a disk that is full at any byte: the log waits, and goes on when there is room, or in its next life", async () => {
  const empty = new MemoryDisk();
  await (await WalLife.open(empty, { segmentBytes })).wal.close();
  const from = empty.used;
  const stuckAt = new Set<number>();
  for (let more = 0; more <= 4 * segmentBytes; more += 256) {
    for (const reserveBytes of [0, segmentBytes]) {
      for (const ending of ["room", "close", "crash"] as const) {
        const disk = new MemoryDisk();
        const { clock, room, events } = await roomOf(disk, reserveBytes);
        const life = await WalLife.open(disk, { segmentBytes, clock, room });
        room.begin();
        await quiet();
        disk.quota = Math.max(from + reserveBytes + more, disk.used);
        const turns: Turn[] = [];
        for (let slot = 1; slot <= 16; slot += 1) {
          const turn = turnOf(slot);
          turns.push(turn);
          life.append(turn.records, turn.promise);
          await quiet();
        }
        await seconds(clock, 2);
        assert.deepEqual(life.failures, []);
        const segments = disk.names().filter((name) => name.startsWith("log-"));
        for (const name of segments) assert.equal(disk.bytesOf(name).length, segmentBytes, "half made");
        assert.equal(life.provenTurn < 16, life.wal.isStuck);
        if (life.wal.isStuck) {
          stuckAt.add(life.provenTurn);
          assert.equal(events.length, 1);
          assert.equal(disk.has(RESERVE_NAME), false);
        }
        const proven = life.provenTurn;
        if (ending === "room") {
          disk.quota = Number.POSITIVE_INFINITY;
          await seconds(clock, 3);
          assert.deepEqual([life.provenTurn, life.wal.isStuck, room.isLacking], [16, false, false]);
          if (events.length > 0) assert.equal(events.at(-1), "room");
          assert.equal(disk.has(RESERVE_NAME), reserveBytes > 0);
          await life.wal.close();
        } else if (ending === "close") {
          await life.wal.close();
          await room.close();
        } else {
          disk.crash();
        }
        const next = await WalLife.open(disk.copy(), { segmentBytes });
        await checkPrefix(next, turns, ending === "room" ? 16 : proven, 0);
        // A start with the disk still full waits too, and shows the same.
        const waiting = await roomOf(disk, reserveBytes);
        const opening = WalLife.open(disk, { segmentBytes, ...waiting });
        await seconds(waiting.clock, 2);
        disk.quota = Number.POSITIVE_INFINITY;
        await seconds(waiting.clock, 2);
        await checkPrefix(await opening, turns, ending === "room" ? 16 : proven, 0);
      }
    }
  }
  assert.ok(stuckAt.size >= 3, [...stuckAt].join());
});

test("a batch larger than a segment: room for it is made before it is written, in the first segment and in others", async () => {
  const large = (slot: number): Turn => ({
    promise: 5,
    records: [vote(slot, 5, text("x".repeat(9000 * slot)))],
  });
  for (const small of [0, 1, 2, 3]) {
    const turns: Turn[] = [];
    for (let slot = 1; slot <= small; slot += 1) turns.push(turnOf(slot));
    turns.push(large(small + 1), turnOf(small + 2), large(small + 3));
    const stuckAt = new Set<number>();
    for (let left = 0; left <= 70_000; left += 1000) {
      const disk = new MemoryDisk();
      const { clock, room } = await roomOf(disk, 0);
      const life = await WalLife.open(disk, { segmentBytes, clock, room });
      disk.quota = disk.used + left;
      for (const turn of turns) {
        life.append(turn.records, turn.promise);
        await quiet();
      }
      await seconds(clock, 2);
      assert.deepEqual(life.failures, []);
      // The mark behind the last batch may wait as well.
      assert.ok(life.provenTurn === turns.length || life.wal.isStuck);
      const proven = life.provenTurn;
      const isStuck = life.wal.isStuck;
      if (isStuck) stuckAt.add(proven);
      await checkPrefix(await WalLife.open(disk.copy(), { segmentBytes }), turns, proven, 0);
      if (left % 2000 === 0) {
        disk.quota = Number.POSITIVE_INFINITY;
        await seconds(clock, 3);
        assert.deepEqual([life.provenTurn, life.wal.isStuck, room.isLacking], [turns.length, false, false]);
        const bytes = disk.names().filter((name) => name.startsWith("log-"));
        const size = bytes.reduce((sum, name) => sum + disk.bytesOf(name).length, 0);
        await life.wal.close();
        // The next one may have been made meanwhile.
        assert.ok(
          life.wal.size === size || life.wal.size === size - segmentBytes,
          `${life.wal.size} ${size}`,
        );
      } else if (isStuck) {
        await life.wal.close();
        await room.close();
      } else {
        disk.crash();
      }
      disk.quota = Number.POSITIVE_INFINITY;
      await checkPrefix(await WalLife.open(disk, { segmentBytes }), turns, proven, 0);
    }
    assert.ok(stuckAt.size >= 2, `${small}: ${[...stuckAt].join()}`);
  }
});

test("a log that waits for room can be compacted, and goes on in the room that it makes", async () => {
  const disk = new MemoryDisk();
  const { clock, room, events } = await roomOf(disk, 0);
  const life = await WalLife.open(disk, { segmentBytes, clock, room });
  for (let slot = 1; slot <= 10; slot += 1) await life.sync(turnOf(slot).records, 5);
  disk.quota = disk.used;
  for (let slot = 11; slot <= 20; slot += 1) life.append(turnOf(slot).records, 5);
  await quiet();
  assert.ok(life.wal.isStuck && life.provenTurn < 20);
  const upTo = life.wal.compactable(life.wal.syncedChosenUpTo, 0);
  await life.wal.compact(upTo);
  assert.ok(life.wal.isStuck);
  await seconds(clock, 2);
  assert.ok(upTo > 2 && life.provenTurn >= 11);
  disk.quota = Number.POSITIVE_INFINITY;
  await seconds(clock, 2);
  assert.deepEqual([life.provenTurn, events.at(-1)], [20, "room"]);
  disk.crash();
  const { recovered } = await WalLife.open(disk, { segmentBytes, appliedUpTo: upTo });
  assert.deepEqual([recovered.chosenUpTo, recovered.compactedUpTo, recovered.damaged], [19, upTo, 0]);
});

test("room for the next segment that comes while the log is compacted", async () => {
  const disk = new MemoryDisk();
  const { clock, room } = await roomOf(disk, 0);
  const life = await WalLife.open(disk, { segmentBytes, clock, room });
  for (let slot = 1; slot <= 10; slot += 1) await life.sync(turnOf(slot).records, 5);
  disk.quota = disk.used;
  for (let slot = 11; slot <= 14; slot += 1) life.append(turnOf(slot).records, 5);
  await quiet();
  assert.ok(life.wal.isStuck);
  disk.quota = Number.POSITIVE_INFINITY;
  clock.advance(1000);
  const upTo = life.wal.compactable(life.wal.syncedChosenUpTo, 0);
  const done = life.wal.compact(upTo);
  const closed = life.wal.close();
  await done;
  await closed;
  assert.deepEqual([life.provenTurn, life.failures.length], [14, 0]);
  const { recovered } = await WalLife.open(disk, { segmentBytes, appliedUpTo: upTo });
  assert.deepEqual([recovered.chosenUpTo, recovered.damaged], [13, 0]);
});

test("the reserve is given back for a segment at once, and made again before all is well", async () => {
  const disk = new MemoryDisk();
  const { clock, room, events } = await roomOf(disk, segmentBytes);
  const life = await WalLife.open(disk, { segmentBytes, clock, room });
  room.begin();
  await quiet();
  assert.equal(disk.bytesOf(RESERVE_NAME).length, segmentBytes);
  disk.quota = disk.used;
  for (let slot = 1; slot <= 4; slot += 1) await life.sync(turnOf(slot).records, 5);
  assert.deepEqual(events, ["no room for log-0000000002"]);
  assert.ok(!disk.has(RESERVE_NAME) && room.isLacking && !life.wal.isStuck);
  await seconds(clock, 3);
  assert.ok(room.isLacking);
  // The next segment comes first.
  disk.quota += 2 * segmentBytes;
  await seconds(clock, 2);
  assert.deepEqual([events.at(-1), room.isLacking, disk.has(RESERVE_NAME)], ["room", false, true]);
  assert.equal((await Room.open({ disk, reserveBytes: segmentBytes } as never)).isLacking, false);
  // Of another size it is of no use, and half of one neither.
  await Room.open({ disk, reserveBytes: 100 } as never);
  assert.ok(!disk.has(RESERVE_NAME));
});

test("a reserve that somebody has removed is not missed", async () => {
  const disk = new MemoryDisk();
  const { clock, room, events } = await roomOf(disk, segmentBytes);
  room.begin();
  await quiet();
  await disk.remove(RESERVE_NAME);
  let attempts = 0;
  await room.allocate("something", async () => {
    attempts += 1;
    if (attempts === 1) throw noSpace("full");
  });
  await seconds(clock, 2);
  assert.deepEqual([events, disk.has(RESERVE_NAME)], [["no room for something", "room"], true]);
});

test("no room for the reserve itself: it is said, and what there is of it goes", async () => {
  const disk = new MemoryDisk();
  disk.quota = 1000;
  const { clock, room, events } = await roomOf(disk, segmentBytes);
  room.begin();
  await quiet();
  assert.deepEqual([events, disk.names()], [["no room for the reserve"], []]);
  disk.quota = 10_000;
  await seconds(clock, 1);
  assert.deepEqual([events.at(-1), disk.names(), clock.timers], ["room", [RESERVE_NAME], 0]);
});

test("an attempt that fails in another way is not repeated, and nothing waits after the end", async () => {
  const disk = new MemoryDisk();
  const { room } = await roomOf(disk, 0);
  let attempts = 0;
  const fails = (code: string) => () => {
    attempts += 1;
    return Promise.reject(Object.assign(new Error(code), { code }));
  };
  await assert.rejects(room.allocate("something", fails("EIO")), /EIO/);
  assert.equal(attempts, 1);
  const waiting = room.allocate("something", fails("EDQUOT"));
  await quiet();
  room.endWaiting();
  await assert.rejects(waiting, isNoSpace);
  await assert.rejects(room.allocate("something", fails("ENOSPC")), isNoSpace);
});

test("a log that was given up proves nothing any more, also where a smaller batch would fit", async () => {
  const disk = new MemoryDisk();
  const { clock, room } = await roomOf(disk, 0);
  const life = await WalLife.open(disk, { segmentBytes, clock, room });
  disk.quota = disk.used;
  const turns = [turnOf(1), turnOf(2)];
  for (const { records, promise } of turns) await life.sync(records, promise);
  life.append(turnOf(3).records, 5);
  await quiet();
  assert.ok(life.wal.isStuck);
  room.endWaiting();
  await quiet();
  // A replica that stops hands over first, and still has turns.
  life.append([chosen(2)], 0);
  life.append([], 9);
  life.wal.flush();
  await seconds(clock, 2);
  assert.equal(life.provenTurn, 2);
  await assert.rejects(life.wal.compact(2), isNoSpace);
  await life.wal.close();
  assert.deepEqual([life.failures, clock.timers], [[], 0]);
  disk.quota = Number.POSITIVE_INFINITY;
  await checkPrefix(await WalLife.open(disk, { segmentBytes }), turns, 2, 0);
});

test("what a start has read and has no room to make durable is not used when nobody waits any more", async () => {
  const disk = new MemoryDisk();
  const first = await WalLife.open(disk, { segmentBytes });
  await first.sync([vote(1, 5, text("x".repeat(9000)))], 5);
  disk.kill();
  const { clock, room } = await roomOf(disk, 0);
  // For its first segment, not for all of what is written anew.
  disk.quota = disk.used + segmentBytes + 1000;
  const opening = WalLife.open(disk, { segmentBytes, clock, room });
  await seconds(clock, 2);
  assert.ok(room.isLacking);
  room.endWaiting();
  await assert.rejects(opening, isNoSpace);
});

test("no room inside a segment that is there is a failed write", async () => {
  for (const operation of ["write", "sync"]) {
    let isFull = false;
    const disk = new MemoryDisk({
      fault: (now) =>
        isFull && now === operation ? Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }) : null,
    });
    const life = await WalLife.open(disk, { segmentBytes });
    isFull = true;
    life.append([vote(1, 1, "value")], 0);
    await quiet();
    assert.deepEqual([life.failures.length, life.provenTurn], [1, 0]);
  }
});
