// Formats, frozen: data directories under test/golden/format that today's writers make to the byte, and that today's
// readers read to the byte. Where a format is to change, its number goes up, and the old directory stays, to be read.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkBackup } from "../../src/io/backup/backup-file.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { RESERVE_NAME } from "../../src/wal/room.js";
import { clusterOf, DIRECTORIES, SEGMENT_BYTES } from "./directories.js";
import { GOLDEN, goldenDisk } from "./golden-disk.js";
import { readDirectory } from "./read-directory.js";
import { dump, inScratch, load, readStore, writeBackup, writeStore } from "./store.js";

const UPDATE = process.env.UPDATE === "1";

/** Zeros, as many as two files of the log have: nothing to keep in the golden directories. */
async function dropReserve(disk: MemoryDisk): Promise<void> {
  const bytes = disk.bytesOf(RESERVE_NAME);
  assert.ok(bytes.length === 2 * SEGMENT_BYTES && bytes.every((byte) => byte === 0));
  await disk.remove(RESERVE_NAME);
}

async function rewrite(name: string): Promise<void> {
  const disk = await DIRECTORIES[name]!();
  const directory = join(GOLDEN, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  if (disk.names().includes(RESERVE_NAME)) await dropReserve(disk);
  for (const file of disk.names()) writeFileSync(join(directory, file), disk.bytesOf(file));
  writeFileSync(join(GOLDEN, `${name}.jsonl`), await readDirectory(disk));
}

for (const [name, make] of Object.entries(DIRECTORIES)) {
  test(`the directory ${name} is written to the byte`, async () => {
    if (UPDATE) await rewrite(name);
    const [golden, now] = [goldenDisk(name), await make()];
    if (now.names().includes(RESERVE_NAME)) await dropReserve(now);
    assert.deepEqual(now.names(), golden.names());
    for (const file of golden.names()) {
      assert.ok(
        Buffer.from(now.bytesOf(file)).equals(golden.bytesOf(file)),
        `${name}/${file} is written differently`,
      );
    }
  });

  test(`the directory ${name} is read to the byte`, async () => {
    assert.equal(await readDirectory(goldenDisk(name)), readFileSync(join(GOLDEN, `${name}.jsonl`), "utf8"));
  });

  if (name === "restored") continue;
  test(`a replica goes on from the directory ${name}`, async () => {
    const golden = goldenDisk(name);
    const { replica, state } = whoAndWhat(name);
    const cluster = clusterOf(name === "compacted" ? 1 : 3, (id) =>
      id === replica ? golden : new MemoryDisk(),
    );
    await cluster.start(replica);
    assert.equal(await cluster.clock.settle(cluster.replica(replica).read("all", { local: true })), state);
    await cluster.clock.settle(cluster.replica(replica).close());
  });
}

function whoAndWhat(name: string): { replica: number; state: string } {
  const lines = readFileSync(join(GOLDEN, `${name}.jsonl`), "utf8").split("\n");
  const { identity } = JSON.parse(lines[0]!) as { identity: { replica: number } };
  // Of those that were killed the third is a vote alone.
  const state = name === "compacted" ? "life 2, note 37 life 2, note 38 life 2, note 39" : "one two";
  return { replica: identity.replica, state };
}

test("the store is written to the byte", () =>
  inScratch(async (directory) => {
    await writeStore(directory);
    const now = await dump(directory);
    if (UPDATE) writeFileSync(join(GOLDEN, "store.hex"), now);
    assert.equal(now, readFileSync(join(GOLDEN, "store.hex"), "utf8"));
  }));

test("the store is read to the byte", () =>
  inScratch(async (directory) => {
    await load(directory, readFileSync(join(GOLDEN, "store.hex"), "utf8"));
    const now = await readStore(directory);
    if (UPDATE) writeFileSync(join(GOLDEN, "store.jsonl"), now);
    assert.equal(now, readFileSync(join(GOLDEN, "store.jsonl"), "utf8"));
  }));

test("a backup is written to the byte, and read to the byte", () =>
  inScratch(async (scratch) => {
    const store = join(scratch, "store");
    await load(store, readFileSync(join(GOLDEN, "store.hex"), "utf8"));
    const now = await writeBackup(store);
    if (UPDATE) writeFileSync(join(GOLDEN, "backup"), now);
    assert.ok(readFileSync(join(GOLDEN, "backup")).equals(now));
    const { path: _, ...backup } = await checkBackup(join(GOLDEN, "backup"));
    if (UPDATE) writeFileSync(join(GOLDEN, "backup.json"), `${JSON.stringify(backup)}\n`);
    assert.equal(`${JSON.stringify(backup)}\n`, readFileSync(join(GOLDEN, "backup.json"), "utf8"));
  }));
