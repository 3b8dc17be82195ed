// What is written beside the store is advice for the next start: a disk that does not take it ends no scrub.
import assert from "node:assert/strict";
import fs from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { noSpace } from "../base/no-space.js";
import { StoreCorrupt } from "../kv/record-store.js";
import { put } from "../kv/requests-for-tests.js";
import { openKv } from "./kv-opening.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";
import { StoreMark } from "./store-mark.js";

async function inScratch(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "synod-mark-"));
  try {
    await run(dataDir);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

/** As long as `task` runs nothing can be written by `FileHandle.write`; whole files are, and lmdb's. */
async function onFullDisk<T>(task: () => T | Promise<T>): Promise<T> {
  const file = await open(process.execPath);
  await file.close();
  const prototype = Object.getPrototypeOf(file) as { write: unknown };
  const { write } = prototype;
  prototype.write = () => Promise.reject(noSpace("no space left on device, write"));
  try {
    return await task();
  } finally {
    prototype.write = write;
  }
}

/** Files under `directory` that this process has open. */
function openIn(directory: string): string[] {
  return fs
    .readdirSync("/proc/self/fd")
    .map((descriptor) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
      } catch {
        // That of the listing itself.
        return "";
      }
    })
    .filter((path) => path.startsWith(directory));
}

test("the byte that a scrub changes is there before the first one", () =>
  inScratch(async (dataDir) => {
    const machine = await openKv(dataDir, { isAlone: false, tell: assert.fail });
    const scrub = join(dataDir, "store", "scrub");
    assert.equal(await readFile(scrub, "utf8"), "0");
    machine.apply(put("key", "value"));
    await machine.commit(1, new Uint8Array(0));
    let during = "";
    machine.scrub(() => {
      // It is written while the step goes on.
      for (let tries = 0; tries < 100_000 && during !== "1"; tries += 1)
        during = fs.readFileSync(scrub, "utf8");
      return true;
    });
    assert.equal(during, "1");
    await machine.close();
    assert.equal(await readFile(scrub, "utf8"), "0");
  }));

test("a scrub goes on where the disk takes no mark", () =>
  inScratch(async (dataDir) => {
    const machine = await openKv(dataDir, { isAlone: false, tell: assert.fail });
    machine.apply(put("key", "value"));
    await machine.commit(1, new Uint8Array(0));
    const { checked, isEnd } = await onFullDisk(async () => {
      const step = machine.scrub(() => false);
      await new Promise(setImmediate);
      return step;
    });
    assert.deepEqual([checked > 0, isEnd], [true, true]);
    await machine.close();
    assert.equal((await StoreMark.read(join(dataDir, "store"))).diedInScrub, false);
  }));

test("what a scrub finds is told all the same", () =>
  inScratch(async (dataDir) => {
    const mark = await StoreMark.read(join(dataDir, "store"));
    await mark.opening();
    const store = await LmdbRecordStore.open(join(dataDir, "store"), mark);
    const read = () => {
      throw new StoreCorrupt("found");
    };
    await onFullDisk(() => assert.throws(() => store.risk(read), { name: "StoreCorrupt", message: "found" }));
    await store.close();
  }));

test("a start on a full disk is refused for what it is, and leaves no file open", () =>
  inScratch(async (dataDir) => {
    const start = () => openKv(dataDir, { isAlone: false, tell: assert.fail });
    await assert.rejects(onFullDisk(start), { code: "ENOSPC" });
    assert.deepEqual(openIn(dataDir), []);
    const machine = await start();
    assert.ok(openIn(dataDir).some((path) => path.endsWith("/scrub")));
    await machine.close();
    assert.deepEqual(openIn(dataDir), []);
  }));
