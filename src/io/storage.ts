// The data directory of a replica on this machine: locked, then opened, so that two processes never share one.
import { resolve } from "node:path";
import type { StateMachine } from "../machine/machine.js";
import type { Storage } from "../replica/opening.js";
import { lockDirectory } from "./directory-lock.js";
import { NodeDisk } from "./node-disk.js";

/**
 * `openMachine` is called when the lock is held, with the path of the directory, and with what tells faults to the
 * operator. Rejects as it does, or with `DataDirectoryError`.
 */
export async function openStorage<C, R, Q, A>(
  dataDir: string,
  openMachine: (
    dataDir: string,
    tell: (fault: string) => void,
  ) => StateMachine<C, R, Q, A> | Promise<StateMachine<C, R, Q, A>>,
): Promise<Storage<C, R, Q, A>> {
  const path = resolve(dataDir);
  const lock = await lockDirectory(path);
  try {
    const disk = await NodeDisk.open(path);
    const faults: string[] = [];
    const machine = await openMachine(path, (fault) => faults.push(fault));
    return { disk, machine, faults, release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
