// A data directory that is not this member's: refused with status 1 and one sentence, and nothing in it changed.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NEWER } from "../format/newer-format.js";
import { freePorts } from "../free-port.js";
import { PROGRAM, type Running, start } from "./processes.js";

let directory = "";
let port = 0;

function serve(offset: number, ...args: string[]): Running {
  const url = (i: number): string => `http://127.0.0.1:${port + offset + i}`;
  const urls = ["--listen-client-urls", url(0), "--listen-peer-urls", url(1)];
  return start(process.execPath, [PROGRAM, "serve", "--data-dir", join(directory, "data"), ...urls, ...args]);
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "synod-data-directory-"));
  port = await freePorts([0, 1, 2, 3]);
  const first = serve(0);
  await first.line("ready");
  first.process.kill("SIGTERM");
  assert.equal(await first.ended, 0);
});

after(() => rmSync(directory, { recursive: true }));

/** Of every file but lmdb's table of readers, which is no data. */
function fingerprint(): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "lock.mdb")
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => `${path} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`);
}

function everyByte(path: string): Map<string, string> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((each) => [each, readFileSync(each, "latin1")]));
}

async function refused(running: Running, sentence: RegExp): Promise<void> {
  assert.equal(await running.ended, 1);
  const told = running.lines.filter((line) => !line.includes('"level":"info"'));
  assert.equal(told.length, 1, told.join("\n"));
  assert.match(told[0]!, sentence);
}

test("of another cluster", async () => {
  const files = fingerprint();
  await refused(serve(0, "--initial-cluster-token", "other"), /^Error: --data-dir .*data: .*another|cluster/);
  assert.deepEqual(fingerprint(), files);
});

test("of another member", async () => {
  const files = fingerprint();
  const cluster = [`b=http://127.0.0.1:${port + 1}`, `default=http://127.0.0.1:${port + 3}`].join(",");
  await refused(serve(0, "--name", "b", "--initial-cluster", cluster), /^Error: --data-dir .*data: /);
  assert.deepEqual(fingerprint(), files);
});

test("in use by another process, and free again after it", async () => {
  const holder = serve(0);
  await holder.line("ready");
  await refused(
    serve(2),
    new RegExp(`^Error: --data-dir .*data is in use by process ${holder.pid}: stop that process, or give`),
  );
  holder.process.kill("SIGTERM");
  assert.equal(await holder.ended, 0);
  const next = serve(0);
  await next.line("ready");
  next.process.kill("SIGINT");
  assert.equal(await next.ended, 0);
});

for (const [what, leave, sentence] of NEWER) {
  test(`of a newer version, which is seen at ${what} only, after a life that was killed`, async () => {
    const newer = join(directory, "newer");
    const first = serve(0, "--data-dir", newer);
    await first.line("ready");
    const endpoint = `127.0.0.1:${port}`;
    const write = start(process.execPath, [PROGRAM, "put", "key", "value", "--endpoints", endpoint]);
    assert.equal(await write.ended, 0);
    first.process.kill("SIGKILL");
    await first.ended;
    leave(newer);
    // What the life that was killed has left; a start takes it over.
    rmSync(join(newer, "lock"));
    const files = everyByte(newer);
    for (const command of ["check", "status"]) {
      const look = start(process.execPath, [PROGRAM, command, newer]);
      assert.equal(await look.ended, 1);
      assert.deepEqual(everyByte(newer), files, command);
    }
    await refused(serve(0, "--data-dir", newer), sentence);
    assert.deepEqual(everyByte(newer), files);
    rmSync(newer, { recursive: true });
  });
}

test("of which only the store is left", async () => {
  const data = join(directory, "data");
  for (const name of readdirSync(data)) if (name !== "store") rmSync(join(data, name));
  const files = fingerprint();
  const sentence =
    /^Error: --data-dir .*data: this data directory holds store but no file "identity": restore that file; if it/;
  await refused(serve(0), sentence);
  assert.deepEqual(fingerprint(), files);
  const check = start(process.execPath, [PROGRAM, "check", data]);
  assert.equal(await check.ended, 1);
  assert.match(check.lines[0]!, /^identity: is missing; restore it; if it is gone for good/);
  assert.deepEqual(fingerprint(), files);
});
