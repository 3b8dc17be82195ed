// Bad sectors of a directory that is looked at offline: where they are is told, with what they mean.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { inspectDirectory } from "../../src/io/inspect/inspect-directory.js";
import { withBadSector } from "../support/bad-sector.js";
import { copyGolden } from "./golden-disk.js";
import { inScratch } from "./store.js";

test("sectors that cannot be read: each is told, with what it means, and the rest is looked at", async () => {
  const bad = async (golden: string, file: string, from: number, to: number, times?: number) =>
    inScratch(async (scratch) => {
      const directory = copyGolden(golden, join(scratch, "data"));
      const look = () => inspectDirectory(directory, true);
      const found = await withBadSector(join(directory, file), [from, to], look, times);
      const told = found.findings.map(({ file, offset, text }) => `${file} ${offset}: ${text.split(";")[0]}`);
      return { told, log: found.log };
    });
  const { log } = await bad("killed", "none", 0, 0);
  const eio = (bytes: number) => `the disk cannot read ${bytes} bytes from here on (EIO)`;
  assert.deepEqual(await bad("killed", "promise-a", 0, 512), {
    told: ["promise-a null: cannot be read", `promise-a 0: ${eio(512)}`],
    log,
  });
  assert.deepEqual((await bad("killed", "log-0000000001", 0, 512)).told, [
    "log-0000000001 0: the first sector is damaged",
    `log-0000000001 0: ${eio(512)}`,
  ]);
  const middle = await bad("killed", "log-0000000001", 512, 1536);
  assert.equal(middle.told.at(-1), `log-0000000001 512: ${eio(1024)}`);
  assert.ok(middle.told.length > 1 && middle.log !== null);
  assert.deepEqual(await bad("killed", "log-0000000001", 512, 1536, 2), { told: [], log });
  const snapshot = "snapshot-0000000000000019";
  assert.deepEqual((await bad("compacted", snapshot, 0, 512)).told, [
    `${snapshot} 0: the first sector does not fit its checksum`,
    `${snapshot} 0: ${eio(512)}`,
  ]);
  for (const file of ["identity", "genesis"]) {
    assert.deepEqual((await bad("killed", file, 0, 512)).told.slice(-1), [`${file} 0: ${eio(512)}`]);
  }
});
