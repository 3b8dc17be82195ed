// A scrub comes to everything that is on disk, however short its steps are, and while commands go on.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvCommand } from "./commands.js";
import { KvMachine } from "./machine.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { type RecordBatch, StoreCorrupt } from "./record-store.js";
import { compact, del, put } from "./requests-for-tests.js";

const PACE = { records: 30, keys: 8, keysPerRecord: 0, chunkKeys: 3 };
const ALWAYS = () => true;
const NEVER = () => false;

function commandOf(slot: number): KvCommand {
  if (slot % 40 === 39) return compact(Math.floor(slot / 2));
  if (slot % 7 === 3) return del(`key-${slot % 13}`);
  return put(`key-${(slot * 5) % 13}`, `value of ${slot}`);
}

async function advance(machine: KvMachine, from: number, to: number): Promise<void> {
  for (let slot = from; slot <= to; slot += 1) {
    machine.apply(commandOf(slot));
    if (slot % 3 === 0) await machine.commit(slot, new Uint8Array(0));
  }
}

async function filled(): Promise<{ medium: MemoryMedium; machine: KvMachine }> {
  const medium = new MemoryMedium();
  const machine = await KvMachine.open(new MemoryRecordStore(medium), PACE);
  await advance(machine, 1, 120);
  await machine.commit(120, new Uint8Array(0));
  await machine.settled();
  return { medium, machine };
}

/** Steps to the end of a pass; what was checked, and the parts of the whole. */
function pass(machine: KvMachine, isOver: () => boolean): { checked: number; part: number; steps: number } {
  let checked = 0;
  let part = 0;
  for (let steps = 1; ; steps += 1) {
    const step = machine.scrub(isOver);
    checked += step.checked;
    part += step.part;
    if (step.isEnd) return { checked, part, steps };
  }
}

test("a pass checks every record and chunk, at once or one by one, and then begins anew", async () => {
  const { machine } = await filled();
  const atOnce = pass(machine, NEVER);
  assert.equal(atOnce.steps, 1);
  for (let round = 0; round < 2; round += 1) {
    const oneByOne = pass(machine, ALWAYS);
    assert.equal(oneByOne.checked, atOnce.checked);
    assert.ok(oneByOne.steps >= atOnce.checked);
    assert.ok(Math.abs(oneByOne.part - 1) < 1e-9, `the parts are ${oneByOne.part} of the whole`);
  }
});

test("an empty store is checked in no time", async () => {
  const machine = await KvMachine.open(new MemoryRecordStore());
  assert.deepEqual(machine.scrub(ALWAYS), { checked: 0, part: 1, isEnd: true });
});

test("damage or loss of any record that counts is found within a pass", async () => {
  const { medium } = await filled();
  const records = new MemoryRecordStore(medium).scan(0, 0, 1000);
  let found = 0;
  for (const { main, sub } of records) {
    for (const what of ["damage", "lose"] as const) {
      const { medium, machine } = await filled();
      medium[what](main, sub);
      for (const isOver of [ALWAYS, NEVER]) {
        try {
          pass(machine, isOver);
        } catch (error) {
          assert.ok(error instanceof StoreCorrupt);
          assert.ok(error.message.includes(`${main}.${sub}`));
          found += 1;
        }
      }
    }
  }
  // Those that only wait to be removed are of no account.
  assert.ok(found >= 4 * (records.length - 8), `${found} of ${records.length} records`);
});

test("a damaged or lost chunk of the index checkpoint, and a damaged head, are found", async () => {
  const { medium } = await filled();
  assert.ok(medium.chunks.size > 2);
  for (const [name, chunk] of medium.chunks) {
    const one = await filled();
    const sealed = chunk.sealed.slice();
    sealed[sealed.length - 1]! ^= 1;
    one.medium.chunks.set(name, { ...chunk, sealed });
    assert.throws(() => pass(one.machine, ALWAYS), StoreCorrupt);
    const other = await filled();
    other.medium.chunks.delete(name);
    assert.throws(() => pass(other.machine, NEVER), StoreCorrupt);
  }
  const { medium: headless, machine } = await filled();
  headless.head![headless.head!.length - 1]! ^= 1;
  assert.throws(() => pass(machine, NEVER), StoreCorrupt);
});

/** Resolves a while after the old chunks are gone, as lmdb does. */
class SlowStore extends MemoryRecordStore {
  override async commit(batch: RecordBatch): Promise<void> {
    await super.commit(batch);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
}

test("a checkpoint that a commit is replacing is left alone", async () => {
  const machine = await KvMachine.open(new SlowStore(), PACE);
  for (let slot = 1; slot <= 200; slot += 1) {
    machine.apply(commandOf(slot));
    const commit = machine.commit(slot, new Uint8Array(0));
    await new Promise(setImmediate);
    machine.scrub(NEVER);
    await commit;
    machine.scrub(NEVER);
  }
});

test("commands, commits, compactions and a snapshot that replaces all go on meanwhile, and nothing is called damaged", async () => {
  const { machine } = await filled();
  const { machine: other } = await filled();
  for (let slot = 121; slot < 600; slot += 1) {
    machine.apply(commandOf(slot));
    machine.scrub(ALWAYS);
    if (slot % 5 !== 0) continue;
    const commit = machine.commit(slot, new Uint8Array(0));
    machine.scrub(ALWAYS);
    await commit;
    if (slot % 150 === 0) await machine.restore(other.snapshot());
  }
});

test("what a compaction has removed, and the checkpoint of the index still has, is not missed after a start", async () => {
  // More keys than the compactor looks at in its first slice, which comes as the store is opened.
  const keys = Array.from({ length: 1_200 }, (_, i) => `key-${i}`);
  const pace = { records: 10, keys: 5_000, keysPerRecord: 0, chunkKeys: 1_000 };
  const medium = new MemoryMedium();
  const machine = await KvMachine.open(new MemoryRecordStore(medium), pace);
  for (const value of ["old", "new"]) for (const key of keys) machine.apply(put(key, value));
  machine.apply(del("key-0"));
  await machine.commit(1, new Uint8Array(0));
  machine.apply(compact(2 * keys.length + 1));
  await machine.commit(2, new Uint8Array(0));
  await machine.settled();
  const again = await KvMachine.open(new MemoryRecordStore(medium), pace);
  assert.ok(pass(again, NEVER).checked > keys.length - 2);
});

test("a step ends where there are only keys that a compaction lets go, too, and none is counted twice", async () => {
  const machine = await KvMachine.open(new MemoryRecordStore());
  for (let i = 0; i < 50; i += 1) machine.apply(put(`key-${i}`, ""));
  for (let i = 0; i < 49; i += 1) machine.apply(del(`key-${i}`));
  // Not durable, so that the compactor leaves all of it.
  machine.apply(compact(100));
  const { part, steps } = pass(machine, ALWAYS);
  assert.ok(steps >= 50, `${steps} steps`);
  assert.ok(Math.abs(part - 1) < 1e-9, `the parts are ${part} of the whole`);
});
