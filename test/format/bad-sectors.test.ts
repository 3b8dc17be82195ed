// Bad sectors of a directory that is looked at offline: where they are is told, with what they mean.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkBackup } from "../../src/io/backup/backup-file.js";
import { inspectDirectory } from "../../src/io/inspect/inspect-directory.js";
import { withBadSector } from "../support/bad-sector.js";
import { copyGolden, GOLDEN } from "./golden-disk.js";
import { inScratch, writeStore } from "./store.js";

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

test("of the store: its file, its mark and that of its scrub", () =>
  inScratch(async (scratch) => {
    const directory = copyGolden("killed", join(scratch, "data"));
    await writeStore(join(directory, "store"));
    const place = (name: string) => join(directory, "store", name);
    writeFileSync(place("mark"), '{"state":"young","deaths":1,"reason":""}');
    writeFileSync(place("scrub"), "1");
    const look = () => inspectDirectory(directory, true);
    const good = await look();
    const bad = async (name: string, from: number, to: number, times?: number) => {
      const { findings, notes, state } = await withBadSector(place(name), [from, to], look, times);
      const told = findings
        .filter(({ file }) => file.startsWith("store"))
        .map(({ file, text }) => `${file} ${text}`);
      return { told, notes: notes.length, state };
    };
    const whole = { told: [], notes: good.notes.length, state: good.state };
    const eio = "the disk cannot read";
    const sure = "look at the disk";
    for (const name of ["mark", "scrub"]) {
      assert.deepEqual(await bad(name, 0, 1), {
        told: [
          `${join("store", name)} ${eio} it (EIO); the next start looks at the store first, and makes it anew; ${sure}`,
        ],
        notes: whole.notes - 1,
        state: good.state,
      });
      assert.deepEqual(await bad(name, 0, 1, 2), whole);
    }
    for (const from of [0, 8192]) {
      const { told, state } = await bad("data.mdb", from, from + 512);
      assert.deepEqual(told, [
        `${join("store", "data.mdb")} ${eio} all of it (EIO); the next start, or the scrub, sets the store aside and ` +
          `rebuilds it: ${good.sourceOfState}; ${sure}`,
      ]);
      assert.equal(state, null);
    }
    assert.deepEqual(await bad("data.mdb", 0, 512, 2), whole);
    // It can be read: then it is the copy that cannot be made.
    const copying = withBadSector(place("data.mdb"), [0, 0], look);
    await assert.rejects(copying, { name: "DataDirectoryError", message: /set TMPDIR to a directory/ });
  }));

test("of a backup: refused, by a sentence that names the file", async () => {
  const path = join(GOLDEN, "backup");
  const { bytes } = await checkBackup(path);
  for (const at of [0, 512, bytes - 1]) {
    await assert.rejects(
      withBadSector(path, [at, at + 1], () => checkBackup(path)),
      {
        code: "BAD_BACKUP",
        message: new RegExp(`^${path} is damaged, and is not used: the disk cannot read all of it`),
      },
    );
  }
});
