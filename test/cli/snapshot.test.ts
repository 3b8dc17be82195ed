// `synod snapshot` as an operator uses it: saved from a server, looked at, restored as a cluster of three, and
// members of other files kept out.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePorts } from "../free-port.js";
import { PROGRAM, type Running, start } from "./processes.js";

let directory = "";
let port = 0;
const running: Running[] = [];

const url = (offset: number): string => `http://127.0.0.1:${port + offset}`;
const CLIENTS = [0, 1, 2];

function serve(i: number, dataDir: string, ...args: string[]): Running {
  const listen = ["--listen-client-urls", url(i), "--log-format", "json"];
  const one = start(process.execPath, [
    PROGRAM,
    "serve",
    "--data-dir",
    join(directory, dataDir),
    ...listen,
    ...args,
  ]);
  running.push(one);
  return one;
}

function synod(...args: string[]): { status: number | null; out: string; error: string } {
  const env = { ...process.env, SYNOD_ENDPOINTS: url(0) };
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd: directory,
    encoding: "utf8",
    env,
    timeout: 30_000,
  });
  return { status, out: stdout, error: stderr };
}

function done(...args: string[]): string {
  const { status, out, error } = synod(...args);
  assert.equal(status, 0, `${args.join(" ")}: ${error}`);
  return out;
}

const told = (...args: string[]): string => {
  const { status, error } = synod(...args);
  return `${status} ${error.split("\n")[0]}`;
};

async function ended(one: Running, signal: NodeJS.Signals): Promise<void> {
  one.process.kill(signal);
  await one.ended;
}

