// A file of a newer version is refused, never skipped: by its name, with the format found and the one known, and before
// anything on the disk has changed.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ByteReader } from "../../src/base/bytes.js";
import { crc32 } from "../../src/base/crc32.js";
import { sha256 } from "../../src/base/sha256.js";
import { inspectDirectory } from "../../src/io/inspect/inspect-directory.js";
import { LmdbRecordStore } from "../../src/io/lmdb-record-store.js";
import { KvMachine } from "../../src/kv/machine.js";
import { SEAL_BYTES, sealedCopy } from "../../src/kv/record-store.js";
import { FRESH_DIGEST } from "../../src/kv/running-digest.js";
import { encodeHeaderFrame, framesOf } from "../../src/kv/snapshot.js";
import { decodeFirstSector, encodeFirstSector, SECTOR } from "../../src/replica/snapshot-format.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { inChunks } from "../support/snapshot-samples.js";
import { clusterOf } from "./directories.js";
import { copyGolden, GOLDEN, goldenDisk } from "./golden-disk.js";
import { flipRecord, flipSector, viewOf } from "./newer-format.js";
import { inScratch, load } from "./store.js";

function flipIdentity(bytes: Uint8Array): Uint8Array {
  const line = Buffer.from(bytes).toString().split("\n")[0]!.replace('"format":1', '"format":9');
  return Buffer.from(`${line}\n${crc32(Buffer.from(line)).toString(16)}\n`);
}

/** Its checksum is repeated in the identity. */
function flipGenesis(disk: MemoryDisk): void {
  const bytes = disk.bytesOf("genesis").slice();
  const content = bytes.subarray(0, -12);
  content[0] = 9;
  bytes.set(sha256(content).subarray(0, 8), content.length);
  viewOf(bytes).setUint32(bytes.length - 4, crc32(bytes, 0, 0, bytes.length - 4), true);
  disk.put("genesis", bytes);
  const file = JSON.parse(Buffer.from(disk.bytesOf("identity")).toString().split("\n")[0]!) as object;
  const line = JSON.stringify({ ...file, genesisCrc: crc32(bytes, 0, 0, bytes.length - 4) });
  disk.put("identity", Buffer.from(`${line}\n${crc32(Buffer.from(line)).toString(16)}\n`));
}

function flipFile(disk: MemoryDisk, name: string, flip: (bytes: Uint8Array) => unknown): void {
  const bytes = disk.bytesOf(name).slice();
  const other = flip(bytes);
  disk.put(name, other instanceof Uint8Array ? other : bytes);
}

const SNAPSHOT = "snapshot-0000000000000056";
const CASES: readonly [string, string, (disk: MemoryDisk) => void, RegExp][] = [
  [
    "the identity",
    "compacted",
    (disk) => flipFile(disk, "identity", flipIdentity),
    /"identity" has format 9, this version knows 1:/,
  ],
  ["the genesis", "compacted", flipGenesis, /"genesis" has format 9, this version knows 1:/],
  [
    "a promise",
    "compacted",
    (disk) => flipFile(disk, "promise-a", flipSector),
    /promise-a has format 10, this version knows 2:/,
  ],
  [
    "the other promise",
    "compacted",
    (disk) => flipFile(disk, "promise-b", flipSector),
    /promise-b has format 10, this version knows 2:/,
  ],
  [
    "an older promise",
    "killed-promise-1",
    (disk) => flipFile(disk, "promise-b", flipSector),
    /promise-b has format 9, this version knows 2:/,
  ],
  [
    "a segment",
    "compacted",
    (disk) => flipFile(disk, "log-0000000005", flipSector),
    /log-0000000005 has format 9, this version knows 1:/,
  ],
  [
    "a record",
    "killed",
    (disk) => flipFile(disk, "log-0000000001", (bytes) => flipRecord(bytes, 1)),
    /log-0000000001 has a record of kind 9, this version knows 1 to 5:/,
  ],
  [
    "a snapshot",
    "compacted",
    (disk) => flipFile(disk, SNAPSHOT, flipSector),
    /snapshot-0000000000000056 has format 9, this version knows 1:/,
  ],
];

for (const [what, directory, flip, sentence] of CASES) {
  test(`${what} of an unknown format`, async () => {
    const disk = goldenDisk(directory);
    flip(disk);
    const before = disk.copy();
    const replica = Number(/"replica":(\d)/.exec(Buffer.from(disk.bytesOf("identity")).toString())![1]);
    const cluster = clusterOf(directory === "compacted" ? 1 : 3, (id) =>
      id === replica ? disk : new MemoryDisk(),
    );
    await assert.rejects(cluster.start(replica), sentence);
    assert.deepEqual(disk.names(), before.names());
    for (const name of disk.names()) assert.deepEqual(disk.bytesOf(name), before.bytesOf(name), name);
  });
}

test("a head of the store of an unknown format", () =>
  inScratch(async (directory) => {
    const lines = readFileSync(join(GOLDEN, "store.hex"), "utf8").split("\n");
    const facts = Buffer.from(lines[0]!.split(" ")[1]!, "hex").subarray(SEAL_BYTES);
    facts[10] = 9;
    lines[0] = `00 ${Buffer.from(sealedCopy(facts, 0, 0)).toString("hex")}`;
    await load(directory, lines.join("\n"));
    const records = await LmdbRecordStore.open(directory);
    await assert.rejects(KvMachine.open(records), {
      name: "UnknownStoreFormat",
      message: "the head of the store has format 9, this version knows 2: start a version that knows it",
    });
    await records.close();
  }));

test("a file of the store that another version of lmdb wrote: told as such, not as damage", () =>
  inScratch(async (scratch) => {
    const directory = copyGolden("killed", join(scratch, "data"));
    mkdirSync(join(directory, "store"));
    await load(join(directory, "store"), readFileSync(join(GOLDEN, "store.hex"), "utf8"));
    const path = join(directory, "store", "data.mdb");
    const bytes = readFileSync(path);
    for (const page of [0, 4096]) bytes.writeUInt32LE(3, page + 28);
    writeFileSync(path, bytes);
    const told = (await inspectDirectory(directory, true)).findings.filter(({ file }) => /store/.test(file));
    const sentence =
      "the file of the store has format 3 of lmdb, this version knows 2: start a version that knows it";
    assert.deepEqual(told, [{ file: join("store", "data.mdb"), offset: null, text: sentence }]);
    assert.deepEqual(readFileSync(path), bytes);
  }));

test("the state in a snapshot of an unknown format", async () => {
  const frame = encodeHeaderFrame(3, -1, FRESH_DIGEST);
  frame[9] = 9;
  viewOf(frame).setUint32(4, crc32(frame, 0, 8), true);
  await assert.rejects(async () => {
    for await (const _ of framesOf(inChunks(frame)));
  }, /state in the snapshot has format 9, this version knows 2:/);
});

test("a first sector of another format is told by its number, whatever follows it", () => {
  const bytes = encodeFirstSector({ isWhole: true, format: 9, slot: 3, bytes: 600, sum: 1, frames: 2 });
  assert.equal(bytes.length, SECTOR);
  assert.equal(new ByteReader(bytes, 8).u32(), 9);
  assert.equal(decodeFirstSector(bytes)?.format, 9);
});
