// What a failure of power may leave, as the model has it: by hand for small cases, and against the disk in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/base/random.js";
import type { Disk } from "../../src/wal/disk.js";
import { DISK_CONTRACT } from "../../src/wal/disk-contract.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { settled } from "../../src/wal/promise-file.js";
import { DiskModel, imageOf, sumOf } from "./disk-model.js";
import { durableImage } from "./durable-image.js";
import { choicesAt, choicesOf } from "./places.js";
import { type Image, killedAt, type Recording, recordingOf } from "./recording.js";
import { RecordingDisk } from "./recording-disk.js";
import { Sectors } from "./sectors.js";

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

for (const { name, run } of DISK_CONTRACT) {
  test(`the recording disk: ${name}`, () => run(async () => new RecordingDisk(recordingOf(new Map()))));
}

const write = async (disk: Disk, name: string, position: number, byte: number, length: number) => {
  const create = !(await disk.list()).includes(name);
  const file = await disk.open(name, create);
  await settled((done) => file.write(position, new Uint8Array(length).fill(byte), done));
  return file;
};

/** Every state, as text: names with the first byte of each sector, and the length of what is not whole sectors. */
function statesOf({ image, steps }: Recording): string[] {
  const sectors = new Sectors();
  const model = new DiskModel(sectors, image, 0);
  for (const step of steps) model.take(step);
  const places = model.places();
  const states = new Map<number, string>();
  for (const choice of choicesOf(places, NO_LIMIT, new Random(1))) {
    const state = model.state(places, choice);
    states.set(sumOf(state, sectors), describe(imageOf(state, sectors)));
  }
  assert.equal(states.size, new Set(states.values()).size, "states differ when their sums do");
  return [...new Set(states.values())].sort();
}

function describe(image: Image): string {
  const files = [...image].map(([name, bytes]) => {
    const first = Array.from({ length: Math.ceil(bytes.length / 512) }, (_, at) => bytes[at * 512]);
    return `${name}:${first.join("")}${bytes.length % 512 === 0 ? "" : `(${bytes.length})`}`;
  });
  return files.join(" ");
}

async function recorded(run: (disk: RecordingDisk) => Promise<void>): Promise<Recording> {
  const recording = recordingOf(new Map());
  await run(new RecordingDisk(recording));
  return recording;
}

async function synced(disk: RecordingDisk, name: string, byte: number, length: number): Promise<void> {
  const file = await write(disk, name, 0, byte, length);
  await settled((done) => file.sync(done));
  await disk.syncDirectory();
}

test("of two sectors written each is there or not; a later content may be there instead of an earlier one", async () => {
  const twice = await recorded(async (disk) => {
    await synced(disk, "f", 1, 1024);
    await write(disk, "f", 0, 2, 1024);
    await write(disk, "f", 0, 3, 512);
  });
  assert.deepEqual(statesOf(twice), ["f:11", "f:12", "f:21", "f:22", "f:31", "f:32"]);
});

test("a file that grew has any length from before to after, zeros where a sector is missing", async () => {
  const grown = await recorded(async (disk) => {
    await synced(disk, "f", 1, 512);
    await write(disk, "f", 512, 2, 600);
  });
  const states = ["f:1", "f:10", "f:100(1112)", "f:102(1112)", "f:12", "f:120(1112)", "f:122(1112)"];
  assert.deepEqual(statesOf(grown), states);
});

test("a sync covers what was written before it began, and nothing that was written while it ran", async () => {
  const recording = await recorded(async (disk) => {
    await synced(disk, "f", 1, 512);
    const file = await write(disk, "f", 0, 2, 512);
    const sync = settled((done) => file.sync(done));
    const late = write(disk, "f", 0, 3, 512);
    await sync;
    await late;
  });
  assert.deepEqual(statesOf(recording), ["f:2", "f:3"]);
});

