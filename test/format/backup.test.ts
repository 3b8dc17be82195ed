// Backups: damage of any byte is noticed before anything is written, and what a crash leaves of a restored directory is
// never taken for a member's.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createReplica } from "../../src/index.js";
import { checkBackup } from "../../src/io/backup/backup-file.js";
import { PLACES, restoreBackup } from "../../src/io/backup/restore-backup.js";
import { inspectDirectory } from "../../src/io/inspect/inspect-directory.js";
import { LmdbRecordStore } from "../../src/io/lmdb-record-store.js";
import { decodeTrailer, encodeTrailer } from "../../src/kv/backup-format.js";
import { KvMachine } from "../../src/kv/machine.js";
import { RunningDigest } from "../../src/kv/running-digest.js";
import { clusterIdOf, defaultConfig, restoredConfig } from "../../src/paxos/genesis.js";
import { IDENTITY_NAME } from "../../src/wal/open-log.js";
import { PROMISE_NAMES } from "../../src/wal/promise-file.js";
import { freePorts } from "../free-port.js";
import { GOLDEN } from "./golden-disk.js";

const BACKUP = join(GOLDEN, "backup");
let scratch = "";

before(() => {
  scratch = mkdtempSync(join(tmpdir(), "synod-backup-"));
});

after(() => rmSync(scratch, { recursive: true }));

function changed(change: (bytes: Buffer) => Buffer | undefined): string {
  const bytes = readFileSync(BACKUP);
  const path = join(scratch, "changed");
  writeFileSync(path, change(bytes) ?? bytes);
  return path;
}

test("a change of any byte is noticed, and any cut", async () => {
  const { length } = readFileSync(BACKUP);
  for (let at = 0; at < length; at += 1) {
    const path = changed((bytes) => {
      bytes[at]! ^= 0x20;
      return bytes;
    });
    await assert.rejects(checkBackup(path), { code: "BAD_BACKUP" }, `byte ${at}`);
  }
  for (let to = 0; to < length; to += 3) {
    await assert.rejects(
      checkBackup(changed((bytes) => bytes.subarray(0, to))),
      { code: "BAD_BACKUP" },
      `cut at ${to}`,
    );
  }
  await assert.rejects(checkBackup(changed((bytes) => Buffer.concat([bytes, Buffer.alloc(512)]))), {
    code: "BAD_BACKUP",
  });
});

const members = [1, 2, 3].map((id) => ({ id, address: `10.0.0.${id}:2380` }));
const options = (dataDir: string, more = {}) => ({
  file: BACKUP,
  dataDir: join(scratch, dataDir),
  token: "new",
  members,
  replica: 2,
  ...more,
});

test("a restored directory has the state, its slot, and no vote", async () => {
  const { backup, clusterId } = await restoreBackup(options("good"));
  assert.equal(clusterId, clusterIdOf(restoredConfig(defaultConfig("new", members), backup.sum)));
  const found = await inspectDirectory(join(scratch, "good"), true);
  assert.deepEqual([found.findings, found.notes, found.leftOver], [[], [], []]);
  const { identity, state, log, genesis } = found;
  const { clusterId: id, replica, incarnation, restored } = identity!;
  assert.deepEqual({ id, replica, incarnation }, { id: clusterId, replica: 2, incarnation: 0 });
  assert.deepEqual(restored, { slot: 11, sum: backup.sum });
  assert.deepEqual([state?.slot, log?.compactedUpTo, log?.chosenUpTo, log?.promised], [11, 11, 11, 0]);
  assert.equal(genesis, null);
  const machine = await KvMachine.open(await LmdbRecordStore.open(join(scratch, "good", "store")));
  // The sessions of the old cluster's replicas are gone: those of the new one count their lives anew.
  assert.deepEqual([...machine.held().meta], [1, 0, 0, 0]);
  // Goes on where the state of the backup has it: the lanes of the golden head.
  assert.equal(machine.digest(), new RunningDigest({ a: 0x6e22267f, b: 0x9b4d059f }).value);
  await machine.close();
});

