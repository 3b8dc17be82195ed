// `synod check` and `synod status` as an operator uses them: what they print, and with which exit status.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { lockDirectory } from "../../src/io/directory-lock.js";
import { copyGolden } from "../format/golden-disk.js";
import { PROGRAM } from "./processes.js";

let directory = "";

before(() => {
  directory = mkdtempSync(join(tmpdir(), "synod-check-"));
  copyGolden("killed", join(directory, "data"));
});

after(() => rmSync(directory, { recursive: true }));

function synod(...args: string[]): { status: number | null; out: string; error: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd: directory,
    encoding: "utf8",
  });
  return { status, out: stdout, error: stderr };
}

test("a directory without damage", () => {
  const { status, out } = synod("check", "data");
  assert.match(
    out,
    /^note: log-0000000001: the replica did not stop in good order; nothing is lost by that\nok\n$/,
  );
  assert.equal(status, 0);
});

test("a damaged one: a line for each finding, how many there are, and status 1", () => {
  copyGolden("killed", join(directory, "hurt"));
  const path = join(directory, "hurt", "promise-a");
  const bytes = readFileSync(path);
  bytes[20]! ^= 1;
  writeFileSync(path, bytes);
  assert.deepEqual(synod("check", "hurt").out.split("\n").slice(1), [
    "promise-a: cannot be read; the next start writes it again, as promise-b has it",
    "1 finding",
    "",
  ]);
  const { status, error } = synod("status", "hurt");
  assert.deepEqual([status, error], [1, "1 thing is wrong with it: synod check hurt\n"]);
});

test("the status, for people and for programs", () => {
  const { status, out } = synod("status", "data");
  assert.equal(status, 0);
  assert.match(
    out,
    /^cluster id +d665d57cfaed6ac7\nreplica +1\ndisk id +[0-9a-f]{32}\nstarts \(incarnation\) +1\n/,
  );
  assert.match(out, /\nmembers +1 \(disk .*\), 2 \(disk .*\), 3 \(disk .*\)\n/);
  assert.match(out, /\nchosen up to +slot 2\nlast slot +slot 3\nstopped in good order +no\n/);
  const json = JSON.parse(synod("status", "data", "--write-out=json").out) as Record<
    string,
    { chosenUpTo: number }
  >;
  assert.equal(json.log!.chosenUpTo, 2);
  assert.deepEqual(Object.keys(json).sort(), [
    "findings",
    "genesis",
    "identity",
    "leftOver",
    "log",
    "notes",
    "snapshots",
    "state",
  ]);
});

test("wrong usage is status 2, what cannot be looked at is status 1", async () => {
  mkdirSync(join(directory, "empty"));
  writeFileSync(join(directory, "file"), "");
  const lock = await lockDirectory(join(directory, "data"));
  const told = (...args: string[]) => {
    const { status, error } = synod(...args);
    return `${status} ${error.split("\n")[0]}`;
  };
  assert.equal(told("check"), "2 Error: it needs one argument, a data directory");
  assert.equal(told("check", "data", "hurt"), "2 Error: it takes one argument, a data directory");
  assert.match(told("check", "nowhere"), /^2 Error: nowhere: there is no such directory/);
  assert.match(told("status", "file"), /^2 Error: file is no directory/);
  assert.match(told("check", "data", "--endpoints", "x:1"), /^2 Error: unknown flag: --endpoints/);
  assert.match(told("status", "data", "-w", "table"), /^2 Error: status prints simple or json/);
  assert.match(told("check", "empty"), /^1 Error: empty holds no data of a replica/);
  assert.match(told("check", "."), /^1 Error: .*; there is one in data, hurt$/);
  assert.match(told("check", "data"), /^1 Error: data is in use by process \d+: stop that process first/);
  await lock.release();
});
