// From a data directory to a replica that may speak: identity, log, machine, and the genesis if there is one. What
// the disk says is checked here, before the first message (2.8, 2.10).
import { isNoSpace } from "../base/no-space.js";
import type { DurableState, StateMachine } from "../machine/machine.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import {
  type ClusterConfig,
  clusterIdOf,
  decodeGenesis,
  GENESIS_FORMAT,
  genesisFormatOf,
  restoredConfig,
} from "../paxos/genesis.js";
import type { Synced } from "../paxos/outbox.js";
import { Sessions } from "../paxos/sessions.js";
import type { RecoveredState } from "../paxos/state.js";
import { DataDirectoryError } from "../wal/data-directory-error.js";
import type { Disk } from "../wal/disk.js";
import {
  DataDirectory,
  type DataDirectoryOptions,
  GENESIS_NAME,
  identityMissing,
  readIdentity,
} from "../wal/identity.js";
import { compactedUpToOf, IDENTITY_NAME, lookAtLog, type RecoveredLog } from "../wal/open-log.js";
import type { Room } from "../wal/room.js";
import { Wal } from "../wal/wal.js";
import { Bootstrap } from "./bootstrap.js";
import type { ClosingStep } from "./closing.js";
import { type CommitPace, Committer, STORE_PACE } from "./committer.js";
import { Executor, type Replies } from "./executor.js";
import { FenceFile } from "./fence-file.js";
import type { Clock, Identity } from "./ports.js";
import { recoveredState, replay } from "./replay.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { checkFormats } from "./snapshot-heads.js";
import { SnapshottedMachine } from "./snapshotted-machine.js";
import { decodeMeta } from "./state-meta.js";

/**
 * The mark of a batch comes so many heartbeats after it: the watermark that the next heartbeat tells is then written
 * with it, in two syncs for a write that nothing follows instead of three.
 */
const MARK_AFTER_HEARTBEATS = 1.5;

/** How often a volatile machine is written to a snapshot: after so many bytes of commands, or so long. */
export const SNAPSHOT_BYTES = 32 << 20;
const SNAPSHOT_MS = 600_000;

/** Where a replica keeps its log, and the machine. */
export interface Storage<C, R, Q, A> {
  readonly disk: Disk;
  readonly machine: StateMachine<C, R, Q, A>;
  /** What an operator should know of how they were found. */
  readonly faults?: readonly string[];
  /** Called when nothing is used any more. */
  release(): Promise<void>;
}

/**
 * Makes sure that nobody else uses the data, and opens it. Where to open the machine changes what is there, `prepare`
 * comes first: it rejects when the directory is not one for this replica, and nothing has changed.
 */
export type OpenStorage<C, R, Q, A> = (
  prepare: (disk: Disk) => Promise<void>,
) => Promise<Storage<C, R, Q, A>>;

export interface OpeningOptions<R> {
  readonly id: ReplicaId;
  readonly cluster: ClusterConfig;
  readonly clock: Clock;
  /** Random bytes as hex digits, two for each. */
  readonly randomHex: (bytes: number) => string;
  /** Size of a file of the log; 16 MiB. */
  readonly segmentBytes?: number | undefined;
  readonly snapshotBytes?: number | undefined;
  readonly heartbeatMs: number;
  readonly replies: Replies<R>;
  readonly room: Room;
  /** Gets what is to be closed, also when the rest of the start fails. */
  readonly toClose: ClosingStep[];
  onSynced(proof: Synced): void;
  /** The log cannot show the value of a slot that is known chosen. */
  onLogDamaged(slot: Slot): void;
  /** The machine is committed, execution may go on. */
  onCommitted(): void;
  onFailed(error: Error): void;
}

/** A machine whose state outlives the process: by itself, or by snapshots. */
export interface HeldMachine<C, R, Q, A> {
  readonly machine: StateMachine<C, R, Q, A>;
  readonly durable: DurableState;
  readonly snapshots: SnapshotFiles;
  /** The snapshot files are what holds its state. */
  readonly isSnapshotted: boolean;
  readonly pace: CommitPace;
  /** Slots up to it are not needed in the log for the next start. */
  safeUpTo(committedUpTo: number): number;
}

/** What a replica has once its disk is read and its machine is level with it. */
export interface Opened<C, R, Q, A> {
  readonly held: HeldMachine<C, R, Q, A>;
  /** Whether the state is one that must not be used. */
  readonly fence: FenceFile;
  readonly identity: Identity;
  readonly wal: Wal;
  readonly executor: Executor<C, R, Q, A>;
  readonly committer: Committer;
  readonly recovered: RecoveredState;
  readonly bootstrap: Bootstrap;
  /** The log says that all up to it is chosen: where the machine has less, what was held, or the log, is damaged. */
  readonly rebuildUpTo: Slot;
  /** For the operator: what was found damaged. */
  readonly faults: readonly string[];
  readonly room: Room;
  saveGenesis(bytes: Uint8Array): Promise<void>;
  /** What of the directory's own files is damaged is written again; says which. */
  repairFiles(): Promise<string[]>;
}

