// A store that has lost records, each of them intact, is noticed: when it is opened, when a snapshot is made, when a
// hash is asked for. Damage of lmdb's tree makes walks skip records, and nothing else would tell.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvCommand } from "./commands.js";
import { encodeHead, FRESH_HEAD } from "./head.js";
import { KvMachine } from "./machine.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { StoreCorrupt, sealedCopy } from "./record-store.js";
import { compact, del, put } from "./requests-for-tests.js";

/** Makes a checkpoint of the index for every few records. */
const PACE = { records: 6, keys: 100, keysPerRecord: 0, chunkKeys: 3 };
const NEVER_CHECKPOINTED = { ...PACE, records: 1_000 };

/** Revisions 2 to 10: keys that are put once, put again, deleted, and put after that. */
const COMMANDS: readonly KvCommand[] = [
  put("a", "1"),
  put("b", "1"),
  put("a", "2"),
  put("c", "1"),
  del("b"),
  put("b", "2"),
  put("a", "3"),
  del("c"),
  put("d", "1"),
];

async function committed(commands: readonly KvCommand[], pace = NEVER_CHECKPOINTED) {
  const medium = new MemoryMedium();
  const machine = await KvMachine.open(new MemoryRecordStore(medium), pace);
  for (const [i, command] of commands.entries()) {
    machine.apply(command);
    await machine.commit(i + 1, new Uint8Array(0));
  }
  await machine.settled();
  return { medium, machine };
}

async function read(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of chunks);
}

test("every single record that is lost is noticed when the store is opened", async () => {
  for (let revision = 2; revision <= 10; revision += 1) {
    const { medium } = await committed(COMMANDS);
    medium.lose(revision, 0);
    await assert.rejects(KvMachine.open(new MemoryRecordStore(medium)), StoreCorrupt, `revision ${revision}`);
  }
});

test("of what a compaction covers, every record that still counts is missed, and no other", async () => {
  const commands = [...COMMANDS, compact(8)];
  // Gone with the compaction, or free to go: what is replaced up to revision 8.
  const { medium: kept } = await committed(commands);
  const left = new MemoryRecordStore(kept).scan(0, 0, 100).map(({ main }) => main);
  // 6 is the tombstone of b, which was put again: it only waits for a checkpoint, and its loss changes nothing.
  assert.deepEqual(left, [5, 6, 7, 8, 9, 10]);
  await KvMachine.open(new MemoryRecordStore(kept));
  for (const revision of [5, 7, 8, 9, 10]) {
    const { medium } = await committed(commands);
    medium.lose(revision, 0);
    await assert.rejects(KvMachine.open(new MemoryRecordStore(medium)), StoreCorrupt, `revision ${revision}`);
  }
});

test("a store that was checkpointed and compacted again and again is opened", async () => {
  const commands = Array.from({ length: 300 }, (_, i): KvCommand => {
    if (i % 50 === 49) return compact(Math.floor(i / 2));
    return i % 7 === 3 ? del(`key-${i % 11}`) : put(`key-${(i * 5) % 11}`, String(i));
  });
  for (const pace of [PACE, NEVER_CHECKPOINTED]) {
    const { medium, machine } = await committed(commands, pace);
    const again = await KvMachine.open(new MemoryRecordStore(medium), pace);
    assert.deepEqual(await again.query({ kind: "hash" }), await machine.query({ kind: "hash" }));
    await read(again.snapshot());
  }
});

test("a lost record is noticed when a snapshot is made, and when the hash is asked for", async () => {
  for (let revision = 2; revision <= 10; revision += 1) {
    const { medium, machine } = await committed(COMMANDS);
    medium.lose(revision, 0);
    await assert.rejects(read(machine.snapshot()), StoreCorrupt);
    await assert.rejects(async () => machine.query({ kind: "hash" }), StoreCorrupt);
  }
});

test("a store of another version is not called damaged", async () => {
  for (const format of [1, 9]) {
    const bytes = encodeHead(FRESH_HEAD);
    bytes[0] = format;
    const medium = new MemoryMedium();
    medium.head = sealedCopy(bytes, 0, 0);
    await assert.rejects(KvMachine.open(new MemoryRecordStore(medium)), {
      name: "UnknownStoreFormat",
      message: new RegExp(`format ${format}`),
    });
  }
});

test("a store that shows the same records again and again is damaged, and not read for ever", async () => {
  const { medium } = await committed(COMMANDS);
  const records = new MemoryRecordStore(medium);
  const scan = records.scan.bind(records);
  records.scan = (main, sub, limit) => scan(main > 5 ? 3 : main, sub, Math.min(limit, 4));
  await assert.rejects(KvMachine.open(records), { name: "StoreCorrupt", message: /out of its order/ });
});
