// Puts the state of a snapshot in the place of the own (A5). The order makes every crash harmless: the state is
// durable first, then the log forgets what led to it, for its votes there may be for other values than the chosen ones
// (F3), and only then the core is told.
import { isNoSpace } from "../base/no-space.js";
import type { DurableState, StateMachine } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";
import type { Room } from "../wal/room.js";
import type { Committer } from "./committer.js";
import type { Executor } from "./executor.js";
import type { SnapshotFiles } from "./snapshot-files.js";
import { damaged, SnapshotDamaged, type SnapshotInfo } from "./snapshot-format.js";
import { decodeMeta, type StateMeta } from "./state-meta.js";

export interface InstallingPorts<C, R, Q, A> {
  readonly files: SnapshotFiles;
  readonly machine: StateMachine<C, R, Q, A>;
  readonly durable: DurableState;
  readonly executor: Executor<C, R, Q, A>;
  readonly committer: Committer;
  readonly log: { compact(upTo: Slot): Promise<void> };
  readonly room: Pick<Room, "allocate">;
  /** Nothing else reads the state as a whole: it resolves when no snapshot is being made. */
  idle(): Promise<void>;
}

/**
 * Resolves with whether the state was replaced: not by one that is no newer, unless the own one is fenced, which it is
 * no more then. Rejects when the replica must stop.
 */
export async function install<C, R, Q, A>(
  info: SnapshotInfo,
  ports: InstallingPorts<C, R, Q, A>,
): Promise<boolean> {
  const { executor, committer } = ports;
  const { isFenced } = executor;
  executor.isReplacing = true;
  // The machine has another state than the executor knows of: there is no way back.
  let isHalfDone = false;
  let isReplaced = false;
  try {
    await committer.suspend();
    await ports.idle();
    // A snapshot that was fetched before the fence need not be better than what is fenced.
    if (executor.isFenced !== isFenced) return false;
    if (info.slot < executor.appliedUpTo || (info.slot === executor.appliedUpTo && !isFenced)) return false;
    const meta = await restore(info, ports, () => {
      isHalfDone = true;
    });
    executor.jump(info.slot, meta);
    isHalfDone = false;
    isReplaced = true;
    if (isFenced) executor.isFenced = false;
    return true;
  } finally {
    if (!isHalfDone) {
      // The own state at its slot need not be held yet (A5).
      if (!executor.isFenced) committer.resume(isReplaced ? info.slot : 0);
      executor.isReplacing = false;
    }
  }
}

async function restore<C, R, Q, A>(
  info: SnapshotInfo,
  { files, machine, durable, log, room }: InstallingPorts<C, R, Q, A>,
  onReplaced: () => void,
): Promise<StateMeta> {
  const { meta, decoded, chunks } = await loaded(info, files);
  try {
    await machine.restore(chunks);
  } catch (error) {
    // Without room nothing has changed; else nobody knows which state the machine has.
    if (!isNoSpace(error)) onReplaced();
    if (!(error instanceof SnapshotDamaged)) throw error;
    await files.setAside(info);
    throw new Error(`the state was half replaced: ${error.message}; start the replica again`, {
      cause: error,
    });
  }
  onReplaced();
  await room.allocate("the state", () => durable.commit(info.slot, meta));
  await log.compact(info.slot);
  return decoded;
}

interface Loaded {
  readonly meta: Uint8Array;
  readonly decoded: StateMeta;
  readonly chunks: AsyncIterable<Uint8Array>;
}

async function loaded(info: SnapshotInfo, files: SnapshotFiles): Promise<Loaded> {
  try {
    // First of all: a machine may use what it is given before it comes to the damage.
    if (!files.isChecked(info)) await files.verify(info);
    const { meta, chunks } = await files.load(info);
    const decoded = decodeMeta(meta);
    if (decoded === null) throw damaged(`of slot ${info.slot}`, "the session table in it cannot be read");
    return { meta, decoded, chunks };
  } catch (error) {
    if (error instanceof SnapshotDamaged) await files.setAside(info);
    throw error;
  }
}