/** Resolves when the log has a line like this. */
async function said({ lines }: Running, sentence: RegExp): Promise<void> {
  const end = performance.now() + 30_000;
  while (!lines.some((line) => sentence.test(line))) {
    assert.ok(performance.now() < end, `${sentence} is not in\n${lines.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "synod-snapshot-"));
  port = await freePorts([0, 1, 2, 3, 4, 5]);
  const first = serve(0, "first", "--listen-peer-urls", url(3));
  await first.line("ready");
  for (const [key, value] of [
    ["a", "1"],
    ["b", "2"],
    ["b", "3"],
    ["c", "4"],
  ] as const)
    done("put", key, value);
  done("del", "a");
  assert.equal(done("snapshot", "save", "one.snap"), "Snapshot saved at one.snap\n");
  done("put", "later", "5");
  done("snapshot", "save", "two.snap");
  await ended(first, "SIGTERM");
});

after(async () => {
  for (const one of running) await ended(one, "SIGKILL");
  rmSync(directory, { recursive: true });
});

test("what is in it, in every format", () => {
  const { size, mode } = statSync(join(directory, "one.snap"));
  assert.deepEqual([size % 512, mode & 0o777], [32, 0o600]);
  const { hash, ...facts } = JSON.parse(done("snapshot", "status", "one.snap", "-w", "json")) as Record<
    string,
    number
  >;
  assert.deepEqual(facts, { revision: 6, totalKey: 2, totalSize: size });
  const hex = hash!.toString(16);
  assert.match(done("snapshot", "status", "one.snap"), new RegExp(`^${hex}, 6, 2, 1\\.\\d kB\n$`));
  assert.match(
    done("snapshot", "status", "one.snap", "-w", "table"),
    /\|\s+HASH\s+\| REVISION \| TOTAL KEYS \| TOTAL SIZE \|/,
  );
  assert.match(
    done("snapshot", "status", "one.snap", "-w", "fields"),
    new RegExp(`^"Hash" : ${hash}\n"Revision" : 6\n`),
  );
});

test("wrong use is told, and leaves nothing behind", () => {
  mkdirSync(join(directory, "folder"));
  writeFileSync(join(directory, "cut.snap"), readFileSync(join(directory, "one.snap")).subarray(0, 1056));
  writeFileSync(join(directory, "text"), "hello");
  assert.match(told("snapshot", "save"), /^2 Error: snapshot save needs one argument/);
  assert.match(
    told("snapshot", "save", "x", "--endpoints", "a:1,b:2"),
    /^2 Error: snapshot save asks one member, not 2/,
  );
  assert.match(told("snapshot", "save", "folder"), /^1 Error: folder is a directory/);
  assert.match(
    told("snapshot", "save", "none/x"),
    /^1 Error: none\/x.part: there is no such file or directory/,
  );
  mkdirSync(join(directory, "taken.part"));
  assert.match(told("snapshot", "save", "taken"), /^1 Error: .*taken\.part/);
  assert.match(told("snapshot", "save", "y".repeat(300)), /^1 Error: ENAMETOOLONG/);
  assert.match(told("snapshot", "save", "x", "--dial-timeout", "100ms"), /^1 Error: cannot connect to/);
  assert.ok(!existsSync(join(directory, "x")) && !existsSync(join(directory, "x.part")));
  assert.match(told("snapshot", "status", "none"), /^1 Error: none: there is no such file/);
  assert.match(told("snapshot", "status", "cut.snap"), /^1 Error: cut.snap is cut short, or was changed/);
  assert.match(told("snapshot", "status", "text"), /^1 Error: text is no snapshot of Synod/);
  assert.match(told("snapshot", "status", "folder"), /^1 Error: folder is no file/);
  assert.match(
    told("snapshot", "restore", "cut.snap", "--data-dir", "new"),
    /^1 Error: cut.snap is cut short/,
  );
  assert.match(
    told("snapshot", "restore", "one.snap", "--data-dir", "first", "--initial-cluster-token", "new"),
    /^1 Error: .*first is not empty/,
  );
  const own = ["--initial-advertise-peer-urls", url(3)];
  assert.match(
    told("snapshot", "restore", "one.snap", "--data-dir", "new", ...own),
    /^1 Error: .*give the new cluster another token/,
  );
  assert.match(
    told("snapshot", "restore", "one.snap", "--name", "z", "--initial-cluster", `a=${url(3)}`),
    /^2 Error: .*names a but not "z"/,
  );
  assert.ok(!existsSync(join(directory, "new")));
});

/** Ends the process that loads it when a file is about to get the name that DIES_AT ends with. */
const DEATH = `
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
const { rename } = fs;
fs.rename = (from, to) => {
  if (to.endsWith(process.env.DIES_AT)) process.kill(process.pid, "SIGKILL");
  return rename(from, to);
};
syncBuiltinESMExports();
`;

for (const [when, name] of [
  ["while it builds", "killed/restoring/identity"],
  ["while it puts the parts in their places", "killed/store"],
] as const) {
  test(`a restore that is killed ${when}: no member starts on it, and it can be run again`, async () => {
    const flags = ["--initial-advertise-peer-urls", url(3), "--initial-cluster-token", "killed"];
    const death = join(directory, "death.mjs");
    writeFileSync(death, DEATH);
    const restore = [PROGRAM, "snapshot", "restore", "one.snap", "--data-dir", "killed", ...flags];
    const { signal } = spawnSync(process.execPath, ["--import", death, ...restore], {
      cwd: directory,
      env: { ...process.env, DIES_AT: name },
    });
    assert.equal(signal, "SIGKILL");
    const dataDir = join(directory, "killed");
    // The lock's file is only for people, and goes with the next who has the lock.
    const names = () => readdirSync(dataDir, { recursive: true }).filter((file) => file !== "lock");
    const left = names();
    const listen = [...flags, "--listen-peer-urls", url(3)];
    const refused = serve(0, "killed", ...listen);
    const isReady = refused.line("ready").catch(() => refused.ended);
    assert.equal(await Promise.race([isReady, refused.ended]), 1);
    assert.match(
      refused.lines.at(-1)!,
      /^Error: --data-dir .*killed: a restore into this data directory did not finish .*: run synod snapshot restore again/,
    );
    const { status, out } = synod("check", "killed");
    assert.equal(status, 1);
    assert.match(out, /^restoring: a restore into this data directory did not finish .*\n1 finding\n$/);
    assert.deepEqual(names(), left);
    done("snapshot", "restore", "one.snap", "--data-dir", "killed", ...flags);
    assert.equal(done("check", "killed"), "ok\n");
    const member = serve(0, "killed", ...listen);
    await member.line("ready");
    assert.equal(done("get", "b"), "b\n3\n");
    await ended(member, "SIGTERM");
    rmSync(dataDir, { recursive: true });
  });
}

test("three members restored from one file serve it on; one of another file is kept out", async () => {
  const members = CLIENTS.map((i) => `${"abc"[i]}=${url(i + 3)}`).join(",");
  const flags = (i: number) => [
    "--name",
    "abc"[i]!,
    "--initial-cluster",
    members,
    "--initial-cluster-token",
    "new",
  ];
  for (const i of CLIENTS) {
    // A copy on another machine is the same file.
    copyFileSync(join(directory, "one.snap"), join(directory, "copy.snap"));
    done("snapshot", "restore", "copy.snap", "--data-dir", `r${i}`, ...flags(i));
  }
  done("snapshot", "restore", "two.snap", "--data-dir", "other", ...flags(2));
  const first = [serve(0, "r0", ...flags(0)), serve(1, "r1", ...flags(1))];
  const other = serve(2, "other", ...flags(2));
  await said(first[0]!, /refuses replica 3 .*its cluster id is .*from the same snapshot/);
  await said(first[1]!, /refuses replica 3 /);
  assert.match(told("get", "b", "--command-timeout", "500ms"), /^1 Error: /);
  await ended(other, "SIGTERM");
  const third = serve(2, "r2", ...flags(2));
  for (const one of [...first, third]) await one.line("ready");
  assert.equal(done("get", "", "--from-key"), "b\n3\nc\n4\n");
  const { header, kvs } = JSON.parse(done("get", "b", "-w", "json")) as {
    header: { revision: number };
    kvs: { create_revision: number; mod_revision: number; version: number }[];
  };
  assert.equal(header.revision, 6);
  assert.deepEqual([kvs[0]!.create_revision, kvs[0]!.mod_revision, kvs[0]!.version], [3, 4, 2]);
  done("put", "d", "5");
  for (const one of [...first, third]) await ended(one, "SIGKILL");
  for (const i of CLIENTS) assert.match(done("check", `r${i}`), /ok\n$/);
  const again = CLIENTS.map((i) => serve(i, `r${i}`, ...flags(i)));
  for (const one of again) await one.line("ready");
  assert.equal(done("get", "d"), "d\n5\n");
});