test("a name that was made, given or removed since the last sync of the directory is there or not, by itself", async () => {
  const made = await recorded(async (disk) => {
    await synced(disk, "a", 1, 512);
    await synced(disk, "b", 2, 512);
    await disk.remove("a");
    await disk.rename("b", "c");
  });
  const states = ["a:1 b:2", "a:1 b:2 c:2", "a:1 c:2", "b:2", "b:2 c:2", "c:2"];
  assert.deepEqual(statesOf(made), states);
  const replaced = await recorded(async (disk) => {
    await synced(disk, "f", 1, 512);
    const file = await write(disk, "f.new", 0, 2, 512);
    await settled((done) => file.sync(done));
    await disk.rename("f.new", "f");
    await disk.syncDirectory();
  });
  assert.deepEqual(statesOf(replaced), ["f:2"]);
});

test("a copy of the promise may be torn within the sector that is being written; nothing else", async () => {
  for (const [name, count] of [
    ["promise-a", 3],
    ["identity", 2],
  ] as const) {
    const recording = await recorded(async (disk) => {
      await synced(disk, name, 1, 512);
      await write(disk, name, 0, 2, 512);
    });
    const model = new DiskModel(new Sectors(), recording.image, 0);
    for (const step of recording.steps) model.take(step);
    assert.deepEqual(
      model.places().map(({ outcomes }) => outcomes),
      [count],
    );
  }
});

test("after a kill all that was written can be read, and is synced by the next sync alone", async () => {
  const recording = await recorded(async (disk) => {
    await synced(disk, "f", 1, 512);
    const file = await write(disk, "f", 0, 2, 512);
    file.sync(() => {});
  });
  const killed = killedAt(recording, recording.steps.findLastIndex(({ kind }) => kind === "write") + 1);
  const disk = new RecordingDisk(killed);
  await Promise.resolve();
  assert.equal((await disk.read("f"))[0], 2);
  assert.deepEqual(statesOf(killed), ["f:1", "f:2"]);
  const file = await disk.open("f", false);
  await settled((done) => file.sync(done));
  assert.deepEqual(statesOf(killed), ["f:2"]);
});

test("what is there for sure is what the disk in memory keeps without luck", async () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = new Random(seed);
    const recording = recordingOf(new Map());
    const recorder = new RecordingDisk(recording);
    const memory = new MemoryDisk();
    for (let count = 5 + random.below(25); count > 0; count -= 1) {
      const seedOfStep = random.below(1e6);
      await anyStep(recorder, new Random(seedOfStep));
      await anyStep(memory, new Random(seedOfStep));
    }
    memory.crash();
    assert.deepEqual(durableImage(recording), await everything(memory), `seed ${seed}`);
  }
});

async function anyStep(disk: Disk, random: Random): Promise<void> {
  const names = await disk.list();
  const name = `f${random.below(3)}`;
  const kind = random.below(8);
  if (kind <= 3) {
    const file = await write(disk, name, random.below(1500), 1 + random.below(255), 1 + random.below(1500));
    if (kind <= 1) await settled((done) => file.sync(done));
  } else if (kind <= 5) {
    await disk.syncDirectory();
  } else if (names.includes(name)) {
    if (kind === 6) await disk.remove(name);
    else await disk.rename(name, `f${random.below(3)}`);
  }
}

async function everything(disk: Disk): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of await disk.list()) files.set(name, Uint8Array.from(await disk.read(name)));
  return files;
}

test("few choices are all tried, many are drawn, none twice, and nothing and everything among them", () => {
  const places = (...outcomes: number[]) =>
    outcomes.map((one, file) => ({ kind: "length", file, outcomes: one }) as const);
  assert.equal(choicesAt(places(2, 3, 4)), 24);
  const all = [...choicesOf(places(2, 3, 4), 24, new Random(1))].map((choice) => choice.join());
  assert.equal(new Set(all).size, 24);
  const many = places(...new Array<number>(20).fill(3));
  const some = [...choicesOf(many, 100, new Random(1))].map((choice) => choice.join(""));
  assert.equal(new Set(some).size, 100);
  assert.ok(some.includes("0".repeat(20)) && some.includes("2".repeat(20)));
  assert.deepEqual([...choicesOf([], 5, new Random(1))], [[]]);
});
