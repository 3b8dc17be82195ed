// The contract of the port Disk over memory and node:fs, and what the disk in memory keeps through a crash.
import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { withBadSector } from "../../test/support/bad-sector.js";
import { Random } from "../base/random.js";
import { NodeDisk } from "../io/node-disk.js";
import { DISK_CONTRACT } from "./disk-contract.js";
import { MemoryDisk } from "./memory-disk.js";
import { settled } from "./promise-file.js";

const root = await mkdtemp(join(tmpdir(), "synod-disk-"));
after(() => rm(root, { recursive: true }));
let directories = 0;

for (const { name, run } of DISK_CONTRACT) {
  test(`memory: ${name}`, () => run(async () => new MemoryDisk()));
  test(`node: ${name}`, () => {
    directories += 1;
    const path = join(root, `${directories}`, "data");
    return run(() => NodeDisk.open(path));
  });
}

test("node: the directory is private, and so is every file", async () => {
  const path = join(root, "private");
  const disk = await NodeDisk.open(path);
  await (await disk.open("f", true)).close();
  assert.equal((await stat(path)).mode & 0o777, 0o700);
  assert.equal((await stat(join(path, "f"))).mode & 0o777, 0o600);
});

test("node: a file of which a sector cannot be read is not taken for one that ends before it", async () => {
  const path = join(root, "sector");
  const disk = await NodeDisk.open(path);
  await writeFile(join(path, "f"), new Uint8Array(65_536).fill(1));
  for (const sector of [0, 98, 127]) {
    const bad = [sector * 512, sector * 512 + 512] as const;
    const read = withBadSector(join(path, "f"), bad, () => disk.read("f"));
    await assert.rejects(read, { code: "EIO" }, `sector ${sector}`);
  }
  assert.equal((await disk.read("f")).length, 65_536);
});

test("memory: a crash keeps what was synced and, of the rest, only whole sectors", async () => {
  const kept = new Set<string>();
  for (let seed = 0; seed < 40; seed += 1) {
    const disk = new MemoryDisk();
    const file = await disk.open("f", true);
    await disk.syncDirectory();
    await settled((done) => file.write(0, new Uint8Array(1024).fill(1), done));
    await settled((done) => file.sync(done));
    await settled((done) => file.write(0, new Uint8Array(1024).fill(2), done));
    disk.crash(new Random(seed));
    const bytes = disk.bytesOf("f");
    assert.equal(bytes.length, 1024);
    assert.equal(new Set(bytes.subarray(0, 512)).size, 1);
    assert.equal(new Set(bytes.subarray(512)).size, 1);
    kept.add(`${bytes[0]}${bytes[512]}`);
  }
  assert.deepEqual([...kept].sort(), ["11", "12", "21", "22"]);
});

test("memory: a sector that is lost cannot be read until all of it is written again, and that is durable", async () => {
  const disk = new MemoryDisk();
  disk.put("f", new Uint8Array(1024).fill(1));
  disk.loseSectors("f", 600, 601);
  let file = await disk.open("f", false);
  const write = (position: number, length: number) =>
    settled((done) => file.write(position, new Uint8Array(length).fill(2), done));
  const staysLost = async () => {
    assert.equal((await file.read(0, 512)).length, 512);
    const codes: unknown[] = [];
    for (const read of [() => disk.read("f"), () => file.read(500, 20), () => disk.copy().read("f")]) {
      await read().catch((error: { code?: unknown }) => codes.push(error.code));
    }
    assert.deepEqual(codes, ["EIO", "EIO", "EIO"]);
  };
  await staysLost();
  await write(0, 1000);
  await staysLost();
  await write(512, 512);
  assert.equal((await file.read(0, 1024)).length, 1024);
  disk.crash();
  file = await disk.open("f", false);
  await staysLost();
  await write(512, 512);
  await settled((done) => file.sync(done));
  disk.crash();
  assert.equal((await disk.read("f"))[600], 2);
});

test("memory: a crash without chance keeps exactly what was synced, names too", async () => {
  const disk = new MemoryDisk();
  const file = await disk.open("f", true);
  await disk.syncDirectory();
  await settled((done) => file.write(0, Uint8Array.of(1), done));
  await settled((done) => file.sync(done));
  await settled((done) => file.write(0, Uint8Array.of(2, 3), done));
  await disk.open("g", true);
  await disk.rename("f", "h");
  disk.crash();
  assert.deepEqual(await disk.list(), ["f"]);
  assert.deepEqual([...disk.bytesOf("f")], [1]);
});