/** Whose directory it must be. */
export type Owner = Pick<OpeningOptions<unknown>, "id" | "cluster" | "randomHex">;

/**
 * Has the storage opened. `recoveredLog`: what the log showed, for `open`, for to read it is much of a start; not there
 * when the storage needed no preparation.
 */
export async function openPrepared<C, R, Q, A>(
  options: Owner & { readonly openStorage: OpenStorage<C, R, Q, A> },
): Promise<{ storage: Storage<C, R, Q, A>; recoveredLog: RecoveredLog | undefined }> {
  let found: RecoveredLog | undefined;
  const storage = await options.openStorage(async (disk) => {
    found = await prepare(disk, options);
  });
  const recoveredLog = found;
  // It has whole files of the log, and somebody may keep what was handed in.
  found = undefined;
  return { storage, recoveredLog };
}

/**
 * What `open` would refuse is refused before anything of the machine is opened, and before anything is changed: whose
 * directory it is (`DataDirectory.prepare`), and every format that a newer version may have written.
 */
async function prepare(disk: Disk, owner: Owner): Promise<RecoveredLog> {
  await DataDirectory.prepare(disk, ownedBy(owner, await clusterIn(disk, owner.cluster)));
  await checkFormats(disk);
  return lookAtLog(disk);
}

/** Of a directory that was made of a backup, what the backup was is part of it. */
async function clusterIn(disk: Disk, given: ClusterConfig): Promise<ClusterConfig> {
  const restored = (await readIdentity(disk))?.restored;
  return restored === undefined ? given : restoredConfig(given, restored.sum);
}

function ownedBy({ id, randomHex }: Owner, cluster: ClusterConfig): DataDirectoryOptions {
  return { clusterId: clusterIdOf(cluster), replica: id, randomHex: () => randomHex(16), checkGenesis };
}

/** Rejects with what is wrong with the directory, as a sentence. `recoveredLog`: as `openPrepared` gave it. */
export async function open<C, R, Q, A>(
  { disk, machine, faults = [] }: Storage<C, R, Q, A>,
  options: OpeningOptions<R>,
  recoveredLog?: RecoveredLog,
): Promise<Opened<C, R, Q, A>> {
  const { id, clock, randomHex, segmentBytes, room } = options;
  await assertOwned(disk, machine.durable?.held().slot ?? 0);
  const cluster = await clusterIn(disk, options.cluster);
  const isAlone = cluster.members.length === 1;
  // A state that needs no file of this directory to be known is looked at before this start is counted.
  if (isAlone && machine.durable !== undefined) await assertReachesBack(disk, machine.durable.held().slot);
  const directory = await openDirectory(disk, room, ownedBy(options, cluster));
  const { clusterId, diskId, incarnation, restored } = directory.identity;
  const fence = await FenceFile.open(disk);
  const heldMachine = await hold(
    machine,
    await SnapshotFiles.open(disk),
    options.snapshotBytes ?? SNAPSHOT_BYTES,
  );
  const held = heldMachine.durable.held();
  if (isAlone && machine.durable === undefined) await assertReachesBack(disk, held.slot);
  const { wal, recovered } = await Wal.open(
    disk,
    {
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
      appliedUpTo: held.slot,
      markAfterMs: MARK_AFTER_HEARTBEATS * options.heartbeatMs,
      clock,
      room,
      onSynced: (proof) => options.onSynced(proof),
      onDamaged: (slot) => options.onLogDamaged(slot),
      onFailed: (error) => options.onFailed(error),
    },
    recoveredLog,
  );
  options.toClose.push(() => wal.close());
  const { executor, committer } = machineSide(heldMachine, wal, held, incarnation, options);
  await replay(executor, recovered.chosenUpTo, () => {
    committer.poke(clock.now());
    return new Promise((resolve) => clock.soon(resolve));
  });
  room.begin();
  // The state goes on from what it is, but nobody sees it until it has come anew.
  executor.isFenced = fence.found !== null;
  const snapshotFaults = heldMachine.snapshots.damaged.map(
    (name) => `a snapshot was damaged, and is put aside as ${name}`,
  );
  // What a backup brought is no sign that the genesis was complete.
  const isPast = recovered.chosenUpTo > (restored?.slot ?? 0);
  const hasVoted = recovered.promised > 0 || isPast || recovered.accepted.length > 0;
  return {
    identity: { clusterId, replica: id, diskId, incarnation, run: Number.parseInt(randomHex(6), 16) },
    held: heldMachine,
    fence,
    wal,
    executor,
    committer,
    recovered: recoveredState(recovered, executor.appliedUpTo),
    rebuildUpTo: wal.syncedChosenUpTo,
    faults: [...faults, ...snapshotFaults],
    bootstrap: new Bootstrap(id, diskId, cluster, directory.genesis, hasVoted),
    room,
    saveGenesis: (bytes) => room.allocate("the genesis", () => directory.saveGenesis(bytes)),
    repairFiles: () => directory.repair(),
  };
}

