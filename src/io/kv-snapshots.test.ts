// Snapshots of the store in lmdb: their chunks lie in the same memory one after the other, and nobody sees it.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { KvMachine } from "../kv/machine.js";
import { compact, put } from "../kv/requests-for-tests.js";
import { SnapshotFiles } from "../replica/snapshot-files.js";
import type { DiskCallback } from "../wal/disk.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";

/** A machine with thousands of records, the last of them not committed. */
async function machineWithRecords(t: TestContext): Promise<KvMachine> {
  const directory = await mkdtemp(join(tmpdir(), "synod-snapshots-"));
  const machine = await KvMachine.open(await LmdbRecordStore.open(directory));
  t.after(async () => {
    await machine.close();
    await rm(directory, { recursive: true });
  });
  for (let i = 0; i < 3_000; i += 1) machine.apply(put(`key-${i % 1_700}`, `${i}`.repeat(1 + (i % 90))));
  for (let i = 0; i < 3; i += 1) machine.apply(put(`large-${i}`, `${i}`.repeat(700_000)));
  machine.apply(compact(600));
  await machine.commit(1, new Uint8Array(0));
  for (let i = 0; i < 1_000; i += 1) machine.apply(put(`late-${i}`, `${i}`));
  return machine;
}

async function copiesOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const copies: Uint8Array[] = [];
  for await (const chunk of chunks) copies.push(chunk.slice());
  return copies;
}

test("two snapshots at once are the same as one after the other, also when a third is given up", async (t) => {
  const machine = await machineWithRecords(t);
  const expected = await copiesOf(machine.snapshot());
  assert.ok(expected.length > 8);
  const walks = [machine.snapshot(), machine.snapshot()];
  const givenUp = machine.snapshot();
  const found: Uint8Array[][] = [[], []];
  for (let i = 0; i < expected.length; i += 1) {
    const chunks: Uint8Array[] = [];
    for (const walk of walks) chunks.push((await walk.next()).value);
    if (i < 4) await givenUp.next();
    else if (i === 4) await givenUp.return?.();
    // Looked at only when every walk has gone on.
    for (const [w, chunk] of chunks.entries()) found[w]!.push(chunk.slice());
  }
  for (const walk of walks) assert.equal((await walk.next()).done, true);
  assert.deepEqual(found, [expected, expected]);
});

test("chunks of records lie in the same memory, so that a snapshot makes little garbage", async (t) => {
  const machine = await machineWithRecords(t);
  const lengths = new Map<ArrayBufferLike, number>();
  let total = 0;
  for await (const { buffer, length } of machine.snapshot()) {
    lengths.set(buffer, buffer.byteLength);
    total += length;
  }
  let made = 0;
  for (const length of lengths.values()) made += length;
  assert.ok(total > 2_500_000 && lengths.size < 8, `${lengths.size} buffers of ${made} bytes for ${total}`);
});

/** Writes what the bytes are at the end of a write, which comes late. */
class LateDisk extends MemoryDisk {
  override async open(name: string, create: boolean) {
    const file = await super.open(name, create);
    const write = (position: number, bytes: Uint8Array, done: DiskCallback) => {
      setTimeout(() => file.write(position, bytes, done), 2);
    };
    return { ...file, write };
  }
}

test("on a slow disk a snapshot file has the same bytes as on a fast one", async (t) => {
  const machine = await machineWithRecords(t);
  const contents: Uint8Array[] = [];
  const write = async (disk: MemoryDisk) => {
    const files = await SnapshotFiles.open(disk);
    const info = await files.write(7, Uint8Array.of(1, 2, 3), machine.snapshot());
    await files.verify(info);
    contents.push(await files.read(info, 0, info.bytes));
  };
  await write(new MemoryDisk());
  await Promise.all([write(new LateDisk()), write(new LateDisk())]);
  assert.ok(contents[0]!.length > 2_500_000);
  assert.equal(Buffer.compare(contents[0]!, contents[1]!), 0);
  assert.equal(Buffer.compare(contents[0]!, contents[2]!), 0);
});