test("the cluster id depends on token, members and every byte of the backup", async () => {
  const { backup } = await restoreBackup(options("id"));
  const config = defaultConfig("new", members);
  const ids = new Set([
    clusterIdOf(config),
    clusterIdOf(restoredConfig(config, backup.sum)),
    clusterIdOf(
      restoredConfig(
        config,
        backup.sum.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
      ),
    ),
    clusterIdOf(restoredConfig(defaultConfig("other", members), backup.sum)),
    clusterIdOf(restoredConfig(defaultConfig("new", members.slice(1)), backup.sum)),
  ]);
  assert.equal(ids.size, 5);
});

test("nothing is written where there is something, and nothing of a bad backup", async () => {
  mkdirSync(join(scratch, "full"));
  writeFileSync(join(scratch, "full", "mine"), "");
  writeFileSync(join(scratch, "file"), "");
  mkdirSync(join(scratch, "inner"));
  symlinkSync(join(scratch, "full"), join(scratch, "link"));
  for (const [dataDir, sentence] of [
    ["full", /is not empty \(it holds mine\)/],
    ["link", /is not empty/],
    ["file", /is no directory/],
    ["file/below", /is no directory/],
  ] as const) {
    await assert.rejects(restoreBackup(options(dataDir)), sentence);
  }
  assert.deepEqual(readdirSync(join(scratch, "full")), ["mine"]);
  const file = changed((bytes) => {
    bytes[700]! ^= 1;
    return bytes;
  });
  await assert.rejects(restoreBackup(options("never", { file })), { code: "BAD_BACKUP" });
  assert.ok(!readdirSync(scratch).includes("never"));
  await restoreBackup(options("inner"));
  assert.deepEqual(readdirSync(join(scratch, "inner")).sort(), [
    "identity",
    "promise-a",
    "promise-b",
    "store",
  ]);
});

test("the token and members of the cluster that the backup is of are refused", async () => {
  const clusterId = clusterIdOf(defaultConfig("new", members));
  const file = changed((bytes) => {
    const { slot, snapshotBytes } = decodeTrailer(bytes.subarray(-544, -32))!;
    const content = Buffer.concat([
      bytes.subarray(0, -544),
      encodeTrailer({ clusterId, slot, snapshotBytes }),
    ]);
    return Buffer.concat([content, createHash("sha256").update(content).digest()]);
  });
  assert.equal((await checkBackup(file)).clusterId, clusterId);
  await assert.rejects(
    restoreBackup(options("same", { file })),
    /are those of cluster .*: give the new cluster another token/,
  );
  assert.ok(!readdirSync(scratch).includes("same"));
  await restoreBackup(options("same", { file, token: "newer" }));
});

/** Whether a replica starts on what is in `dataDir`; why not, else. */
async function startOn(dataDir: string, port: number): Promise<string> {
  const replica = createReplica({
    id: 1,
    members: { 1: `127.0.0.1:${port}` },
    token: "new",
    dataDir,
    machine: async (path) => KvMachine.open(await LmdbRecordStore.open(join(path, "store"))),
  });
  try {
    await replica.ready();
    const status = await replica.read({ kind: "status" });
    return status.kind === "status" ? `revision ${status.revision}` : status.kind;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await replica.close();
  }
}

const UNFINISHED =
  /restore into this data directory did not finish \(it holds "restoring"\): run synod snapshot/;

/** What a restore that was killed leaves when only `placed` have their places; `unmade` were not there yet. */
async function killedRestore(name: string, placed: number, unmade: string[], more: object): Promise<string> {
  await restoreBackup(options(name, more));
  const dataDir = join(scratch, name);
  mkdirSync(join(dataDir, "restoring"));
  for (const file of PLACES.slice(placed)) renameSync(join(dataDir, file), join(dataDir, "restoring", file));
  for (const file of unmade) rmSync(join(dataDir, "restoring", file), { recursive: true });
  return dataDir;
}

