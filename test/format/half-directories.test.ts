// A directory that is another's, or was a member's and is not whole any more: refused before anything in it is used,
// and nothing in it is changed.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { createReplica } from "../../src/index.js";
import { inspectDirectory } from "../../src/io/inspect/inspect-directory.js";
import { openKv } from "../../src/io/kv-opening.js";
import { LmdbRecordStore } from "../../src/io/lmdb-record-store.js";
import { NodeDisk } from "../../src/io/node-disk.js";
import { KvMachine } from "../../src/kv/machine.js";
import { put } from "../../src/kv/requests-for-tests.js";
import { makeRestored } from "../../src/wal/identity.js";
import { decodePromise, encodePromise } from "../../src/wal/promise-file.js";
import { freePorts } from "../free-port.js";
import { NEWER } from "./newer-format.js";
import { inScratch } from "./store.js";

let port = 0;

before(async () => {
  port = await freePorts([0, 1, 2]);
});

interface Flags {
  readonly id?: number;
  readonly token?: string;
  readonly members?: number;
}

function replicaOn(dataDir: string, { id = 1, token = "own", members = 1 }: Flags = {}) {
  const addresses = Array.from({ length: members }, (_, i) => [i + 1, `127.0.0.1:${port + i}`]);
  return createReplica({
    id,
    token,
    members: Object.fromEntries(addresses) as Record<number, string>,
    dataDir,
    machine: (path, tell) => openKv(path, { isAlone: members === 1, tell }),
  });
}

/** The directory of a member that has executed a command, stopped in good order. */
async function makeMember(dataDir: string): Promise<void> {
  const replica = replicaOn(dataDir);
  await replica.ready();
  await replica.propose(put("key", "value"));
  await replica.close();
}

/** Why it does not start; fails if it does. */
async function refusal(dataDir: string, flags?: Flags): Promise<string> {
  const replica = replicaOn(dataDir, flags);
  try {
    await replica.started();
  } catch (error) {
    assert.equal((error as Error).name, "DataDirectoryError");
    return (error as Error).message;
  } finally {
    await replica.close();
  }
  return assert.fail("it started");
}

/** Of everything but lmdb's table of readers, which is no data. */
function fingerprint(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(({ name }) => name !== "lock.mdb")
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return entry.isFile()
        ? `${path} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`
        : path;
    })
    .sort();
}

const STORES: readonly (readonly [string, (dataDir: string) => void])[] = [
  [
    "a condemned store",
    (dataDir) =>
      writeFileSync(join(dataDir, "store", "mark"), '{"state":"condemned","deaths":0,"reason":"a test"}\n'),
  ],
  ["a damaged store", (dataDir) => writeFileSync(join(dataDir, "store", "data.mdb"), "nonsense")],
  [
    "a reserve of another size",
    (dataDir) => writeFileSync(join(dataDir, "reserve"), "as another version made it"),
  ],
];

for (const [what, harm] of STORES) {
  test(`a member that is not the directory's leaves ${what} as it is, and is told whose it is`, () =>
    inScratch(async (scratch) => {
      const dataDir = join(scratch, "data");
      await makeMember(dataDir);
      harm(dataDir);
      const files = fingerprint(dataDir);
      assert.match(
        await refusal(dataDir, { token: "other" }),
        /belongs to cluster .*: correct them, or start/,
      );
      assert.match(await refusal(dataDir, { members: 3 }), /belongs to cluster .*: correct them, or start/);
      assert.deepEqual(fingerprint(dataDir), files);
    }));
}

for (const [newer, leave, sentence] of NEWER) {
  for (const [what, harm] of STORES) {
    test(`${newer} of a newer version: ${what} beside it stays as it is`, () =>
      inScratch(async (scratch) => {
        const dataDir = join(scratch, "data");
        await makeMember(dataDir);
        harm(dataDir);
        leave(dataDir);
        const files = fingerprint(dataDir);
        assert.match(await refusal(dataDir), sentence);
        assert.deepEqual(fingerprint(dataDir), files);
      }));
  }
}

const ANONYMOUS = (what: string) =>
  `this data directory holds ${what} but no file "identity": restore that file; if it is gone for good, the replica's ` +
  "id must be replaced; a new cluster starts with empty directories";

/** Removes all but `kept`, as who wants to begin anew may do. */
function reset(dataDir: string, ...kept: string[]): void {
  for (const name of readdirSync(dataDir)) {
    if (!kept.includes(name)) rmSync(join(dataDir, name), { recursive: true });
  }
}

test("only the store is left of a member: refused, as it is, and told by who looks at it", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    await makeMember(dataDir);
    reset(dataDir, "store");
    const files = fingerprint(dataDir);
    // As a member of three, too: three of them would begin a cluster with three states.
    for (const members of [1, 3]) assert.equal(await refusal(dataDir, { members }), ANONYMOUS("store"));
    const { findings } = await inspectDirectory(dataDir, true);
    assert.deepEqual(
      findings.map(({ file }) => file),
      ["identity", "log"],
    );
    assert.deepEqual(fingerprint(dataDir), files);
  }));

