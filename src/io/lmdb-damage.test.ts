// Damage that lmdb itself meets while it writes: told as such where it can be, and neither a hanging close nor a
// promise that nobody waits for ends the process that is about to set the store aside. Each in a process of its own,
// for lmdb may end it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const SCRIPT = `
import { open } from "node:fs/promises";
import { LmdbRecordStore } from ${JSON.stringify(new URL("./lmdb-record-store.js", import.meta.url).href)};
import { sealedCopy } from ${JSON.stringify(new URL("../kv/record-store.js", import.meta.url).href)};
const [directory, fill] = process.argv.slice(1);
const store = await LmdbRecordStore.open(directory);
const record = (main) => ({ main, sub: 0, sealed: sealedCopy(Buffer.alloc(300, main), main, 0) });
const commit = (from, to, remove) => store.commit({
  head: Buffer.from("head"), revision: to, remove, chunks: [], keepGenerations: [],
  append: Array.from({ length: to - from + 1 }, (_, i) => record(from + i)),
});
await commit(2, 3000, []);
const file = await open(directory + "/data.mdb", "r+");
const { size } = await file.stat();
await file.write(Buffer.alloc(size - 8192, Number(fill)), 0, size - 8192, 8192);
const failed = await commit(3001, 5500, [{ main: 5, sub: 0 }, { main: 6, sub: 0 }]).catch((error) => error);
console.log(failed?.name);
try {
  console.log(store.read(100, 0)?.length);
} catch (error) {
  console.log(error.name);
}
await store.close();
console.log("closed");
await new Promise((resolve) => setTimeout(resolve, 100));
process.exit(0);
`;

for (const fill of [0, 255]) {
  test(`pages full of ${fill} under a commit: refused as damage, or the end of the process`, async () => {
    const directory = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
    const arguments_ = ["--input-type=module", "-e", SCRIPT, join(directory, "store"), String(fill)];
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, arguments_, { timeout: 20_000 });
    await rm(directory, { recursive: true });
    // A number of a page may lie beyond the file: then there is nobody left to be told, and the next start looks.
    if (fill === 255 && (signal === "SIGBUS" || signal === "SIGSEGV")) return;
    assert.deepEqual(
      [stdout.toString().trim().split("\n"), status, signal],
      [["StoreCorrupt", "StoreCorrupt", "closed"], 0, null],
      stderr.toString(),
    );
  });
}
