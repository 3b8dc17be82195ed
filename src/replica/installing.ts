// Puts the state of a snapshot in the place of the own (A5). The order makes every crash harmless: the state is
// durable first, then the log forgets what led to it, for its votes there may be for other values than the chosen ones
// (F3), and only then the core is told.
import type { DurableState, StateMachine } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";
import { Sessions } from "../paxos/sessions.js";
import type { Committer } from "./committer.js";
import type { Executor } from "./executor.js";
import type { SnapshotFiles } from "./snapshot-files.js";
import { SnapshotDamaged, type SnapshotInfo } from "./snapshot-format.js";

export interface InstallingPorts<C, R, Q, A> {
  readonly files: SnapshotFiles;
  readonly machine: StateMachine<C, R, Q, A>;
  readonly durable: DurableState;
  readonly executor: Executor<C, R, Q, A>;
  readonly committer: Committer;
  readonly log: { compact(upTo: Slot): Promise<void> };
  /** Nothing else reads the state as a whole: it resolves when no snapshot is being made. */
  idle(): Promise<void>;
}

/** Resolves with whether the state was replaced: not by one that is no newer. Rejects when the replica must stop. */
export async function install<C, R, Q, A>(
  info: SnapshotInfo,
  ports: InstallingPorts<C, R, Q, A>,
): Promise<boolean> {
  const { executor, committer } = ports;
  executor.isReplacing = true;
  try {
    await committer.suspend();
    await ports.idle();
    if (info.slot <= executor.appliedUpTo) return false;
    const sessions = await restore(info, ports);
    executor.jump(info.slot, sessions);
    return true;
  } finally {
    committer.resume(executor.appliedUpTo === info.slot ? info.slot : 0);
    executor.isReplacing = false;
  }
}

async function restore<C, R, Q, A>(
  info: SnapshotInfo,
  { files, machine, durable, log }: InstallingPorts<C, R, Q, A>,
): Promise<Sessions> {
  try {
    const { meta, chunks } = await files.load(info);
    const sessions = Sessions.decode(meta);
    if (sessions === null)
      throw new Error(`the session table in the snapshot of slot ${info.slot} cannot be read`);
    await machine.restore(chunks);
    await durable.commit(info.slot, meta);
    await log.compact(info.slot);
    return sessions;
  } catch (error) {
    if (error instanceof SnapshotDamaged) await files.setAside(info);
    throw error;
  }
}
