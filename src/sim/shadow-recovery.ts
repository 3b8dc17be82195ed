// Shadow recovery (1): now and then the power of a replica goes in a world of its own, where what chance leaves of its
// disk must show all that was promised and acknowledged. The run itself is not changed: the disk is a copy, and chance
// has a generator of its own.
import { Random } from "../base/random.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import { recoveredState } from "../replica/replay.js";
import { SnapshotFiles } from "../replica/snapshot-files.js";
import { SnapshotDamaged } from "../replica/snapshot-format.js";
import { DataDirectory } from "../wal/identity.js";
import type { MemoryDisk } from "../wal/memory-disk.js";
import { Wal } from "../wal/wal.js";
import type { WalClock } from "../wal/wal-options.js";
import { flipValue } from "./disk-damage.js";
import { type Ghost, InvariantBroken } from "./ghost.js";
import { learnsOnlyChosen } from "./invariants.js";
import { checkRecovered } from "./recovery-watch.js";

/** What a replica would find at a start. */
export interface CrashImage {
  readonly id: ReplicaId;
  readonly clusterId: string;
  readonly disk: MemoryDisk;
  /** Sectors that were written and are not there. */
  readonly lost: number;
  /** According to its store, if it has one. */
  readonly executedUpTo: Slot;
  /** Its state is in snapshot files. */
  readonly isVolatile: boolean;
  /** A fault has hurt what was on its disk. */
  readonly isDamaged: boolean;
}

/** The shadow lives for its recovery only, and no time passes. */
const STANDING_CLOCK: WalClock = {
  now: () => 0,
  at: () => null,
  cancel: () => {},
  soon: () => {},
};
const READ_BYTES = 1 << 20;
/** Of the segment that a new life begins: the shadow writes no more than its first batch. */
const LEAST_SEGMENT = 2048;

/** Recovers from `image`, by the code that a start runs, and checks what is found. Rejects with `InvariantBroken`. */
export async function recoverShadow(ghost: Ghost, image: CrashImage): Promise<void> {
  const { id, isDamaged } = image;
  try {
    const { recovered, incarnation } = await recover(ghost, image);
    checkRecovered(ghost, id, recovered, incarnation, isDamaged);
  } catch (error) {
    const { message } = error as Error;
    const broken =
      error instanceof InvariantBroken ? message : `staysUp: replica ${id} does not start: ${message}`;
    throw new InvariantBroken(`${broken}, if its power fails now`, { cause: error });
  }
}

async function recover(ghost: Ghost, { id, clusterId, disk, ...image }: CrashImage) {
  const directory = await DataDirectory.open(disk, {
    clusterId,
    replica: id,
    randomHex: () => "0".repeat(32),
  });
  const executedUpTo = image.isVolatile ? await snapshotSlot(disk) : image.executedUpTo;
  const { wal, recovered } = await Wal.open(disk, {
    segmentBytes: LEAST_SEGMENT,
    appliedUpTo: executedUpTo,
    clock: STANDING_CLOCK,
    onSynced: () => {},
    onFailed: () => {},
  });
  await checkShown(ghost, id, wal, recovered.compactedUpTo, executedUpTo);
  let appliedUpTo = executedUpTo;
  // What a start would execute again.
  while (appliedUpTo < recovered.chosenUpTo) {
    const entries = await wal.readChosen(appliedUpTo + 1, READ_BYTES);
    for (const entry of entries) learnsOnlyChosen(ghost, id, entry);
    if (entries.length === 0) break;
    appliedUpTo = Math.min(entries.at(-1)!.slot, recovered.chosenUpTo);
  }
  const { incarnation } = directory.identity;
  return { recovered: recoveredState(recovered, appliedUpTo), incarnation };
}

/** What a log shows to others of the slots that are executed is what is chosen there (L5, F3). */
async function checkShown(ghost: Ghost, id: ReplicaId, wal: Wal, from: Slot, upTo: Slot): Promise<void> {
  for (let slot = from + 1; slot <= upTo; ) {
    const entries = await wal.readChosen(slot, READ_BYTES);
    for (const entry of entries) learnsOnlyChosen(ghost, id, entry);
    slot = Math.max(slot + 1, (entries.at(-1)?.slot ?? 0) + 1);
  }
}

/** Of the newest snapshot that is whole, as a start finds it. */
async function snapshotSlot(disk: MemoryDisk): Promise<Slot> {
  const files = await SnapshotFiles.open(disk);
  for (let info = files.newest; info !== null; info = files.newest) {
    try {
      await files.verify(info);
      return info.slot;
    } catch (error) {
      if (!(error instanceof SnapshotDamaged)) throw error;
      await files.setAside(info);
    }
  }
  return 0;
}

