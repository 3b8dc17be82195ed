// A machine that a replica runs on: its disk and store outlive the process, which can be started, paused, killed, or
// lose its power. The replica in it is the one that serves, over virtual ports.
import { AssertionFailed } from "../base/assert.js";
import { bytesEqual } from "../base/bytes.js";
import { Random } from "../base/random.js";
import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../kv/commands.js";
import { decodeHead } from "../kv/head.js";
import { KvMachine } from "../kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../kv/memory-record-store.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { type ClusterConfig, clusterIdOf } from "../paxos/genesis.js";
import { Paxos } from "../paxos/paxos.js";
import { FENCE_NAME } from "../replica/fence-file.js";
import { Replica } from "../replica/replica.js";
import { GENESIS_NAME } from "../wal/identity.js";
import { CoreWatch } from "./core-watch.js";
import { SimDisk } from "./disk.js";
import type { EventQueue } from "./event-queue.js";
import { type Ghost, type GhostReplica, InvariantBroken } from "./ghost.js";
import type { SimNetwork } from "./network.js";
import { ProcessLife } from "./process-life.js";
import { onRecovered, recoveryPaths } from "./recovery-watch.js";
import type { CrashImage } from "./shadow-recovery.js";
import type { StateRot } from "./state-rot.js";
import type { StoredStates } from "./stored-states.js";
import { type Executions, WatchedMachine } from "./watched-machine.js";

/** Of the key index: a run has several, each of several parts. */
const CHECKPOINTS = { records: 40, keys: 4, keysPerRecord: 4, chunkKeys: 3 };

export type KvReplica = Replica<KvCommand, KvResult, KvQuery, KvAnswer>;

export interface HostOptions {
  readonly cluster: ClusterConfig;
  readonly queue: EventQueue;
  readonly network: SimNetwork;
  readonly ghost: Ghost;
  readonly executions: Executions;
  readonly storedStates: StoredStates;
  readonly rot: StateRot;
  readonly random: Random;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly requestTimeoutMs: number;
  readonly segmentBytes: number;
  readonly tailBytes: number;
  /** The state is kept in snapshot files, not in a store of its own. */
  readonly isVolatile: boolean;
  readonly snapshotBytes: number;
  violate(broken: Error): void;
  reached(what: string): void;
  /** A line of the trace. */
  tell(id: ReplicaId, text: string): void;
}

interface Running {
  readonly life: ProcessLife;
  readonly replica: KvReplica;
  readonly store: MemoryRecordStore;
  readonly cluster: ClusterConfig;
  isClosing: boolean;
  core: CoreWatch | null;
}

export class Host {
  readonly id: ReplicaId;
  readonly disk: SimDisk;
  readonly #options: HostOptions;
  #medium: MemoryMedium;
  #running: Running | null;
  #starts: number;
  /** Called when a snapshot has replaced its state, in memory. */
  onRestored: () => void;
  /** Local milliseconds for each of true time. */
  clockRate: number;
  /** A fault has hurt what was on its disk. */
  isDamaged: boolean;
  /** It refuses to start, or never votes: its disk is beyond what a replica heals by itself. */
  isLost: boolean;

  constructor(id: ReplicaId, options: HostOptions) {
    this.id = id;
    this.#options = options;
    this.disk = new SimDisk(options.random, options.reached, options.queue);
    this.#medium = new MemoryMedium();
    this.#running = null;
    this.#starts = 0;
    this.onRestored = () => {};
    this.clockRate = 1;
    this.isDamaged = false;
    this.isLost = false;
  }

  get isUp(): boolean {
    return this.#running !== null;
  }

  get isPaused(): boolean {
    return this.#running?.life.isPaused ?? false;
  }

  /** What the ghost remembers of it. */
  get ghost(): GhostReplica {
    return this.#options.ghost.replica(this.id);
  }

  /** An orderly stop is under way. */
  get isClosing(): boolean {
    return this.#running?.isClosing ?? false;
  }

  /** Null while it is down. */
  get replica(): KvReplica | null {
    return this.#running?.replica ?? null;
  }

