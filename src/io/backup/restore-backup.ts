// A backup becomes the data directory of a member of a new cluster. Rule: the state of a backup is only ever met by
// members that began with the same backup, for its sum is in the cluster id; and a directory that a crash left half
// made is refused by every start (`assertWhole`), and made anew by the next restore.
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { KvMachine } from "../../kv/machine.js";
import type { ReplicaId } from "../../paxos/ballot.js";
import { clusterIdOf, defaultConfig, restoredConfig } from "../../paxos/genesis.js";
import { Sessions } from "../../paxos/sessions.js";
import { encodeMeta } from "../../replica/state-meta.js";
import { DataDirectoryError } from "../../wal/data-directory-error.js";
import { LOCK_NAME, makeRestored } from "../../wal/identity.js";
import { IDENTITY_NAME } from "../../wal/open-log.js";
import { PROMISE_NAMES } from "../../wal/promise-file.js";
import { lockDirectory } from "../directory-lock.js";
import { LmdbRecordStore } from "../lmdb-record-store.js";
import { NodeDisk } from "../node-disk.js";
import { randomHex } from "../random-hex.js";
import { isHalfRestored, STORE_NAME, WORKSHOP } from "../whole-directory.js";
import { type Backup, checkBackup, withState } from "./backup-file.js";

/** The identity first: it says that the store is of no member. The promise last: with it, all is there. */
export const PLACES = [IDENTITY_NAME, STORE_NAME, ...PROMISE_NAMES];

/** All that a restore makes. */
const MADE = [...PLACES, `${IDENTITY_NAME}.new`, WORKSHOP];

export interface RestoreOptions {
  readonly file: string;
  readonly dataDir: string;
  readonly token: string;
  readonly members: readonly { readonly id: ReplicaId; readonly address: string }[];
  readonly replica: ReplicaId;
}

/** Rejects with `BadBackup` or `DataDirectoryError`; then nothing of the backup is in the directory. */
export async function restoreBackup(
  options: RestoreOptions,
): Promise<{ readonly backup: Backup; readonly clusterId: string }> {
  const backup = await checkBackup(options.file);
  const cluster = defaultConfig(options.token, options.members);
  if (clusterIdOf(cluster) === backup.clusterId) {
    throw new DataDirectoryError(
      `the token and members given are those of cluster ${backup.clusterId}, which the snapshot is of: give the new ` +
        "cluster another token",
    );
  }
  const clusterId = clusterIdOf(restoredConfig(cluster, backup.sum));
  const path = resolve(options.dataDir);
  await refuseUsed(path);
  const lock = await lockDirectory(path);
  try {
    await refuseUsed(path);
    await clearUnfinished(path);
    await buildOrClear(join(path, WORKSHOP), backup, clusterId, options.replica);
    await place(path);
  } finally {
    await lock.release();
  }
  return { backup, clusterId };
}

async function refuseUsed(path: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    const what = code === "ENOTDIR" ? "is no directory" : `cannot be read (${code})`;
    throw new DataDirectoryError(`${path} ${what}: give a directory that is empty, or not there yet`);
  }
  const others = names.filter((name) => name !== LOCK_NAME);
  if (others.length === 0 || (await isUnfinished(path, others))) return;
  throw new DataDirectoryError(
    `${path} is not empty (it holds ${others.slice(0, 3).join(", ")}): give a directory that is, or that is not there yet`,
  );
}

/** Whether what is there is all of a restore that was killed: only that may be removed. */
async function isUnfinished(path: string, names: readonly string[]): Promise<boolean> {
  if (!(await isHalfRestored(path, NodeDisk.forReading(path)))) return false;
  const made = await readdir(join(path, WORKSHOP));
  return [...names, ...made].every((name) => MADE.includes(name));
}

/** The workshop last, and the identity after the store: to the end it is seen what was left here. */
async function clearUnfinished(path: string): Promise<void> {
  const disk = NodeDisk.forReading(path);
  for (const name of [STORE_NAME, IDENTITY_NAME, WORKSHOP]) {
    await rm(join(path, name), { recursive: true, force: true });
    await disk.syncDirectory();
  }
}

async function buildOrClear(...work: Parameters<typeof build>): Promise<void> {
  try {
    await build(...work);
  } catch (error) {
    await rm(work[0], { recursive: true, force: true });
    throw error;
  }
}

async function build(path: string, backup: Backup, clusterId: string, replica: ReplicaId): Promise<void> {
  const { slot } = backup.snapshot;
  await mkdir(path, { mode: 0o700 });
  const machine = await KvMachine.open(await LmdbRecordStore.open(join(path, STORE_NAME)));
  await withState(backup, (chunks) => machine.restore(chunks));
  // Of the sessions of the old cluster nobody is left: its replicas are not those who have their ids now.
  await machine.commit(slot, encodeMeta({ sessions: new Sessions(), noted: null }));
  await machine.close();
  await NodeDisk.forReading(join(path, STORE_NAME)).syncDirectory();
  const restored = { slot, sum: backup.sum };
  const disk = await NodeDisk.open(path);
  await makeRestored(disk, { clusterId, replica, diskId: randomHex(16), restored });
}

async function place(path: string): Promise<void> {
  const disk = NodeDisk.forReading(path);
  for (const name of PLACES) {
    await rename(join(path, WORKSHOP, name), join(path, name));
    // One after the other on the disk, too.
    await disk.syncDirectory();
  }
  await rmdir(join(path, WORKSHOP));
  await disk.syncDirectory();
}
