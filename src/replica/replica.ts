// One replica as its embedder sees it: propose, read, status, transfer, close. Rule: after a failed write or a
// failed assertion nothing is acknowledged any more; and "failed" is said only of what never has an effect (F17).

import { assert } from "../base/assert.js";
import { isNoSpace } from "../base/no-space.js";
import { StateCorrupt, type StateMachine } from "../machine/machine.js";
import { type ReplicaId, roundOf } from "../paxos/ballot.js";
import { clusterIdOf } from "../paxos/genesis.js";
import { NEW_DISK, NO_ROOM } from "./alarms.js";
import type { CancelSignal } from "./cancel.js";
import { Driver } from "./driver.js";
import type { DriverOptions } from "./driver-options.js";
import { Closed, Overloaded, Unavailable } from "./errors.js";
import { Proposals } from "./proposals.js";
import { Reads } from "./reads.js";
import {
  Listeners,
  type Logger,
  type ReplicaEvents,
  type ReplicaStatus,
  type StateSnapshot,
} from "./status.js";

export interface ReplicaOptions<C, R, Q, A> extends DriverOptions<C, R, Q, A> {
  /** After it the outcome of a command is unknown, and a read is given up. */
  readonly requestTimeoutMs: number;
  readonly logger?: Logger | undefined;
  /** Added to the counters of the status. */
  readonly counters?: () => Readonly<Record<string, number>>;
}

export interface ProposeOptions {
  readonly signal?: CancelSignal | undefined;
}

export interface ReadOptions {
  readonly signal?: CancelSignal | undefined;
  /** Answered from the state here, without asking a quorum: it may be behind. */
  readonly local?: boolean | undefined;
}

/** How long an orderly stop waits for another leader, and then again for the own commands. */
const CLOSE_MS = 1000;
/** How often a directory is tried again in which there was no room to open it. */
const OPEN_AGAIN_MS = 1000;

type Phase = "starting" | "running" | "closing" | "closed" | "crashed";

export class Replica<C, R, Q, A> {
  readonly #options: ReplicaOptions<C, R, Q, A>;
  readonly #clusterId: string;
  readonly #proposals: Proposals<R>;
  readonly #reads: Reads<Q, A>;
  readonly #driver: Driver<C, R, Q, A>;
  readonly #listeners: Listeners;
  /** Each is called when the leader or the phase changes; it returns whether it has what it waits for. */
  readonly #waiters: Set<() => boolean>;
  #phase: Phase;
  /** Settles when `start` is done, well or not. */
  #started: Promise<void>;
  #closing: Promise<void> | null;
  #failure: Error | null;
  #isWithoutRoom: boolean;
  #faults: number;
  #tellCrashed: (error: Error) => void;
  /** Resolves when the replica had to stop by itself, with the reason; a program then ends with status 1. */
  readonly crashed: Promise<Error>;