test("only the store is left of a member in whose directory a restore was stopped: not taken for half a restore", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    await makeMember(dataDir);
    reset(dataDir, "store");
    mkdirSync(join(dataDir, "restoring"));
    assert.equal(await refusal(dataDir), ANONYMOUS("store"));
  }));

test("only a store that was set aside is left of a member: refused", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    await makeMember(dataDir);
    renameSync(join(dataDir, "store"), join(dataDir, "store.damaged-1"));
    reset(dataDir, "store.damaged-1");
    assert.equal(await refusal(dataDir), ANONYMOUS("store.damaged-1"));
  }));

test("a restored directory without its identity is not a new one", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    const restored = { slot: 9, sum: "0123456789abcdef".repeat(4) };
    const whose = { clusterId: "00000000deadbeef", replica: 1, diskId: "fedcba9876543210".repeat(2) };
    await makeRestored(await NodeDisk.open(dataDir), { ...whose, restored });
    rmSync(join(dataDir, "identity"));
    assert.equal(await refusal(dataDir), ANONYMOUS("promise-a, promise-b"));
  }));

test("a state that a machine of one's own keeps is refused without an identity, wherever it is", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    const start = () =>
      createReplica({
        id: 1,
        members: { 1: `127.0.0.1:${port}` },
        dataDir,
        machine: async (path) => KvMachine.open(await LmdbRecordStore.open(join(path, "state"))),
      });
    const first = start();
    await first.ready();
    await first.propose(put("key", "value"));
    await first.close();
    reset(dataDir, "state");
    const again = start();
    await assert.rejects(again.started(), {
      message: /holds the state after slot \d+ but no file "identity"/,
    });
    await again.close();
    assert.deepEqual(readdirSync(dataDir).sort(), ["promise-a", "promise-b", "state"]);
  }));

/** An offline look says that nothing is lost. */
async function assertBegun(dataDir: string): Promise<void> {
  const { findings, notes } = await inspectDirectory(dataDir, true);
  assert.deepEqual(findings, []);
  assert.match(
    notes.map(({ file, text }) => `${file}: ${text}`).join(),
    /^identity: .* first start was stopped/,
  );
}

test("a first start that died as it made its promise is begun, for who looks at it too", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, "promise-a"), "");
    await assertBegun(dataDir);
    await makeMember(dataDir);
  }));

test("a member that is alone, its log cut and its store gone or older: refused, and nothing is changed", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    await makeMember(dataDir);
    // As a log whose first slots the state had.
    for (const name of ["promise-a", "promise-b"]) {
      const known = decodePromise(readFileSync(join(dataDir, name)), name)!;
      writeFileSync(join(dataDir, name), encodePromise({ ...known, compactedUpTo: 1 }));
    }
    renameSync(join(dataDir, "store"), join(scratch, "store"));
    for (const how of ["no store", "an empty file", "an older store"]) {
      if (how === "an empty file") {
        mkdirSync(join(dataDir, "store"));
        writeFileSync(join(dataDir, "store", "data.mdb"), "");
      } else if (how === "an older store") {
        rmSync(join(dataDir, "store"), { recursive: true });
        await (await openKv(dataDir.replace("data", "older"), { isAlone: false, tell: () => {} })).close();
        renameSync(join(scratch, "older", "store"), join(dataDir, "store"));
      }
      // That a store that is there was opened, its second file says.
      const found = () => fingerprint(dataDir).filter((line) => !line.includes("scrub"));
      const before = found();
      assert.match(
        await refusal(dataDir),
        /slots? 1 to 1 .* restore the whole data directory from a backup$/,
      );
      assert.deepEqual(found(), before, how);
    }
    rmSync(join(dataDir, "store"), { recursive: true });
    renameSync(join(scratch, "store"), join(dataDir, "store"));
    const again = replicaOn(dataDir);
    await again.ready();
    await again.close();
  }));

test("a first start that dies before it has an identity is begun again, with other flags if need be", () =>
  inScratch(async (scratch) => {
    for (const flags of [{}, { token: "other" }]) {
      const dataDir = join(scratch, `data-${flags.token ?? "own"}`);
      const first = createReplica({
        id: 1,
        members: { 1: `127.0.0.1:${port}` },
        token: "own",
        dataDir,
        machine: async (path) => {
          const machine = await openKv(path, { isAlone: true, tell: () => {} });
          await machine.close();
          throw new Error("it dies right here");
        },
      });
      await assert.rejects(first.started(), /dies right here/);
      await first.close();
      assert.deepEqual(readdirSync(dataDir).sort(), ["promise-a", "promise-b", "store"]);
      await assertBegun(dataDir);
      const again = replicaOn(dataDir, flags);
      await again.ready();
      await again.close();
    }
  }));

test("what is none of ours does not keep a new member from its directory", () =>
  inScratch(async (scratch) => {
    const dataDir = join(scratch, "data");
    // As a file system has it, and as a volume for the store alone is mounted.
    for (const name of ["lost+found", "store"]) mkdirSync(join(dataDir, name), { recursive: true });
    await makeMember(dataDir);
  }));
