// The values that a log keeps are checked while it is in use: damage is told, and is never served.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, quiet, vote, WalLife } from "../../test/support/wal-life.js";
import { MemoryDisk } from "./memory-disk.js";

const SLOTS = 40;

function textOfSlot(slot: number): string {
  return `value of slot ${slot} `.padEnd(300, "x");
}

async function filled(): Promise<{ disk: MemoryDisk; life: WalLife }> {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk, { segmentBytes: 4096 });
  for (let slot = 1; slot <= SLOTS; slot += 1) {
    await life.sync([vote(slot, 5, textOfSlot(slot)), chosen(slot)], 5);
    // The next segment is made meanwhile.
    for (let i = 0; i < 20; i += 1) await quiet();
  }
  return { disk, life };
}

function damage(disk: MemoryDisk, slot: number): void {
  for (const name of disk.names()) {
    const bytes = Buffer.from(disk.bytesOf(name).buffer);
    const at = bytes.indexOf(textOfSlot(slot).trimEnd());
    if (at >= 0) disk.bytesOf(name)[at]! ^= 1;
  }
}

/** One pass in pieces of `maxBytes`: how many there were, and the bytes. */
async function pass(
  life: WalLife,
  upTo: number,
  maxBytes: number,
): Promise<{ pieces: number; bytes: number }> {
  let pieces = 0;
  let bytes = 0;
  for (let from = 1; from <= upTo; pieces += 1) {
    const piece = await life.wal.check(from, upTo, maxBytes);
    assert.ok(piece.next > from, "it goes on");
    from = piece.next;
    bytes += piece.bytes;
  }
  return { pieces, bytes };
}

test("a pass reads every value once, in pieces of any length", async () => {
  const { life } = await filled();
  for (const maxBytes of [1, 1_000, 1 << 20]) {
    const { pieces, bytes } = await pass(life, SLOTS, maxBytes);
    assert.equal(bytes, SLOTS * 300);
    assert.ok(pieces <= SLOTS);
  }
  // Values that are not executed yet are left alone.
  assert.equal((await pass(life, 10, 1)).bytes, 10 * 300);
  assert.deepEqual(life.damaged, []);
  await life.wal.close();
});

test("every damaged value is told, and the pass goes on behind it", async () => {
  for (const slots of [[1], [17], [SLOTS], [3, 4, 30]]) {
    for (const maxBytes of [1, 1 << 20]) {
      const { disk, life } = await filled();
      for (const slot of slots) damage(disk, slot);
      const { bytes } = await pass(life, SLOTS, maxBytes);
      assert.deepEqual(life.damaged, slots);
      assert.equal(bytes, (SLOTS - slots.length) * 300);
      const served = await life.wal.readChosen(1, 1 << 20);
      assert.equal(served.length, slots[0]! - 1);
      await life.wal.close();
    }
  }
});

test("one that is asked for is told, too", async () => {
  const { disk, life } = await filled();
  damage(disk, 9);
  await life.wal.readChosen(5, 1 << 20);
  assert.deepEqual(life.damaged, [9]);
  await life.wal.close();
});

test("what is compacted, or closed, while it is read is not called damaged", async () => {
  const { life } = await filled();
  const checks = [1, 5, 20].map((from) => life.wal.check(from, SLOTS, 1 << 20));
  const compacted = life.wal.compact(30);
  await Promise.all([...checks, compacted]);
  assert.equal((await pass(life, SLOTS, 1)).bytes, 10 * 300);
  const last = life.wal.check(31, SLOTS, 1 << 20);
  await life.wal.close();
  await last;
  await life.wal.check(31, SLOTS, 1 << 20);
  assert.deepEqual(life.damaged, []);
});