const DEATHS: readonly (readonly [string, number, string[]])[] = [
  ["before there is a store", 0, PLACES],
  ["with the state, before there is a log", 0, [IDENTITY_NAME, ...PROMISE_NAMES]],
  ["before there is an identity", 0, [IDENTITY_NAME]],
  ["when all is made", 0, []],
  ["when the identity has its place", 1, []],
  ["when the store has its place, too", 2, []],
];

for (const [when, placed, unmade] of DEATHS) {
  test(`a restore that is killed ${when}: refused, told, and made anew`, async () => {
    const port = await freePorts([0]);
    const own = { members: [{ id: 1, address: `127.0.0.1:${port}` }], replica: 1 };
    const dataDir = await killedRestore(`killed-${placed}-${unmade.length}`, placed, unmade, own);
    const before = readdirSync(dataDir, { recursive: true });
    assert.match(await startOn(dataDir, port), UNFINISHED);
    const { findings } = await inspectDirectory(dataDir, true);
    assert.deepEqual(
      findings.map(({ file }) => file),
      ["restoring"],
    );
    assert.match(findings[0]!.text, UNFINISHED);
    assert.deepEqual(readdirSync(dataDir, { recursive: true }), before);
    await restoreBackup({ ...options("", own), dataDir });
    assert.deepEqual(readdirSync(dataDir).sort(), [...PLACES].sort());
    assert.equal(await startOn(dataDir, port), "revision 7");
  });
}

test("a restore that is killed when one promise has its place, or all: whole", async () => {
  const port = await freePorts([0]);
  const own = { members: [{ id: 1, address: `127.0.0.1:${port}` }], replica: 1 };
  for (const placed of [3, 4]) {
    const dataDir = await killedRestore(`whole-${placed}`, placed, [], own);
    await assert.rejects(restoreBackup({ ...options("", own), dataDir }), /is not empty/);
    assert.equal(await startOn(dataDir, port), "revision 7");
    const { findings, leftOver } = await inspectDirectory(dataDir, true);
    assert.deepEqual(
      [findings, leftOver.map(({ file, text }) => `${file}: ${text}`)],
      [
        [],
        ["restoring: left by a restore that was stopped when all it needs had its place; it may be removed"],
      ],
    );
    // Without its promise it is a member that has lost its votes, not one that never had any.
    for (const name of PROMISE_NAMES) rmSync(join(dataDir, name));
    assert.match(await startOn(dataDir, port), /promise-a and promise-b missing.*must be replaced/);
    await assert.rejects(restoreBackup({ ...options("", own), dataDir }), /is not empty/);
    for (const name of readdirSync(dataDir)) if (/^(log|genesis)/.test(name)) rmSync(join(dataDir, name));
    assert.match(
      await startOn(dataDir, port),
      /must be replaced|"genesis" of this data directory is missing/,
    );
    await assert.rejects(restoreBackup({ ...options("", own), dataDir }), /is not empty/);
  }
});

test("a member that was started on half a restore, and a directory that only has the name", async () => {
  const dataDir = await killedRestore("started", 0, [], {});
  renameSync(join(dataDir, "restoring", PROMISE_NAMES[0]), join(dataDir, PROMISE_NAMES[0]));
  const { findings } = await inspectDirectory(dataDir, true);
  assert.match(findings[0]!.text, /did not finish, and a member was started here all the same/);
  await assert.rejects(restoreBackup({ ...options(""), dataDir }), /is not empty/);
  mkdirSync(join(scratch, "mine", "restoring", "photos"), { recursive: true });
  await assert.rejects(restoreBackup(options("mine")), /is not empty \(it holds restoring\)/);
  assert.deepEqual(readdirSync(join(scratch, "mine", "restoring")), ["photos"]);
});
