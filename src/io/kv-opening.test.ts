// A damaged store is set aside and an empty one opened in its place, whatever the damage does to the process, and
// wherever the power fails on the way.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { KvMachine } from "../kv/machine.js";
import { compact, put } from "../kv/requests-for-tests.js";
import { createLog } from "../wal/open-log.js";
import { encodePromise } from "../wal/promise-file.js";
import { openKv } from "./kv-opening.js";
import { NodeDisk } from "./node-disk.js";
import { checkInChild } from "./store-check.js";
import { StoreMark } from "./store-mark.js";

const RECORDS = 200;
/** Records before it are covered by a checkpoint of the index: to open the store does not read them. */
const CHECKPOINTED = 150;
const PACE = { records: 100, keys: 1_000, keysPerRecord: 0, chunkKeys: 40 };

interface Lab {
  readonly dataDir: string;
  readonly file: string;
  readonly mark: string;
  readonly faults: string[];
  open(isAlone?: boolean): Promise<KvMachine>;
  /** Names that the store, and those set aside, have. */
  stores(): Promise<string[]>;
}

/** A data directory with a store of many records, closed in good order. */
async function withLab(run: (lab: Lab) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "synod-store-"));
  const faults: string[] = [];
  const lab: Lab = {
    dataDir,
    file: join(dataDir, "store", "data.mdb"),
    mark: join(dataDir, "store", "mark"),
    faults,
    open: (isAlone = false) => openKv(dataDir, { isAlone, pace: PACE, tell: (fault) => faults.push(fault) }),
    stores: async () => (await readdir(dataDir)).filter((name) => name.startsWith("store")).sort(),
  };
  try {
    await createLog(await NodeDisk.open(dataDir));
    await fill(lab);
    await run(lab);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

async function fill(lab: Lab): Promise<void> {
  const machine = await lab.open();
  for (let i = 0; i < RECORDS; i += 1) {
    machine.apply(put(`key-${i}`, `value of ${i}`.repeat(20)));
    if (i + 1 === CHECKPOINTED) await machine.commit(i + 1, new Uint8Array(0));
  }
  await machine.commit(RECORDS, new Uint8Array(0));
  await machine.close();
}

/** `needle` ends within its record: lmdb leaves what was in memory before in the byte between two of odd lengths. */
async function flipIn(path: string, needle: string): Promise<void> {
  const bytes = await readFile(path);
  let at = bytes.indexOf(needle);
  assert.ok(at >= 0, `${needle} is in the file`);
  for (; at >= 0; at = bytes.indexOf(needle, at + 1)) bytes[at]! ^= 4;
  await writeFile(path, bytes);
}

/** Writes a promise whose log begins after `slot`. */
async function compactLog({ dataDir }: Lab, slot: number): Promise<void> {
  const bytes = encodePromise({ promised: 65_537, lowest: 1, highest: 1, sequence: 1, compactedUpTo: slot });
  for (const name of ["promise-a", "promise-b"]) await writeFile(join(dataDir, name), bytes);
}

async function assertReplaced(lab: Lab, reason: RegExp, name = "store.damaged-1"): Promise<void> {
  const machine = await lab.open();
  assert.equal(machine.held().slot, 0);
  await machine.close();
  assert.deepEqual(await lab.stores(), ["store", name]);
  assert.equal(lab.faults.length, 1);
  assert.match(lab.faults[0]!, reason);
  assert.ok(lab.faults[0]!.includes(name));
}

async function assertKept(lab: Lab): Promise<void> {
  const machine = await lab.open();
  assert.equal(machine.held().slot, RECORDS);
  await machine.close();
  assert.deepEqual(await lab.stores(), ["store"]);
  assert.deepEqual(lab.faults, []);
}

describe("opening the key-value store", () => {
  test("a good one is opened, and leaves no mark", () => withLab(assertKept));

  for (const [name, damage, reason] of [
    ["a record", (lab: Lab) => flipIn(lab.file, "value of 177value"), /revision 179\.0 is damaged/],
    ["the first page", (lab: Lab) => writeAt(lab.file, 0, Buffer.alloc(4096)), /no store at all/],
    ["both first pages", (lab: Lab) => writeAt(lab.file, 0, Buffer.alloc(8192, 9)), /no store at all/],
    ["everything after them", zeroPages, /./],
    ["the file, which is a directory now", asDirectory, /data\.mdb is no file/],
    ["the end of the file", (lab: Lab) => truncate(lab.file, 5 * 4096), /./],
  ] as const) {
    test(`damage of ${name}: set aside, and an empty store takes its place`, () =>
      withLab(async (lab) => {
        await damage(lab);
        const damaged = await readFile(lab.file).catch(() => Buffer.alloc(0));
        await assertReplaced(lab, reason);
        if (damaged.length === 0) return;
        // Kept as it was found, but for what lmdb itself may have written.
        assert.equal(
          (await readFile(join(lab.dataDir, "store.damaged-1", "data.mdb"))).length,
          damaged.length,
        );
      }));
  }

  test("a file in its place: refused with what to do, and left alone", () =>
    withLab(async (lab) => {
      const place = join(lab.dataDir, "store");
      await rm(place, { recursive: true });
      await writeFile(place, "mine");
      await assert.rejects(lab.open(), {
        name: "DataDirectoryError",
        message: /store is no directory: move it away, and start again/,
      });
      assert.equal(await readFile(place, "utf8"), "mine");
    }));

  test("a store that was condemned is not opened again", () =>
    withLab(async (lab) => {
      const machine = await lab.open();
      await machine.condemn("record of revision 5.0 is damaged");
      await machine.close();
      await assertReplaced(lab, /\(record of revision 5\.0 is damaged\)/);
      // Once: the new one is opened as it is.
      await fill(lab);
      const again = await lab.open();
      assert.equal(again.held().slot, RECORDS);
      await again.close();
      assert.equal(lab.faults.length, 1);
    }));

  test("two damaged stores are kept, the newest", () =>
    withLab(async (lab) => {
      for (let round = 1; round <= 4; round += 1) {
        const machine = await lab.open();
        await machine.condemn(`round ${round}`);
        await machine.close();
      }
      await (await lab.open()).close();
      assert.deepEqual(await lab.stores(), ["store", "store.damaged-3", "store.damaged-4"]);
    }));

  test("power that fails right after the rename: the new store is not set aside, too", () =>
    withLab(async (lab) => {
      const machine = await lab.open();
      await machine.condemn("damage");
      await machine.close();
      await rename(join(lab.dataDir, "store"), join(lab.dataDir, "store.damaged-1"));
      await fill(lab);
      const again = await lab.open();
      assert.equal(again.held().slot, RECORDS);
      await again.close();
      assert.deepEqual(await lab.stores(), ["store", "store.damaged-1"]);
    }));

  test("a directory that is new has nothing but directories in it", () =>
    withLab(async (lab) => {
      const dataDir = join(lab.dataDir, "new");
      const machine = await openKv(dataDir, { isAlone: false, tell: () => {} });
      // A data directory that holds files and no identity is refused.
      const entries = await readdir(dataDir, { withFileTypes: true });
      assert.deepEqual(
        entries.filter((entry) => !entry.isDirectory()),
        [],
      );
      await machine.close();
    }));
});

describe("a store that ends the process that opens it", () => {
  test("a mark is durable while it is opened", () =>
    withLab(async (lab) => {
      const mark = await StoreMark.read(join(lab.dataDir, "store"));
      assert.equal(mark.found, null);
      await mark.opening();
      assert.equal((await StoreMark.read(join(lab.dataDir, "store"))).found?.state, "opening");
    }));

  test("one that died while it was opened, and is good: checked, and kept", () =>
    withLab(async (lab) => {
      await (await StoreMark.read(join(lab.dataDir, "store"))).opening();
      await assertKept(lab);
    }));

  test("one that died while it was opened, and is damaged: found out by another process", () =>
    withLab(async (lab) => {
      // Where it is not read when the store is opened.
      await (await StoreMark.read(join(lab.dataDir, "store"))).opening();
      await flipIn(lab.file, "value of 12value");
      await assertReplaced(lab, /revision 14\.0 is damaged/);
    }));

  test("one that is good, and compacted since its index was checkpointed: checked, and kept", () =>
    withLab(async (lab) => {
      const machine = await lab.open();
      for (let i = 0; i < 1_200; i += 1) machine.apply(put(`more-${i}`, "1"));
      for (let i = 0; i < 1_200; i += 1) machine.apply(put(`more-${i}`, "2"));
      await machine.commit(RECORDS, new Uint8Array(0));
      for (let i = 0; i < 4; i += 1) await machine.commit(RECORDS, new Uint8Array(0));
      machine.apply(compact(RECORDS + 2_401));
      await machine.commit(RECORDS, new Uint8Array(0));
      await machine.settled();
      await machine.close();
      await (await StoreMark.read(join(lab.dataDir, "store"))).opening();
      await assertKept(lab);
    }));

  for (const text of ["", "{", "null", '{"state":"?"}', "\0\0\0\0"]) {
    test(`a mark that says ${JSON.stringify(text)} asks for a check`, () =>
      withLab(async (lab) => {
        await writeFile(lab.mark, text);
        assert.equal((await StoreMark.read(join(lab.dataDir, "store"))).found?.state, "opening");
        await assertKept(lab);
      }));
  }

  test("processes that die young one after the other: the third start has the store checked", () =>
    withLab(async (lab) => {
      const script = `
        import { openKv } from ${JSON.stringify(new URL("./kv-opening.js", import.meta.url).href)};
        await openKv(process.argv[1], { isAlone: false, tell: (fault) => console.log(fault) });
        process.kill(process.pid, "SIGKILL");`;
      for (let death = 1; death <= 2; death += 1) {
        const arguments_ = ["--input-type=module", "-e", script, lab.dataDir];
        assert.equal(spawnSync(process.execPath, arguments_).signal, "SIGKILL");
        const { found } = await StoreMark.read(join(lab.dataDir, "store"));
        assert.deepEqual(found, { state: "young", deaths: death, reason: "" });
      }
      await flipIn(lab.file, "value of 12value");
      await assertReplaced(lab, /revision 14\.0 is damaged/);
      assert.equal(existsSync(lab.mark), false);
    }));

  test("one that dies while it scrubs: the next start has the store checked", () =>
    withLab(async (lab) => {
      const script = `
        import { readFileSync } from "node:fs";
        import { openKv } from ${JSON.stringify(new URL("./kv-opening.js", import.meta.url).href)};
        const machine = await openKv(process.argv[1], { isAlone: false, tell: (fault) => console.log(fault) });
        const isSaid = () => readFileSync(process.argv[1] + "/store/scrub", "utf8") === "1";
        machine.scrub(() => {
          for (let tries = 0; process.argv[2] === "while" && tries < 100_000; tries += 1)
            if (isSaid()) process.kill(process.pid, "SIGKILL");
          return false;
        });
        await machine.close();`;
      const path = join(lab.dataDir, "store");
      for (const when of ["after", "while"]) {
        const arguments_ = ["--input-type=module", "-e", script, lab.dataDir, when];
        assert.equal(spawnSync(process.execPath, arguments_).signal, when === "while" ? "SIGKILL" : null);
        assert.equal((await StoreMark.read(path)).diedInScrub, when === "while");
      }
      await assertKept(lab);
      assert.equal((await StoreMark.read(path)).diedInScrub, false);
      await writeFile(join(path, "scrub"), "1");
      await flipIn(lab.file, "value of 12value");
      await assertReplaced(lab, /revision 14\.0 is damaged/);
    }));

  const programs: readonly (readonly [string, string | RegExp | null])[] = [
    ["process.exit(0)", null],
    ['console.log("opened"); console.log("it is so"); process.exit(3)', "it is so"],
    ['process.kill(process.pid, "SIGBUS"); setInterval(() => {}, 1000)', /ended by SIGBUS/],
    ["process.abort()", /ended by SIGABRT/],
    ["while (true) {}", /cannot be read to its end/],
  ];
  for (const [program, expected] of programs) {
    test(`the check understands: ${program}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "synod-check-"));
      const path = join(folder, "check.mjs");
      await writeFile(path, program);
      const found = await checkInChild(folder, path, 1_000);
      if (expected instanceof RegExp) assert.match(found ?? "", expected);
      else assert.equal(found, expected);
      await rm(folder, { recursive: true });
    });
  }

  test("a check that fails for another reason condemns nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "synod-check-"));
    const path = join(folder, "check.mjs");
    for (const program of [
      'throw new Error("no memory")',
      'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 9)',
      'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 9)',
      // As V8 says it, with a long trace behind it.
      'process._rawDebug("FATAL ERROR: Reached heap limit - JavaScript heap out of memory\\n" + " at\\n".repeat(2_000)); process.abort()',
    ]) {
      await writeFile(path, program);
      await assert.rejects(checkInChild(folder, path), /start again/);
    }
    await rm(folder, { recursive: true });
  });

  test("a check that goes on is not given up because this process stood still", async () => {
    const folder = await mkdtemp(join(tmpdir(), "synod-check-"));
    const path = join(folder, "check.mjs");
    await writeFile(
      path,
      'setInterval(() => console.log("opening"), 10); setTimeout(() => process.exit(0), 900)',
    );
    const checked = checkInChild(folder, path, 600);
    await new Promise(setImmediate);
    for (const until = performance.now() + 700; performance.now() < until; );
    assert.equal(await checked, null);
    await rm(folder, { recursive: true });
  });

  test("a check may use as much memory as this process", async () => {
    const folder = await mkdtemp(join(tmpdir(), "synod-check-"));
    const path = join(folder, "check.mjs");
    await writeFile(
      path,
      'import v8 from "node:v8"; console.log(v8.getHeapStatistics().heap_size_limit); process.exit(3)',
    );
    const script = `
      import { checkInChild } from ${JSON.stringify(new URL("./store-check.js", import.meta.url).href)};
      console.log(await checkInChild(".", process.argv[1]));`;
    const limitWith = (megabytes: number) => {
      const args = [`--max-old-space-size=${megabytes}`, "--input-type=module", "-e", script, path];
      return Number(spawnSync(process.execPath, args, { encoding: "utf8" }).stdout);
    };
    assert.ok(limitWith(9_000) >= 9_000 * 2 ** 20);
    assert.ok(limitWith(300) < 400 * 2 ** 20);
    await rm(folder, { recursive: true });
  });
});

describe("a member that is alone", () => {
  test("with its whole log: set aside as ever", () =>
    withLab(async (lab) => {
      await flipIn(lab.file, "value of 177value");
      const machine = await lab.open(true);
      assert.equal(machine.held().slot, 0);
      await machine.close();
      assert.deepEqual(await lab.stores(), ["store", "store.damaged-1"]);
    }));

  for (const isCondemned of [false, true]) {
    test(`with a compacted one${isCondemned ? ", the store condemned" : ""}: refused, and nothing is changed`, () =>
      withLab(async (lab) => {
        await compactLog(lab, 150);
        if (isCondemned) {
          const machine = await lab.open(true);
          await machine.condemn("record of revision 179.0 is damaged");
          await machine.close();
        } else {
          await flipIn(lab.file, "value of 177value");
        }
        const stores = await lab.stores();
        for (let start = 1; start <= 3; start += 1) {
          await assert.rejects(lab.open(true), {
            name: "DataDirectoryError",
            message:
              /revision 179\.0 is damaged.*slots 1 to 150 .*restore the whole data directory from a backup$/,
          });
          assert.deepEqual(await lab.stores(), stores);
        }
        assert.deepEqual(lab.faults, []);
      }));
  }
});

async function writeAt(path: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  await file.write(bytes, 0, bytes.length, position);
  await file.close();
}

async function asDirectory({ file }: Lab): Promise<void> {
  await rm(file);
  await mkdir(file);
}

async function zeroPages({ file }: Lab): Promise<void> {
  const { length } = await readFile(file);
  await writeAt(file, 8192, Buffer.alloc(length - 8192));
}
