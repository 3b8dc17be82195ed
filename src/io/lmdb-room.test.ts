// A new store on a full disk: refused as everything without room is, where lmdb would have ended the process.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isNoSpace } from "../base/no-space.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";

for (const name of ["lock.mdb", "room"]) {
  test(`no room for ${name}: told as that, nothing of the file is left, and the next try is as the first`, async () => {
    const directory = await mkdtemp(join(tmpdir(), "synod-room-"));
    try {
      // A file that never has room.
      await symlink("/dev/full", join(directory, name));
      await assert.rejects(LmdbRecordStore.open(directory), (error) => isNoSpace(error));
      const names = await readdir(directory);
      assert.ok(!names.includes(name) && !names.includes("data.mdb"), names.join());
      const store = await LmdbRecordStore.open(directory);
      await store.close();
      assert.deepEqual((await readdir(directory)).sort(), ["data.mdb", "lock.mdb"]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}