/**
 * Events from one to the next: at most so many, fewer while the run is younger, for a cluster forms and starts but once
 * and what is recovered then is small.
 */
const FEWEST = 50;
const MOST = 15_000;
/** It waits for so many more until something is at stake: a write that is not synced, at times of one that starts. */
const PATIENCE = 2000;
const STARTING_CHANCE = 0.5;
/** So many shadows of a run have a vote hurt, and so many are of one that has installed a snapshot. */
const MOST_HURT = 8;
const MOST_INSTALLED = 8;
/** By then the log of such a one has a watermark above the snapshot, which must fix no vote below it (F3). */
const INSTALLED_EVENTS = 400;

interface ShadowedHost {
  readonly isUp: boolean;
  /** Null while it starts. */
  readonly core: unknown;
  readonly disk: { readonly unsynced: { readonly isEmpty: boolean } };
  crashImage(random: Random): CrashImage | null;
}

export interface ShadowedWorld {
  readonly ghost: Ghost;
  readonly hosts: ReadonlyMap<ReplicaId, ShadowedHost>;
  readonly queue: { readonly events: number };
  reach(what: string): void;
}

export class ShadowRecoveries {
  readonly #world: ShadowedWorld;
  readonly #hosts: readonly ShadowedHost[];
  readonly #random: Random;
  /** Due when so many events have happened. */
  #next: number;
  #wantsStart: boolean;
  /** Votes that were hurt in shadows so far. */
  #hurt: number;
  /** Those who have installed a snapshot, and when to look at them; how many there were. */
  readonly #installed: { readonly id: ReplicaId; readonly at: number }[];
  #installations: number;

  constructor(world: ShadowedWorld, seed: number) {
    this.#world = world;
    this.#hosts = [...world.hosts.values()];
    this.#random = new Random(seed);
    this.#next = FEWEST;
    this.#wantsStart = false;
    this.#hurt = 0;
    this.#installed = [];
    this.#installations = 0;
  }

  /** The disk that is to be recovered now; null: none is. To be asked between two events. */
  due(): CrashImage | null {
    const hurt = this.#hurtVote();
    if (hurt !== null) return hurt;
    const installed = this.#afterInstallation();
    if (installed !== null) return installed;
    const { events } = this.#world.queue;
    if (events < this.#next) return null;
    let candidates = this.#hosts.filter(
      ({ isUp, core, disk }) => isUp && !disk.unsynced.isEmpty && (core === null || !this.#wantsStart),
    );
    if (candidates.length === 0) {
      if (events < this.#next + PATIENCE) return null;
      candidates = this.#hosts.filter(({ isUp }) => isUp);
      if (candidates.length === 0) return null;
    }
    const image = candidates[this.#random.below(candidates.length)]!.crashImage(this.#random);
    if (image === null) return null;
    this.#next = events + Math.min(MOST, Math.max(FEWEST, events));
    this.#wantsStart = this.#random.next() < STARTING_CHANCE;
    return image;
  }

  /** Where a replica has voted again, rot in its newest vote must not make an older one stand for it (F9). */
  #hurtVote(): CrashImage | null {
    const { ghost, hosts } = this.#world;
    const again = ghost.castAgain;
    if (again === null || this.#hurt >= MOST_HURT) return null;
    ghost.castAgain = null;
    const host = hosts.get(again.id);
    const image = host?.isUp === true ? host.crashImage(this.#random) : null;
    if (image === null || !flipValue(image.disk, again.value, this.#random)) return null;
    this.#hurt += 1;
    this.#world.reach("shadow recovery of a damaged vote");
    return { ...image, isDamaged: true };
  }

  #afterInstallation(): CrashImage | null {
    const { ghost, hosts, queue } = this.#world;
    if (ghost.installed !== null) {
      if (this.#installations < MOST_INSTALLED) {
        this.#installed.push({ id: ghost.installed, at: queue.events + INSTALLED_EVENTS });
      }
      this.#installations += 1;
      ghost.installed = null;
    }
    if (this.#installed.length === 0 || queue.events < this.#installed[0]!.at) return null;
    const host = hosts.get(this.#installed.shift()!.id);
    return host?.isUp === true ? host.crashImage(this.#random) : null;
  }

  async recover(image: CrashImage): Promise<void> {
    await recoverShadow(this.#world.ghost, image);
    this.#world.reach(image.lost > 0 ? "shadow recovery of lost writes" : "shadow recovery of a whole disk");
  }
}