test("memory: after a crash without chance names are as the last sync of the directory left them", async () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const disk = new MemoryDisk();
    const random = new Random(seed);
    const name = () => "abcd"[random.below(4)]!;
    const present = new Map<string, number>();
    let durable = new Map(present);
    for (let i = 1; i <= 30; i += 1) {
      const [from, to] = [name(), name()];
      const step = random.below(6);
      if (step === 0) {
        disk.put(to, Uint8Array.of(i));
        present.set(to, i);
        durable.set(to, i);
      } else if (step === 1 && !present.has(to)) {
        const file = await disk.open(to, true);
        await settled((done) => file.write(0, Uint8Array.of(i), done));
        await settled((done) => file.sync(done));
        present.set(to, i);
      } else if (step === 2 && present.has(from) && from !== to) {
        await disk.rename(from, to);
        present.set(to, present.get(from)!);
        present.delete(from);
      } else if (step === 3 && present.has(from)) {
        await disk.remove(from);
        present.delete(from);
      } else if (step === 4) {
        await disk.syncDirectory();
        durable = new Map(present);
      } else if (step === 5 && random.below(3) === 0) {
        disk.crash();
        present.clear();
        for (const [one, content] of durable) present.set(one, content);
      }
      assert.deepEqual(disk.names(), [...present.keys()].sort());
      for (const [one, content] of present) assert.deepEqual(await disk.read(one), Uint8Array.of(content));
    }
  }
});

test("memory: after a kill all that was written is there, and nothing is reported any more", async () => {
  const disk = new MemoryDisk();
  const file = await disk.open("f", true);
  let reported = false;
  file.write(0, Uint8Array.of(5), () => {
    reported = true;
  });
  disk.kill();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reported, false);
  assert.deepEqual([...disk.bytesOf("f")], [5]);
});

test("memory: a sync after a kill covers what the killed process had under way", async () => {
  const disk = new MemoryDisk();
  const file = await disk.open("f", true);
  await disk.syncDirectory();
  file.write(0, Uint8Array.of(1), () => undefined);
  file.sync(() => undefined);
  disk.kill();
  const again = await disk.open("f", false);
  // Another sector: to write the same one again would make it dirty again.
  await settled((done) => again.write(512, Uint8Array.of(2), done));
  await settled((done) => again.sync(done));
  disk.crash();
  const bytes = disk.bytesOf("f");
  assert.deepEqual([bytes[0], bytes[512]], [1, 2]);
});

test("memory: data of a failed sync is not durable after a later good one, unless it is written again", async () => {
  for (const again of [false, true]) {
    let broken = false;
    const disk = new MemoryDisk({
      fault: (kind) => (broken && kind === "sync" ? new Error("no sync") : null),
    });
    const file = await disk.open("f", true);
    await disk.syncDirectory();
    await settled((done) => file.write(0, Uint8Array.of(1), done));
    await settled((done) => file.sync(done));
    broken = true;
    await settled((done) => file.write(0, Uint8Array.of(2), done));
    await assert.rejects(
      settled((done) => file.sync(done)),
      /no sync/,
    );
    broken = false;
    assert.deepEqual([...(await file.read(0, 1))], [2]);
    if (again) await settled((done) => file.write(0, Uint8Array.of(2), done));
    await settled((done) => file.sync(done));
    disk.crash();
    assert.deepEqual([...disk.bytesOf("f")], [again ? 2 : 1]);
  }
});

test("memory: what is written while a sync is under way is not covered by it", async () => {
  const tasks: (() => void)[] = [];
  const disk = new MemoryDisk({ schedule: (_, __, task) => tasks.push(task) });
  const file = await disk.open("f", true);
  await disk.syncDirectory();
  file.write(0, Uint8Array.of(1), () => undefined);
  file.sync(() => undefined);
  file.write(0, Uint8Array.of(2), () => undefined);
  for (const task of tasks) task();
  disk.crash();
  assert.deepEqual([...disk.bytesOf("f")], [1]);
});

test("memory: an image of a crash is what the crash then leaves, and changes nothing", async () => {
  let torn = 0;
  for (let seed = 0; seed < 100; seed += 1) {
    const disk = new MemoryDisk();
    const random = new Random(seed);
    const content = () => new Uint8Array(1 + random.below(3000)).fill(1 + random.below(255));
    for (const name of ["a", "b", "c"]) {
      const file = await disk.open(name, true);
      for (let i = 0; i < 3; i += 1) {
        await settled((done) => file.write(random.below(2000), content(), done));
        if (random.below(3) === 0) await settled((done) => file.sync(done));
        if (random.below(3) === 0) await disk.syncDirectory();
      }
    }
    await disk.rename("a", "b");
    const read = async (of: MemoryDisk) => {
      const files: [string, string][] = [];
      for (const name of of.names()) files.push([name, Buffer.from(await of.read(name)).toString("hex")]);
      return files;
    };
    const before = await read(disk);
    const { disk: image, lost } = disk.crashImage(new Random(seed));
    const found = await read(image);
    for (const name of image.names()) image.bytesOf(name).fill(255);
    assert.deepEqual(await read(disk), before);
    assert.equal(disk.crash(new Random(seed)), lost);
    assert.deepEqual(await read(disk), found);
    if (lost > 0) torn += 1;
  }
  assert.ok(torn > 50, `${torn} of 100 images have lost something`);
});
