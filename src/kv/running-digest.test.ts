// The digest of the store: whatever a command changes is in it, and refusals are; it survives commits and snapshots.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvCommand } from "./commands.js";
import { KvMachine } from "./machine.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { bytes, compact, del, put } from "./requests-for-tests.js";
import { FRESH_DIGEST, RunningDigest } from "./running-digest.js";

async function after(...commands: readonly KvCommand[]): Promise<KvMachine> {
  const machine = await KvMachine.open(new MemoryRecordStore());
  for (const command of commands) machine.apply(command);
  return machine;
}

test("it tells apart keys, values, order, deletions, compactions and refusals", async () => {
  const histories: (readonly KvCommand[])[] = [
    [],
    [put("a", "1")],
    [put("a", "2")],
    [put("b", "1")],
    [put("a", "1"), put("a", "1")],
    [put("a", "1"), put("b", "1")],
    [put("b", "1"), put("a", "1")],
    [put("a", "1"), del("a")],
    [put("a", "1"), put("b", "1"), del("a")],
    [put("a", "1"), put("a", "1"), compact(2)],
    [put("a", "1"), put("a", "1"), compact(3)],
    [compact(9)],
    [put("", "refused")],
  ];
  const seen = new Set<number>();
  for (const history of histories) {
    const digest = (await after(...history)).digest();
    assert.equal((await after(...history)).digest(), digest);
    seen.add(digest);
  }
  assert.equal(seen.size, histories.length);
  // What changes nothing changes nothing.
  assert.equal((await after(put("a", "1"), del("x"))).digest(), (await after(put("a", "1"))).digest());
});

test("a restart and a snapshot go on with it", async () => {
  const medium = new MemoryMedium();
  const machine = await KvMachine.open(new MemoryRecordStore(medium));
  for (let i = 0; i < 50; i += 1) machine.apply(put(`k${i % 7}`, `${i}`));
  machine.apply(compact(20));
  await machine.commit(51, bytes(""));
  const committed = machine.digest();
  machine.apply(put("late", "1"));
  const again = await KvMachine.open(new MemoryRecordStore(medium));
  assert.equal(again.digest(), committed);
  again.apply(put("late", "1"));
  assert.equal(again.digest(), machine.digest());
  const other = await after(put("something", "else"));
  const chunks = machine.snapshot();
  const frozen = machine.digest();
  machine.apply(put("later", "1"));
  await other.restore(chunks);
  assert.equal(other.digest(), frozen);
  await other.commit(52, bytes(""));
  assert.equal(other.digest(), frozen);
});

test("both lanes depend on every record", () => {
  const lanes = new Set<number>();
  for (let i = 0; i < 256; i += 1) {
    const digest = new RunningDigest(FRESH_DIGEST);
    digest.record(Uint8Array.of(i, 0, 0, 0, 1));
    digest.record(Uint8Array.of(0, 0, 0, i, 1, 2));
    lanes.add(digest.lanes.a).add(digest.lanes.b + 2 ** 33);
    assert.deepEqual(new RunningDigest(digest.lanes).lanes, digest.lanes);
    assert.equal(new RunningDigest(digest.lanes).value, digest.value);
    assert.ok(Number.isSafeInteger(digest.value) && digest.value >= 0);
  }
  assert.equal(lanes.size, 512);
});
