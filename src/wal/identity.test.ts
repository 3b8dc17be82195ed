// The identity of a data directory: durable before use, refused when it is not ours, and safe to die in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { text, vote, WalLife } from "../../test/support/wal-life.js";
import { crc32 } from "../base/crc32.js";
import { Random } from "../base/random.js";
import { DataDirectory, DataDirectoryError } from "./identity.js";
import { MemoryDisk } from "./memory-disk.js";

const diskId = "0123456789abcdef0123456789abcdef";
const options = { clusterId: "00000000000000aa", replica: 2, randomHex: () => diskId };

async function refuses(disk: MemoryDisk, words: RegExp, given = options): Promise<void> {
  const before = new Map<string, string>();
  for (const name of await disk.list()) before.set(name, disk.bytesOf(name).join());
  const { writes } = disk;
  for (const step of ["prepare", "open"] as const) {
    await assert.rejects(DataDirectory[step](disk, given), (error: Error) => {
      assert.ok(error instanceof DataDirectoryError);
      assert.match(error.message, words);
      return true;
    });
  }
  assert.equal(disk.writes, writes);
  assert.deepEqual(await disk.list(), [...before.keys()]);
  for (const [name, content] of before) assert.equal(disk.bytesOf(name).join(), content);
}

test("a new directory gets an identity, every start raises the incarnation, durably", async () => {
  const disk = new MemoryDisk();
  for (let incarnation = 1; incarnation <= 3; incarnation += 1) {
    const { identity, genesis } = await DataDirectory.open(disk, options);
    assert.deepEqual(identity, { format: 1, clusterId: options.clusterId, replica: 2, diskId, incarnation });
    assert.equal(genesis, null);
    disk.crash();
  }
});

test("the genesis is durable once saved, and there is only one", async () => {
  const disk = new MemoryDisk();
  const directory = await DataDirectory.open(disk, options);
  await directory.saveGenesis(text("genesis"));
  disk.crash();
  const again = await DataDirectory.open(disk, options);
  assert.deepEqual(again.genesis, text("genesis"));
  await again.saveGenesis(text("genesis"));
  await assert.rejects(again.saveGenesis(text("another")), DataDirectoryError);
});

test("what of both files has rotted, or is gone, is written again from what is known, and nothing else", async () => {
  const disk = new MemoryDisk();
  const directory = await DataDirectory.open(disk, options);
  const [good] = [disk.bytesOf("identity").slice()];
  // While the cluster forms more may be on the disk than is known.
  disk.put("identity", text("rotten"));
  assert.deepEqual(await directory.repair(), []);
  disk.put("identity", good);
  await directory.saveGenesis(text("genesis"));
  const files = new Map(["genesis", "identity"].map((name) => [name, disk.bytesOf(name).slice()]));
  const { writes } = disk;
  assert.deepEqual(await directory.repair(), []);
  assert.equal(disk.writes, writes);
  for (const [name, bytes] of files) {
    for (const spoil of ["rot", "loss", "bad sector"] as const) {
      if (spoil === "rot")
        disk.put(
          name,
          bytes.map((byte, i) => (i === 3 ? byte ^ 1 : byte)),
        );
      if (spoil === "loss") await disk.remove(name);
      if (spoil === "bad sector") disk.loseSectors(name, 0, 1);
      assert.deepEqual(await directory.repair(), [name]);
      disk.crash();
      assert.deepEqual(disk.bytesOf(name), bytes);
    }
  }
  assert.deepEqual((await DataDirectory.open(disk, options)).genesis, text("genesis"));
});

test("a directory of another cluster, another replica or a newer format is refused, unchanged", async () => {
  const disk = new MemoryDisk();
  await DataDirectory.open(disk, options);
  await refuses(disk, /belongs to cluster 00000000000000aa/, { ...options, clusterId: "00000000000000bb" });
  await refuses(disk, /belongs to replica 2, not to replica 3/, { ...options, replica: 3 });
  const line = text('{"format":2}');
  disk.put("identity", text(`{"format":2}\n${crc32(line).toString(16)}\n`));
  await refuses(disk, /format 2/);
});

test("missing or damaged files are refused, never taken for a first start", async () => {
  const disk = new MemoryDisk();
  const directory = await DataDirectory.open(disk, options);
  await directory.saveGenesis(text("genesis"));
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 1, "a")], 1);

  const noIdentity = disk.copy();
  await noIdentity.remove("identity");
  await refuses(noIdentity, /no file "identity"/);
  const noGenesis = disk.copy();
  await noGenesis.remove("genesis");
  await refuses(noGenesis, /"genesis" of this data directory is missing/);
  for (const name of ["identity", "genesis"]) {
    const damaged = disk.copy();
    damaged.bytesOf(name)[3]! ^= 1;
    await refuses(damaged, new RegExp(`"${name}" of this data directory is damaged`));
  }
  const noPromise = disk.copy();
  for (const name of ["promise-a", "promise-b"]) await noPromise.remove(name);
  await refuses(noPromise, /promise-a and promise-b missing.*id must be replaced/);
  await assert.rejects(WalLife.open(noPromise), DataDirectoryError);
  const noSegment = disk.copy();
  await noSegment.remove("log-0000000001");
  await refuses(noSegment, /log-0000000001 is missing.*id must be replaced/);
  await assert.rejects(WalLife.open(noSegment), DataDirectoryError);
  const foreign = new MemoryDisk();
  foreign.put("photo.jpg", text("x"));
  await refuses(foreign, /holds photo.jpg but no file "identity"/);
});

test("one that is whole is not changed by what prepares it, and a new one has a log then and no owner", async () => {
  const disk = new MemoryDisk();
  await DataDirectory.prepare(disk, options);
  assert.deepEqual(await disk.list(), ["promise-a", "promise-b"]);
  disk.crash();
  assert.deepEqual(await disk.list(), ["promise-a", "promise-b"]);
  // Whoever got its flags wrong may correct them as long as there is no identity.
  const other = { ...options, clusterId: "00000000000000bb" };
  await DataDirectory.prepare(disk, other);
  await DataDirectory.open(disk, other);
  const { writes } = disk;
  await DataDirectory.prepare(disk, other);
  assert.equal(disk.writes, writes);
});

test("a first start may die anywhere, and the next one is still a first start or has the whole identity", async () => {
  for (let dieAt = 1; dieAt < 60; dieAt += 1) {
    let operations = 0;
    let over = false;
    const disk: MemoryDisk = new MemoryDisk({
      schedule: (_, __, task) => {
        operations += 1;
        if (over || operations < dieAt) queueMicrotask(task);
      },
    });
    const first = DataDirectory.prepare(disk, options)
      .then(() => DataDirectory.open(disk, options))
      .then((directory) => directory.saveGenesis(text("genesis")));
    await Promise.race([first, new Promise((resolve) => setImmediate(resolve))]);
    const died = operations >= dieAt;
    over = true;
    disk.crash(new Random(dieAt));
    const { identity, genesis } = await DataDirectory.open(disk.copy(), options);
    assert.ok(identity.incarnation <= 3);
    if (!died) assert.deepEqual(genesis, text("genesis"));
  }
});
