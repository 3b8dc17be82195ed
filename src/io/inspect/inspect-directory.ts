// A whole data directory, looked at from outside: with its lock, so that no process uses it meanwhile, and without
// changing anything in it.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Slot } from "../../paxos/ballot.js";
import { decodeGenesis } from "../../paxos/genesis.js";
import { FENCE_NAME, readFence } from "../../replica/fence-file.js";
import { checkGenesis } from "../../replica/opening.js";
import type { Disk } from "../../wal/disk.js";
import {
  checkNew,
  DataDirectoryError,
  GENESIS_NAME,
  type IdentityFile,
  LOCK_NAME,
  readGenesis,
  readIdentity,
} from "../../wal/identity.js";
import { compactedUpToOf, IDENTITY_NAME } from "../../wal/open-log.js";
import { PROMISE_NAMES } from "../../wal/promise-file.js";
import { segmentsAmong } from "../../wal/segment-files.js";
import { lockForReading } from "../directory-lock.js";
import { NodeDisk } from "../node-disk.js";
import { assertWhole, hasState, isHalfRestored, UNFINISHED, WORKSHOP } from "../whole-directory.js";
import { inspectLog } from "./inspect-log.js";
import { inspectSnapshots } from "./inspect-snapshots.js";
import { hasStore, inspectStore } from "./inspect-store.js";
import { Inspection, type LogFacts } from "./inspection.js";
import { NotingDisk } from "./noting-disk.js";

export type { Finding, Inspection } from "./inspection.js";

/**
 * `isDeep`: every frame of a snapshot and every record of the store is read, too. Rejects with `DataDirectoryError`
 * when the directory is in use, cannot be read, or holds no data of a replica.
 */
export async function inspectDirectory(path: string, isDeep: boolean): Promise<Inspection> {
  const lock = await lockForReading(path);
  try {
    return await inspect(path, new NotingDisk(NodeDisk.forReading(path)), isDeep);
  } finally {
    await lock.release();
  }
}

async function inspect(path: string, disk: NotingDisk, isDeep: boolean): Promise<Inspection> {
  const files = await disk.list();
  const found = new Inspection();
  if (await isHalfRestored(path, disk)) {
    found.find(WORKSHOP, null, UNFINISHED);
    return found;
  }
  await refuseOther(path, files);
  if (await isBegun(path, disk, files)) {
    const text = "is not there yet: a first start was stopped before it made it; the next start begins anew";
    found.note(IDENTITY_NAME, null, text);
    found.log = NOTHING_LOGGED;
    found.state = { kind: "snapshots", slot: 0 };
    return found;
  }
  await inspectWorkshop(path, found);
  found.identity = await told(found, IDENTITY_NAME, () => readIdentity(disk));
  if (!files.includes(IDENTITY_NAME)) {
    found.find(
      IDENTITY_NAME,
      null,
      "is missing; restore it; if it is gone for good, the replica's id must be replaced",
    );
  }
  await inspectGenesis(disk, files, found.identity, found);
  found.reachesBack = await reachesBack(disk);
  await inspectFence(disk, files, found);
  const isStore = await hasStore(path);
  await inspectSnapshots(disk, found, !isStore, isDeep);
  if (isStore) await inspectStore(path, found, isDeep);
  else {
    const slot = found.snapshots.filter(({ isWhole }) => isWhole).at(-1)?.slot ?? 0;
    found.state = { kind: "snapshots", slot };
  }
  await inspectLog(disk, found, heldSlot(found));
  disk.tell(found);
  listForeign(files, found);
  return found;
}

const NOTHING_LOGGED: LogFacts = {
  promised: 0,
  segments: [],
  compactedUpTo: 0,
  chosenUpTo: 0,
  lastSlot: 0,
  closedInOrder: false,
};

/** Whether a start takes it for what a first start left that died at once. */
async function isBegun(path: string, disk: Disk, files: readonly string[]): Promise<boolean> {
  if (files.includes(IDENTITY_NAME)) return false;
  try {
    await assertWhole(path, disk);
    await checkNew(disk, files);
    return true;
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error;
    return false;
  }
}

/** Null: it cannot be told, for the store cannot be read. */
function heldSlot({ state }: Inspection): Slot | null {
  return state?.slot ?? null;
}

/** What it throws as `DataDirectoryError` is a finding. */
async function told<T>(found: Inspection, file: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error;
    found.find(file, null, error.message);
    return null;
  }
}

async function inspectGenesis(
  disk: Disk,
  files: readonly string[],
  identity: IdentityFile | null,
  found: Inspection,
): Promise<void> {
  const bytes = await told(found, GENESIS_NAME, async () => {
    const genesis = await readGenesis(disk, files, identity?.genesisCrc ?? 0);
    if (genesis !== null) checkGenesis(genesis);
    return genesis;
  });
  if (bytes !== null) found.genesis = decodeGenesis(bytes);
}

/** What of the log cannot be read is told by who inspects it. */
async function reachesBack(disk: Disk): Promise<boolean> {
  try {
    return (await compactedUpToOf(disk)) === 0;
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error;
    return false;
  }
}

async function inspectFence(disk: Disk, files: readonly string[], found: Inspection): Promise<void> {
  const fence = await readFence(disk, files);
  if (fence === null) return;
  const [what, whom] =
    fence.members.length === 0
      ? ["cannot be read, and says by being there that the state here is not that of the majority", "another"]
      : [
          `after slot ${fence.slot} the state here is not that of the majority`,
          `one of the replicas ${fence.members.join(", ")}`,
        ];
  found.find(FENCE_NAME, null, `${what}; this replica serves nobody until it has that of ${whom}`);
}

async function refuseOther(path: string, files: readonly string[]): Promise<void> {
  const isOurs = (name: string) =>
    name === IDENTITY_NAME || (PROMISE_NAMES as readonly string[]).includes(name);
  if (files.some(isOurs) || segmentsAmong(files).length > 0 || (await hasState(path))) return;
  const below: string[] = [];
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory() && (await isFile(join(path, entry.name, IDENTITY_NAME)))) below.push(entry.name);
  }
  const hint =
    below.length === 0
      ? "; give the directory of --data-dir"
      : `; there is one in ${below
          .sort()
          .map((name) => join(path, name))
          .join(", ")}`;
  throw new DataDirectoryError(
    `${path} holds no data of a replica: it has no file "${IDENTITY_NAME}"${hint}`,
  );
}

/** What is left of a restore in a directory that a member was started on, or may be. */
async function inspectWorkshop(path: string, found: Inspection): Promise<void> {
  const left = await readdir(join(path, WORKSHOP)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
  if (left === null) return;
  if (left.every((name) => (PROMISE_NAMES as readonly string[]).includes(name))) {
    const text = "left by a restore that was stopped when all it needs had its place; it may be removed";
    found.leftOver.push({ file: WORKSHOP, offset: null, text });
    return;
  }
  found.find(
    WORKSHOP,
    null,
    "a restore did not finish, and a member was started here all the same: the state of the snapshot is not in it; " +
      "restore the snapshot into an empty directory",
  );
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true;
}

const KNOWN =
  /^(identity|genesis|promise-[ab]|log-\d{10}|snapshot-\d{16}|diverged|reserve)$|\.(new|part|damaged|diverged)$/;

function listForeign(files: readonly string[], found: Inspection): void {
  for (const name of files) {
    if (KNOWN.test(name)) continue;
    const text =
      name === LOCK_NAME
        ? "left by a process that was killed; it means nothing"
        : "no file of Synod's; it is left alone";
    found.leftOver.push({ file: name, offset: null, text });
  }
}
