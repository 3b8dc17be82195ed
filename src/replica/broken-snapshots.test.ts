// What is left of damaged snapshots: found again in every life, under the name that its first sector says, and gone
// when the operator removes it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskWith, name, sample } from "../../test/support/snapshot-samples.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { SECTOR } from "./snapshot-format.js";

const aside = name(20, ".damaged");

async function asideAfter(at: number) {
  const disk = await diskWith(sample(10, 500), sample(20, 1000));
  const whole = (await SnapshotFiles.open(disk)).all[1]!;
  const bytes = disk.bytesOf(name(20));
  bytes[at] = bytes[at]! ^ 1;
  const files = await SnapshotFiles.open(disk);
  for (const info of files.all) await files.verify(info).catch(() => files.setAside(info));
  return { disk, whole, files };
}

test("one that was put aside, in this life or an earlier one, can be read by the name of what it was", async () => {
  const { disk, whole, files } = await asideAfter(SECTOR + 700);
  for (const found of [files, await SnapshotFiles.open(disk)]) {
    assert.deepEqual(
      found.all.map(({ slot }) => slot),
      [10],
    );
    assert.deepEqual(found.broken.all, [whole]);
    assert.equal(found.broken.has(whole), true);
    assert.equal(found.broken.has({ ...whole, sum: whole.sum ^ 1 }), false);
    assert.equal(found.broken.has({ ...whole, slot: 10 }), false);
    assert.deepEqual(await found.broken.read(whole, 100, 2000), disk.bytesOf(aside).slice(100));
  }
});

test("one without a first sector may be any of its slot and length, and is told to nobody", async () => {
  const { whole, files } = await asideAfter(100);
  assert.deepEqual(files.broken.all, []);
  assert.equal(files.broken.has(whole), true);
  assert.equal(files.broken.has({ ...whole, sum: whole.sum ^ 1 }), true);
  assert.equal(files.broken.has({ ...whole, bytes: whole.bytes + 1 }), false);
  assert.equal(files.broken.has({ ...whole, slot: 10 }), false);
});

test("one that was removed meanwhile has no bytes, and is told to nobody after that was seen", async () => {
  const { disk, whole, files } = await asideAfter(SECTOR + 700);
  const bytes = disk.bytesOf(aside).slice();
  await disk.remove(aside);
  assert.deepEqual(await files.broken.read(whole, 0, 100), new Uint8Array(0));
  assert.deepEqual([files.broken.all, files.broken.has(whole)], [[], false]);
  disk.put(aside, bytes);
  await files.broken.add(aside);
  assert.deepEqual(files.broken.all, [whole]);
});

test("one that is put aside while another of its name is missed stays", async () => {
  const { disk, whole, files } = await asideAfter(SECTOR + 700);
  const bytes = disk.bytesOf(aside).slice();
  await disk.remove(aside);
  const list = disk.list.bind(disk);
  disk.list = async () => {
    const names = await list();
    disk.put(aside, bytes);
    await files.broken.add(aside);
    return names;
  };
  assert.deepEqual(await files.broken.read(whole, 0, 100), new Uint8Array(0));
  assert.deepEqual(files.broken.all, [whole]);
});

test("one of another format, or with another slot in it than in its name, is of no use", async () => {
  const { disk } = await asideAfter(SECTOR + 700);
  const bytes = disk.bytesOf(aside).slice();
  await disk.remove(aside);
  disk.put(name(21, ".damaged"), bytes);
  assert.deepEqual((await SnapshotFiles.open(disk)).broken.all, []);
});