/** A state that outlives its process is of whoever the identity names: without one, nobody knows what it voted for. */
async function assertOwned(disk: Disk, heldUpTo: Slot): Promise<void> {
  if (heldUpTo === 0 || (await readIdentity(disk)) !== null) return;
  throw identityMissing([`the state after slot ${heldUpTo}`]);
}

/** Where there are no peers, what is neither in the machine nor in the log is nowhere. The log is as it was. */
async function assertReachesBack(disk: Disk, heldUpTo: Slot): Promise<void> {
  const compactedUpTo = await compactedUpToOf(disk);
  if (compactedUpTo <= heldUpTo) return;
  throw new DataDirectoryError(
    `slots ${heldUpTo + 1} to ${compactedUpTo} are neither in the state that is left nor in the log, and this replica has ` +
      "no peers to take them from: restore the whole data directory from a backup",
  );
}

/** Throws `DataDirectoryError` for a genesis that is intact and yet cannot be used. */
export function checkGenesis(bytes: Uint8Array): void {
  if (decodeGenesis(bytes) !== null) return;
  const format = genesisFormatOf(bytes);
  if (format !== null && format !== GENESIS_FORMAT) {
    throw new DataDirectoryError(
      `the file "${GENESIS_NAME}" has format ${format}, this version knows ${GENESIS_FORMAT}: start a version that knows it`,
    );
  }
  throw new DataDirectoryError(
    `the file "${GENESIS_NAME}" is intact and yet no genesis: the replica's id must be replaced`,
  );
}

/** A start that others wait for waits for room; a new directory is refused, for nobody knows of it yet. */
async function openDirectory(disk: Disk, room: Room, options: DataDirectoryOptions): Promise<DataDirectory> {
  const opened = () => DataDirectory.open(disk, options);
  if ((await disk.list()).includes(IDENTITY_NAME)) return room.allocate("the identity", opened);
  try {
    return await opened();
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    throw new DataDirectoryError(
      `there is no room for a new data directory (${error.message}): free some room on its disk, and start again`,
    );
  }
}

async function hold<C, R, Q, A>(
  machine: StateMachine<C, R, Q, A>,
  snapshots: SnapshotFiles,
  snapshotBytes: number,
): Promise<HeldMachine<C, R, Q, A>> {
  const { durable } = machine;
  if (durable !== undefined) {
    return { machine, durable, snapshots, isSnapshotted: false, pace: STORE_PACE, safeUpTo: (slot) => slot };
  }
  const own = await SnapshottedMachine.open(machine, snapshots);
  const safeUpTo = () => own.secondSlot;
  const pace: CommitPace = {
    // Where the state is large it is written less often: of all that is written half at most are snapshots.
    get bytes() {
      return Math.max(snapshotBytes, snapshots.newest?.bytes ?? 0);
    },
    ms: SNAPSHOT_MS,
    mostBytes: Number.POSITIVE_INFINITY,
    atClose: false,
  };
  return { machine: own, durable: own, snapshots, isSnapshotted: true, pace, safeUpTo };
}

function machineSide<C, R, Q, A>(
  { machine, durable, pace }: HeldMachine<C, R, Q, A>,
  wal: Wal,
  held: { readonly slot: number; readonly meta: Uint8Array },
  incarnation: number,
  options: OpeningOptions<R>,
): { executor: Executor<C, R, Q, A>; committer: Committer } {
  const { id, cluster, clock, replies } = options;
  const meta = held.slot === 0 ? { sessions: new Sessions(), noted: null } : decodeMeta(held.meta);
  if (meta === null) throw new Error("the session table that the state machine holds cannot be read");
  const executor = new Executor<C, R, Q, A>({
    machine,
    sessions: meta.sessions,
    self: id,
    incarnation,
    appliedUpTo: held.slot,
    noted: meta.noted,
    digestInterval: cluster.digestInterval,
    replies,
    readChosen: (fromSlot, maxBytes) => wal.readChosen(fromSlot, maxBytes),
    now: () => clock.now(),
  });
  const committer = new Committer(durable, held.slot, {
    log: wal,
    executor,
    pace,
    room: options.room,
    meta: () => executor.meta(),
    onCommitted: () => options.onCommitted(),
    onFailed: (error) => options.onFailed(error),
  });
  return { executor, committer };
}