  /** Null until the replica has joined its cluster. */
  get core(): CoreWatch | null {
    return this.#running?.core ?? null;
  }

  get starts(): number {
    return this.#starts;
  }

  /** `differing`: settings that an operator got wrong. */
  start(differing: Partial<ClusterConfig> = {}): void {
    const { cluster, queue, network, ghost, random, executions, rot } = this.#options;
    this.#starts += 1;
    this.#options.tell(this.id, "* starts");
    const life = new ProcessLife(
      queue,
      new Random(random.below(2 ** 32)),
      this.clockRate,
      random.below(1_000_000),
    );
    life.awaited += 1;
    const { isVolatile } = this.#options;
    const medium = isVolatile ? new MemoryMedium() : this.#medium;
    const store = new MemoryRecordStore(medium, () => this.#turn(life));
    this.#guard(() => this.#options.storedStates.onStart(this.id, store));
    const own = { ...cluster, ...differing };
    const replica: KvReplica = new Replica({
      id: this.id,
      cluster: own,
      openStorage: async (prepare) => {
        const disk = this.disk.view(life);
        await prepare(disk);
        const machine = await KvMachine.open(store, CHECKPOINTS);
        const watched = new WatchedMachine(machine, this.id, executions, isVolatile, {
          onUse: () => life.mayAnswer(),
          onRestored: () => this.onRestored(),
          wrongly: (slot) => rot.timesOf(this.id, slot),
        });
        return { disk, machine: watched, release: async () => {} };
      },
      network: network.port(this.id, life),
      clock: life,
      randomHex: (bytes) => this.#randomHex(bytes),
      makeCore: (options) => {
        this.#guard(() => staysOut(this));
        this.#guard(() => oneGenesis(ghost, this));
        // An earlier life may have been told that it is well, and died before the fence was gone.
        if (this.disk.memory.has(FENCE_NAME)) ghost.fenced.add(this.id);
        this.#guard(() =>
          onRecovered(ghost, this.id, options.recovered, options.incarnation, this.isDamaged),
        );
        for (const path of recoveryPaths(options.recovered)) this.#options.reached(path);
        life.awaited -= 1;
        const core = new CoreWatch(
          new Paxos(options),
          this.id,
          ghost,
          this.disk.unsynced,
          this.#options.reached,
        );
        if (running.life.isAlive) running.core = core;
        return core;
      },
      heartbeatMs: this.#options.heartbeatMs,
      electionMs: this.#options.electionMs,
      requestTimeoutMs: this.#options.requestTimeoutMs,
      segmentBytes: this.#options.segmentBytes,
      tailBytes: this.#options.tailBytes,
      snapshotBytes: this.#options.snapshotBytes,
    });
    const running: Running = { life, replica, store, cluster: own, isClosing: false, core: null };
    this.#running = running;
    void replica.crashed.then((error) => this.#onCrashed(running, error));
    replica.start();
    queue.isStirred = true;
  }

  #guard(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#options.violate(error as Error);
    }
  }

  /** A moment in which others may run. */
  #turn(life: ProcessLife): Promise<void> {
    const { queue } = this.#options;
    return new Promise((resolve) => {
      life.after(0.1, () => {
        queue.isStirred = true;
        resolve();
      });
    });
  }

  #randomHex(bytes: number): string {
    const { random } = this.#options;
    let text = "";
    for (let i = 0; i < bytes; i += 1) {
      const byte = random.below(256);
      text += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16);
    }
    return text;
  }

  /** The replica has stopped by itself: right after a fault that was put in, a violation otherwise. */
  #onCrashed(running: Running, error: Error): void {
    if (this.#running !== running) return;
    this.#options.tell(this.id, `has stopped: ${error.message}`);
    if (error instanceof InvariantBroken || error instanceof AssertionFailed) this.#options.violate(error);
    else if (error.message.startsWith("EIO")) this.#options.reached("a replica stops at an i/o error");
    else
      this.#options.violate(new InvariantBroken(`staysUp: replica ${this.id} has stopped: ${error.message}`));
    this.kill();
  }

  /** The process ends at once; what it wrote is in the page cache. */
  kill(): void {
    this.#end("ends");
    this.disk.end(false, false);
  }

  /** The power goes: what was not synced is lost; `tears`: as chance has it, sector by sector. */
  losePower(tears: boolean): void {
    this.#end("loses its power");
    this.disk.end(true, tears);
  }

  /**
   * What it would find if its power went now and came back; null: it is down, or could not start then, for its disk
   * has lied. Nothing of it is changed.
   */
  crashImage(random: Random): CrashImage | null {
    const running = this.#running;
    if (running === null || this.isLost || this.disk.hasLiedUnseen) return null;
    const { disk, lost } = this.disk.memory.crashImage(random);
    const head = this.#options.isVolatile ? undefined : new MemoryRecordStore(this.#medium).head();
    return {
      id: this.id,
      clusterId: clusterIdOf(running.cluster),
      disk,
      lost,
      executedUpTo: head === undefined ? 0 : decodeHead(head).slot,
      isVolatile: this.#options.isVolatile,
      isDamaged: this.isDamaged,
    };
  }

  #end(how: string): void {
    const running = this.#running;
    if (running === null) return;
    this.#options.tell(this.id, `* ${how}`);
    this.#running = null;
    running.life.die();
    running.store.crash();
    if (this.disk.hasLiedUnseen) {
      this.isLost = true;
      this.#options.tell(this.id, "is lost: its disk has lied about the end of its log");
    }
    this.#options.network.gone(this.id);
  }

  /** From now on so many bytes find room in its directory, and in its store none at all, or all. */
  fill(bytes: number, isStoreFull: boolean): void {
    const { memory } = this.disk;
    memory.quota = memory.used + bytes;
    this.#medium.isFull = isStoreFull;
  }

  /** There is room again. */
  free(): void {
    this.disk.memory.quota = Number.POSITIVE_INFINITY;
    this.#medium.isFull = false;
  }

  /** Its directory is emptied, and it is started again as if nothing had happened. */
  wipe(): void {
    this.kill();
    this.free();
    this.disk.wipe();
    this.#medium = new MemoryMedium();
    this.isLost = true;
    this.start();
  }

  /** An orderly stop: hands leadership over, then the process ends, and `then` is called. */
  close(then: () => void): void {
    const running = this.#running;
    if (running === null) return;
    running.isClosing = true;
    running.life.awaited += 1;
    this.#options.queue.isStirred = true;
    running.replica.close().then(
      () => {
        if (this.#running !== running) return;
        this.kill();
        then();
      },
      (error: Error) => this.#onCrashed(running, error),
    );
  }

  /** Clients wait for `more` more answers of its replica; for fewer. */
  ask(more: number): void {
    if (this.#running !== null) this.#running.life.asked += more;
  }

  /** Somebody waits for `more` more promises of its replica; for fewer. */
  await(more: number): void {
    if (this.#running !== null) this.#running.life.awaited += more;
  }

  pause(): void {
    if (this.#running === null) return;
    this.#options.tell(this.id, "* is paused");
    this.#running.life.isPaused = true;
  }

  resume(): void {
    if (this.isPaused) this.#options.tell(this.id, "* goes on");
    this.#running?.life.resume();
  }
}

/** All that ever join a cluster, in whatever life, hold the same genesis (2.8). */
function oneGenesis(ghost: Ghost, { id, disk }: Host): void {
  const bytes = disk.memory.bytesOf(GENESIS_NAME);
  if (ghost.joined.size === 0) ghost.genesis = bytes.slice();
  ghost.joined.add(id);
  if (!bytesEqual(ghost.genesis, bytes)) {
    throw new InvariantBroken(`oneGenesis: ${id} joins with another genesis than those who have joined`);
  }
}

/** Amnesia (2, 9): one that has lost its disk never votes again under its id (F15). */
function staysOut({ id, isLost }: Host): void {
  if (isLost) throw new InvariantBroken(`staysOut: ${id} joins with a disk that has forgotten its votes`);
}
