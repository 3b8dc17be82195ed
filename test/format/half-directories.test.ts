// A directory that is another's, or was a member's and is not whole any more: refused before anything in it is used,
// and nothing in it is changed.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { createReplica } from "../../src/index.js";
import { openKv } from "../../src/io/kv-opening.js";
import { put } from "../../src/kv/requests-for-tests.js";
import { freePorts } from "../free-port.js";
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
