// A data directory that cannot be opened is let go of; where room is missing the next try has the reserve.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isNoSpace, noSpace } from "../base/no-space.js";
import { jsonMachine } from "../machine/json-machine.js";
import { DataDirectoryError } from "../wal/data-directory-error.js";
import { openStorage } from "./storage.js";

const counter = () =>
  jsonMachine({ initial: {}, apply: (_state, _command: object) => 0, query: (_state, _query: object) => 0 });
const full = () => {
  throw noSpace("no space left on device, write");
};

/** Finds nothing to refuse. */
const whole = async () => {};

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "synod-storage-"));
  await run(directory);
  await rm(directory, { recursive: true, force: true });
}

test("without room a new directory is refused", () =>
  withDirectory(async (directory) => {
    await assert.rejects(openStorage(directory, full, whole), {
      name: "DataDirectoryError",
      message: /there is no room for a new data directory .*free some room/,
    });
    assert.deepEqual(await readdir(directory), []);
  }));

test("without room one that is known is to be tried again, and then has the reserve", () =>
  withDirectory(async (directory) => {
    for (const name of ["identity", "reserve"]) await writeFile(join(directory, name), "");
    await assert.rejects(openStorage(directory, full, whole), isNoSpace);
    assert.deepEqual(await readdir(directory), ["identity"]);
    await (await openStorage(directory, counter, whole)).release();
  }));

test("one whose reserve cannot be given up either is let go of", () =>
  withDirectory(async (directory) => {
    await writeFile(join(directory, "identity"), "");
    await mkdir(join(directory, "reserve"));
    await assert.rejects(openStorage(directory, full, whole), { code: "ERR_FS_EISDIR" });
    await (await openStorage(directory, counter, whole)).release();
  }));

test("what is refused is refused before the machine is opened, and let go of", () =>
  withDirectory(async (directory) => {
    const refuse = () => Promise.reject(new DataDirectoryError("of another cluster"));
    const opened = () => assert.fail("it was opened");
    await assert.rejects(openStorage(directory, opened, refuse), { message: "of another cluster" });
    assert.deepEqual(await readdir(directory), []);
    await (await openStorage(directory, counter, whole)).release();
  }));

test("a directory whose lock file, or all of it, was removed meanwhile is let go of all the same", () =>
  withDirectory(async (directory) => {
    for (const gone of [join(directory, "lock"), directory]) {
      const { release } = await openStorage(directory, counter, whole);
      await rm(gone, { recursive: true });
      await release();
    }
  }));
