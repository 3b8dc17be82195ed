// The data directory of a replica on this machine: locked, looked at, then opened. Rule: two processes never share one,
// and nothing of one that is refused has changed.
import { readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isNoSpace } from "../base/no-space.js";
import type { StateMachine } from "../machine/machine.js";
import type { Storage } from "../replica/opening.js";
import { DataDirectoryError } from "../wal/data-directory-error.js";
import type { Disk } from "../wal/disk.js";
import { IDENTITY_NAME } from "../wal/open-log.js";
import { RESERVE_NAME } from "../wal/room.js";
import { lockDirectory } from "./directory-lock.js";
import { NodeDisk } from "./node-disk.js";
import { assertWhole } from "./whole-directory.js";

/**
 * `openMachine` is called when the lock is held and neither `prepare` nor `assertWhole` has refused, with the path of
 * the directory, and with what tells faults to the operator. Rejects as they do, or with `DataDirectoryError`; with
 * `isNoSpace` when it is to be tried again.
 */
export async function openStorage<C, R, Q, A>(
  dataDir: string,
  openMachine: (
    dataDir: string,
    tell: (fault: string) => void,
  ) => StateMachine<C, R, Q, A> | Promise<StateMachine<C, R, Q, A>>,
  prepare: (disk: Disk) => Promise<void>,
): Promise<Storage<C, R, Q, A>> {
  const path = resolve(dataDir);
  const lock = await lockDirectory(path);
  try {
    const disk = NodeDisk.in(path);
    await assertWhole(path, disk);
    await prepare(disk);
    const faults: string[] = [];
    const machine = await openMachine(path, (fault) => faults.push(fault));
    return { disk, machine, faults, release: () => lock.release() };
  } catch (error) {
    try {
      throw isNoSpace(error) ? await withoutRoom(path, error) : error;
    } finally {
      await lock.release();
    }
  }
}

/** The next try has the reserve, if it is there; a new directory is refused, for nobody knows of it yet. */
async function withoutRoom(path: string, error: Error): Promise<Error> {
  const names = await readdir(path);
  if (!names.includes(IDENTITY_NAME)) {
    return new DataDirectoryError(
      `there is no room for a new data directory (${error.message}): free some room on its disk, and start again`,
      { cause: error },
    );
  }
  await rm(join(path, RESERVE_NAME), { force: true });
  return error;
}