  constructor(options: ReplicaOptions<C, R, Q, A>) {
    const { requestTimeoutMs } = options;
    this.#options = options;
    this.#clusterId = clusterIdOf(options.cluster);
    this.#proposals = new Proposals(requestTimeoutMs, () => this.#driver.wake());
    this.#reads = new Reads(
      (query) => this.#query(query),
      requestTimeoutMs,
      () => this.#driver.wake(),
    );
    this.#driver = new Driver(options, this.#proposals, this.#reads, {
      onLeader: (leader, ballot) => this.#onLeader(leader, ballot),
      onFault: (text) => this.#onFault(text),
      onWell: (text) => this.#onWell(text),
      onBroken: (error) => this.#crash(error),
    });
    this.#listeners = new Listeners(options.clock);
    this.#waiters = new Set();
    this.#phase = "starting";
    this.#started = Promise.resolve();
    this.#closing = null;
    this.#failure = null;
    this.#isWithoutRoom = false;
    this.#faults = 0;
    this.#tellCrashed = () => {};
    this.crashed = new Promise((resolve) => {
      this.#tellCrashed = resolve;
    });
  }

  /** Begins, once. What goes wrong is told by `started`, `ready` and `crashed`. */
  start(): void {
    this.#started = this.#start();
  }

  /** Resolves when the disk is read and the replica listens; rejects with what is wrong with either. */
  async started(): Promise<void> {
    await this.#started;
    if (this.#failure !== null) throw this.#failure;
  }

  async #start(): Promise<void> {
    try {
      await this.#open();
      if (this.#phase === "starting") await this.#driver.join();
      if (this.#phase === "starting") this.#phase = "running";
    } catch (error) {
      // It was closed as it waited for room.
      if (this.#closing === null || !isNoSpace(error))
        this.#crash(error instanceof Error ? error : new Error(String(error)));
    }
    this.#wakeWaiters();
  }

  /** A directory in which there is no room to open it is tried again, as all that has no room is (`Room`). */
  async #open(): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      try {
        await this.#driver.open();
        break;
      } catch (error) {
        if (!isNoSpace(error) || this.#driver.machine !== null || this.#closing !== null) throw error;
      }
      if (!this.#isWithoutRoom) this.#onFault(NO_ROOM);
      this.#isWithoutRoom = true;
      await new Promise<void>((resolve) => clock.at(clock.now() + OPEN_AGAIN_MS, resolve));
    }
    this.#isWithoutRoom = false;
  }

  /** Resolves when a leader is known and this replica serves; rejects when it stops or cannot start. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wait(() => {
        const isServing = this.#leader !== 0 && this.#driver.soundness?.reason === null;
        if (this.#phase === "running" && isServing) resolve();
        else if (this.#failure !== null) reject(this.#failure);
        else if (this.#phase === "closing" || this.#phase === "closed") reject(this.#closed());
        else if (this.#driver.isFenced) reject(new Unavailable(NEW_DISK));
        else return false;
        return true;
      });
    });
  }

  /**
   * Has a command chosen and executed, once, and gives its result. Rejects with `CommandRefused` (the machine
   * threw), `NoSpace`, `Overloaded` or `Closed` (nothing was proposed), `OutcomeUnknown`, or what `encode` throws.
   */
  async propose(command: C, options: ProposeOptions = {}): Promise<R> {
    this.#checkOpen();
    if (this.#driver.isOverlayFull) throw new Overloaded("the store is behind: try again later");
    if (this.#driver.machine === null) await this.#started;
    this.#checkOpen();
    const refusal = this.#driver.space?.refusal(command) ?? null;
    if (refusal !== null) throw refusal;
    const payload = this.#machine.encode(command);
    return this.#proposals.propose(payload, this.#options.clock.now(), options.signal);
  }

  /** Linearizable, unless `local`. Rejects with `Unavailable`, `Overloaded`, `Closed`, or what the query throws. */
  async read(query: Q, options: ReadOptions = {}): Promise<A> {
    this.#checkOpen();
    if (options.local !== true) return this.#reads.read(query, this.#options.clock.now(), options.signal);
    if (this.#phase === "starting") await this.#started;
    this.#checkOpen();
    this.#checkSound();
    return this.#query(query);
  }

  /**
   * The state here as a snapshot file: of this moment, or a later one. Rejects with `Unavailable` when there is none to
   * be had now, and for a machine without a durable state of its own, whose snapshots are files of its data directory.
   */
  async snapshot(): Promise<StateSnapshot> {
    this.#checkOpen();
    await this.#started;
    this.#checkOpen();
    const { id } = this.#options;
    if (this.#driver.transferring === null)
      throw new Unavailable(`replica ${id} has not joined its cluster yet`);
    if (this.#machine.durable === undefined) {
      throw new Unavailable("the snapshots of this machine are files of the data directory: copy the newest");
    }
    this.#checkSound();
    const snapshot = await this.#driver.transferring.snapshot();
    // What was found out meanwhile is true of what was written, too.
    this.#checkOpen();
    this.#checkSound();
    return snapshot;
  }

  status(): ReplicaStatus {
    const { id, cluster, counters } = this.#options;
    const { core, soundness, space, appliedUpTo, transferring } = this.#driver;
    const role = core === null ? "starting" : core.isLeading ? "leader" : "follower";
    const own = this.#isWithoutRoom ? [NO_ROOM] : this.#driver.isFenced ? [NEW_DISK] : [];
    return {
      id,
      role,
      leader: this.#leader,
      ballot: core?.ballot ?? 0,
      round: roundOf(core?.ballot ?? 0),
      promised: core?.promised ?? 0,
      // The core is told of an installed snapshot a moment later.
      chosenUpTo: core === null ? 0 : Math.max(core.chosenUpTo, appliedUpTo),
      appliedUpTo,
      clusterId: this.#driver.clusterId ?? this.#clusterId,
      members: cluster.members,
      logBytes: this.#driver.logBytes,
      isServing: core !== null && soundness?.reason === null,
      isFenced: soundness?.divergence.isFenced ?? false,
      rebuildingUpTo: soundness?.rebuildingUpTo ?? 0,
      isOutOfSpace: this.#isWithoutRoom || (space?.isLacking ?? false),
      alarms: [
        ...own,
        ...(soundness?.alarms ?? []),
        ...(transferring?.alarms ?? []),
        ...(space?.alarms ?? []),
      ],
      counters: { ...this.#driver.counters, faults: this.#faults, ...counters?.() },
    };
  }

  /** To `to`, or to whom it suits best; rejects with `Unavailable` when it does not lead, or nobody takes over. */
  async transferLeadership(to = 0): Promise<void> {
    this.#checkOpen();
    const { id, cluster, requestTimeoutMs } = this.#options;
    if (to !== 0 && !cluster.members.some((member) => member.id === to)) {
      throw new TypeError(`replica ${to} is no member of the cluster`);
    }
    if (this.#driver.core?.isLeading !== true) {
      throw new Unavailable(`replica ${id} does not lead; replica ${this.#leader} does (0: nobody)`);
    }
    if (to === id) return;
    if (!(await this.#isTakenOver(requestTimeoutMs, () => this.#driver.transfer(to)))) {
      throw new Unavailable(`nobody took the leadership over within ${requestTimeoutMs} ms`);
    }
  }

  on<Name extends keyof ReplicaEvents>(name: Name, listener: (event: ReplicaEvents[Name]) => void): this {
    this.#listeners.add(name, listener);
    return this;
  }

  /** Hands leadership over, lets the own commands finish, commits, stops; what is pending then is unknown. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #machine(): StateMachine<C, R, Q, A> {
    const { machine } = this.#driver;
    assert(machine !== null, "the machine is used when it is open");
    return machine;
  }

  /** Damage that a query meets is this replica's alone: it stops, and another has to be asked. */
  async #query(query: Q): Promise<A> {
    try {
      return await this.#machine.query(query);
    } catch (error) {
      if (!(error instanceof StateCorrupt)) throw error;
      this.#crash(error);
      throw new Unavailable(`replica ${this.#options.id} has stopped, for its state is damaged`);
    }
  }

  get #leader(): ReplicaId {
    return this.#driver.core?.leader ?? 0;
  }

  #closed(): Closed {
    const reason = this.#failure === null ? "" : `: ${this.#failure.message}`;
    return new Closed(`replica ${this.#options.id} has stopped${reason}`);
  }

  #checkOpen(): void {
    if (this.#phase !== "starting" && this.#phase !== "running") throw this.#closed();
    const fence = this.#driver.soundness?.divergence.reason ?? null;
    if (fence !== null) throw new Unavailable(fence);
  }

  #checkSound(): void {
    const reason = this.#driver.soundness?.reason ?? null;
    if (reason !== null) throw new Unavailable(reason);
  }

  async #close(): Promise<void> {
    const { id } = this.#options;
    this.#driver.endWaiting();
    await this.#started;
    const isOrderly = this.#phase === "running";
    if (this.#phase !== "crashed") {
      this.#phase = "closing";
      this.#wakeWaiters();
    }
    if (isOrderly) {
      await this.#leave();
      await this.#within(CLOSE_MS, this.#proposals.idle());
      // Another that stops may have handed leadership to this one.
      await this.#leave();
    }
    this.#driver.stop();
    this.#failAll(`replica ${id} was closed`);
    await this.#driver.finish(this.#failure);
    if (this.#phase === "closing") this.#phase = "closed";
  }

  /** Leads no more, where others can; waits until one of them does. */
  async #leave(): Promise<void> {
    const isLeading = this.#driver.core?.isLeading === true;
    if (isLeading && this.#driver.linked.length > 0)
      await this.#isTakenOver(CLOSE_MS, () => this.#driver.leave());
    else this.#driver.leave();
  }

  /** Whether another leader is known within `ms` of `handOver`. */
  #isTakenOver(ms: number, handOver: () => void): Promise<boolean> {
    const { id } = this.#options;
    const other = new Promise<void>((resolve) => {
      this.#wait(() => {
        const isOver = (this.#leader !== 0 && this.#leader !== id) || this.#phase === "crashed";
        if (isOver) resolve();
        return isOver;
      });
    });
    handOver();
    return this.#within(ms, other);
  }

  /** Whether `promise` resolves within `ms`. */
  #within(ms: number, promise: Promise<void>): Promise<boolean> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.at(clock.now() + ms, () => resolve(false));
      void promise.then(() => {
        clock.cancel(timer);
        resolve(true);
      });
    });
  }

  #wait(waiter: () => boolean): void {
    if (!waiter()) this.#waiters.add(waiter);
  }

  #wakeWaiters(): void {
    for (const waiter of this.#waiters) if (waiter()) this.#waiters.delete(waiter);
  }

  #failAll(reason: string): void {
    this.#proposals.failAll(reason);
    this.#reads.failAll(new Unavailable(`${reason} before the read was answered`));
  }

  #onLeader(leader: ReplicaId, ballot: number): void {
    const { id, logger } = this.#options;
    logger?.info({ replica: id, leader, ballot }, leader === 0 ? "no leader" : `replica ${leader} leads`);
    this.#listeners.emit("leader", { leader, ballot });
    this.#wakeWaiters();
  }

  #onWell(text: string): void {
    const { id, logger } = this.#options;
    logger?.info({ replica: id }, text);
    this.#wakeWaiters();
  }

  #onFault(text: string): void {
    this.#faults += 1;
    this.#options.logger?.warn({ replica: this.#options.id }, text);
    this.#listeners.emit("fault", { text });
    this.#wakeWaiters();
  }

  #crash(error: Error): void {
    if (this.#phase === "crashed" || this.#phase === "closed") return;
    const { id, logger } = this.#options;
    this.#phase = "crashed";
    this.#failure = error;
    this.#driver.stop();
    this.#failAll(`replica ${id} stopped (${error.message})`);
    logger?.error({ replica: id, error }, "the replica has stopped");
    this.#onFault(`replica ${id} has stopped: ${error.message}`);
    this.#tellCrashed(error);
    this.close().catch((failure: Error) =>
      this.#onFault(`replica ${id} did not stop cleanly: ${failure.message}`),
    );
  }
}
