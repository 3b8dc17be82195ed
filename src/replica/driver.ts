// The engine of one replica: reads the disk, forms or joins the cluster, then runs the core in turns, executes
// what is chosen, commits the machine, and keeps the one timer. `replica.ts` is its face to callers.
import { StateCorrupt, type StateMachine } from "../machine/machine.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { membershipsOf } from "../paxos/genesis.js";
import type { Notice } from "../paxos/outbox.js";
import { SEGMENT_BYTES } from "../wal/wal.js";
import { type ClosingStep, closeAll } from "./closing.js";
import type { DriverEvents, DriverOptions } from "./driver-options.js";
import { DueTimer } from "./due-timer.js";
import { Unavailable } from "./errors.js";
import { LogServer } from "./log-server.js";
import { type Opened, type OpeningOptions, open, openPrepared, type Storage } from "./opening.js";
import { Peers } from "./peers.js";
import type { Proposals } from "./proposals.js";
import type { Reads } from "./reads.js";
import { Soundness } from "./soundness.js";
import { NO_LACKS, Space } from "./space.js";
import { StateTransfer } from "./state-transfer.js";
import { type Core, Turns } from "./turns.js";

/** How long to wait before reading on where the log did not show the next slot yet. */
const REREAD_MS = 10;
const TAIL_SEGMENTS = 4;
const NEVER = Number.POSITIVE_INFINITY;

export class Driver<C, R, Q, A> {
  readonly #options: DriverOptions<C, R, Q, A>;
  readonly #proposals: Proposals<R>;
  readonly #reads: Reads<Q, A>;
  readonly #events: DriverEvents;
  readonly #toClose: ClosingStep[];
  #storage: Storage<C, R, Q, A> | null;
  /** Null until the data directory is opened. */
  space: Space<C> | null;
  /** Null until the disk is read. */
  #opened: Opened<C, R, Q, A> | null;
  soundness: Soundness<C, R, Q, A> | null;
  #peers: Peers | null;
  #core: Core | null;
  #turns: Turns | null;
  #transfer: StateTransfer<C, R, Q, A> | null;
  #logServer: LogServer | null;
  readonly #timer: DueTimer;
  #isSliceScheduled: boolean;
  #isWaitingOver: boolean;
  #isStopped: boolean;

  constructor(
    options: DriverOptions<C, R, Q, A>,
    proposals: Proposals<R>,
    reads: Reads<Q, A>,
    events: DriverEvents,
  ) {
    this.#options = options;
    this.#proposals = proposals;
    this.#reads = reads;
    this.#events = events;
    this.#toClose = [];
    this.#storage = null;
    this.space = null;
    this.#opened = null;
    this.#peers = null;
    this.#core = null;
    this.#turns = null;
    this.#transfer = null;
    this.soundness = null;
    this.#logServer = null;
    this.#timer = new DueTimer(options.clock, () => this.#timeIsUp());
    this.#isSliceScheduled = false;
    this.#isWaitingOver = false;
    this.#isStopped = false;
  }

  /** Null until the data directory is opened. */
  get machine(): StateMachine<C, R, Q, A> | null {
    return this.#storage?.machine ?? null;
  }

  /** Null until the replica has joined its cluster. */
  get core(): Core | null {
    return this.#core;
  }

  get appliedUpTo(): number {
    return this.#opened?.executor.appliedUpTo ?? 0;
  }

  get logBytes(): number {
    return this.#opened?.wal.size ?? 0;
  }

  get isOverlayFull(): boolean {
    return this.#opened?.committer.isOverlayFull ?? false;
  }

  /** As the directory has it; null until it is read. */
  get clusterId(): string | null {
    return this.#opened?.identity.clusterId ?? null;
  }

  /** Null until the replica has joined its cluster. */
  get transferring(): Pick<StateTransfer<C, R, Q, A>, "alarms" | "snapshot"> | null {
    return this.#transfer;
  }

  /** Replicas that are linked and of the cluster. */
  get linked(): readonly ReplicaId[] {
    return this.#peers?.linked ?? [];
  }

  get counters(): Record<string, number> {
    return {
      turns: this.#turns?.turn ?? 0,
      executedCommands: this.#opened?.executor.executed ?? 0,
      ignoredMessages: this.#peers?.ignored ?? 0,
      fences: this.soundness?.divergence.fences ?? 0,
      ...(this.space?.counters ?? NO_LACKS),
      ...this.#transfer?.counters,
    };
  }

  /** Reads the disk and brings the machine up to it. Rejects with what is wrong with the directory. */
  async open(): Promise<void> {
    const { id: self, cluster, clock, network } = this.#options;
    const { storage, recoveredLog } = await openPrepared(this.#options);
    this.#storage = storage;
    this.space = await Space.open(this.#storage.disk, this.#storage.machine, {
      clock,
      self,
      segmentBytes: this.#options.segmentBytes ?? SEGMENT_BYTES,
      isStuck: () => this.#opened?.wal.isStuck ?? false,
      isLeading: () => this.#core?.isLeading ?? false,
      others: () => this.linked,
      post: (event) => this.#turns?.post(event),
      events: this.#events,
    });
    if (this.#isWaitingOver) this.space.room.endWaiting();
    const options: OpeningOptions<R> = {
      ...this.#options,
      room: this.space.room,
      replies: this.#proposals,
      toClose: this.#toClose,
      onSynced: (proof) => {
        this.#turns?.onSynced(proof);
        if (!this.#isStopped) this.#opened?.committer.poke(clock.now());
      },
      onLogDamaged: (slot) => this.#transfer?.lost(slot),
      onCommitted: () => {
        this.#transfer?.committed();
        this.#execute();
      },
      onFailed: (error) => this.#events.onBroken(error),
    };
    this.#opened = await open(storage, options, recoveredLog);
    this.#peers = new Peers({
      bootstrap: this.#opened.bootstrap,
      network,
      clock,
      saveGenesis: this.#opened.saveGenesis,
      onComplete: () => this.#begin(),
      onSnapshot: (from, message) => {
        this.#transfer?.onMessage(from, message);
        this.#rearm();
      },
      onFault: (text) => this.#events.onFault(text),
      onFailed: (error) => this.#events.onBroken(error),
    });
    this.soundness = new Soundness(this.#opened, {
      clock,
      network,
      members: cluster.members.map((member) => member.id),
      linked: () => this.linked,
      idle: () => this.#transfer!.idle(),
      isFetching: () => this.#transfer!.isFetching,
      post: (event) => this.#turns?.post(event),
      onFenced: (reason) => this.#shut(reason),
      onWell: (text) => this.#events.onWell(text),
      onFault: (text) => this.#events.onFault(text),
      onBroken: (error) => this.#events.onBroken(error),
    });
  }

  /** Joins the network. Rejects when the address cannot be used. */
  async join(): Promise<void> {
    this.#peers!.begin();
    await this.#options.network.start(this.#opened!.identity, this.#peers!);
  }

  /** Whether this replica never votes, for its disk is not the one that the cluster knows. */
  get isFenced(): boolean {
    return this.#opened?.bootstrap.isFenced ?? false;
  }

  /** Callers want something: there will be a turn. */
  wake(): void {
    if (this.#turns !== null) this.#turns.wake();
    else this.#rearm();
  }

  transfer(to: ReplicaId): void {
    this.#turns?.post({ kind: "transfer", to });
  }

  /** Hands leadership over, and stands no more. */
  leave(): void {
    this.#turns?.post({ kind: "leave" });
  }

  /** Nothing waits for room on the disk any more, the start neither. */
  endWaiting(): void {
    this.#isWaitingOver = true;
    this.space?.room.endWaiting();
  }

  /** Nothing is stepped, sent or executed any more. */
  stop(): void {
    this.#isStopped = true;
    this.endWaiting();
    this.#turns?.stop();
    this.#peers?.stop();
    this.#logServer?.stop();
    this.#transfer?.stop();
    this.#timer.cancel();
  }

  /** After `stop`: everything that was appended is on disk and, when all is well, the machine is committed. */
  async finish(failure: Error | null): Promise<void> {
    const { message } = failure instanceof StateCorrupt ? failure : { message: null };
    await closeAll([
      // First of all: whatever becomes of this process, the next start must not use what is damaged.
      () => (message === null ? undefined : this.#storage?.machine.durable?.condemn?.(message)),
      () => this.#options.network.close(),
      () => this.soundness?.divergence.close(),
      () => this.#transfer?.close(),
      ...this.#toClose,
      () => this.#peers?.close(),
      () => this.#opened?.committer.finish(failure === null),
      () => this.space?.room.close(),
      () => this.#storage?.machine.durable?.close(),
      () => this.#storage?.release(),
    ]);
  }

  /** The cluster is formed: from here on there is a core. */
  #begin(): void {
    const { id, clock, network, heartbeatMs, electionMs, randomHex } = this.#options;
    const { identity, bootstrap, recovered, wal, executor } = this.#opened!;
    const core = this.#options.makeCore({
      self: id,
      incarnation: identity.incarnation,
      memberships: membershipsOf(bootstrap.genesis!),
      recovered,
      seed: Number.parseInt(randomHex(4), 16),
      now: clock.now(),
      heartbeatMs,
      electionMs,
    });
    const turns = new Turns({
      core,
      log: wal,
      network: { send: (to, message) => this.#transfer!.send(to, message) },
      clock,
      requests: [this.#proposals, this.#reads, executor],
      onChosen: (entries) => {
        executor.enqueue(entries);
        this.#execute();
      },
      onNotice: (notice) => this.#onNotice(notice),
      onTurn: () => this.#rearm(),
      onBroken: (error) => this.#events.onBroken(error),
    });
    this.#core = core;
    this.#turns = turns;
    this.#logServer = new LogServer({
      network,
      readChosen: (fromSlot, maxBytes) => wal.readChosen(fromSlot, maxBytes),
      onFault: (text) => this.#events.onFault(text),
    });
    this.#transfer = new StateTransfer(this.#opened!, {
      clock,
      network,
      tailBytes: this.#options.tailBytes ?? TAIL_SEGMENTS * (this.#options.segmentBytes ?? SEGMENT_BYTES),
      post: (event) => turns.post(event),
      isWanted: (from, slot) => this.soundness!.divergence.isWanted(from, slot),
      isTrusted: () => this.soundness!.divergence.isTrusted,
      linked: () => this.linked,
      onHealed: () => this.soundness!.divergence.healed(),
      onInstalled: (hasExecuted) => this.#proposals.superseded(hasExecuted),
      onEnded: () => this.#execute(),
      onDeadline: () => this.#rearm(),
      onFault: (text) => this.#events.onFault(text),
      onBroken: (error) => this.#events.onBroken(error),
    });
    this.soundness!.divergence.start();
    this.#peers!.attach((event) => {
      const admitted = this.space!.admitted(event);
      if (admitted !== null) turns.post(admitted);
    });
    turns.wake();
  }

  #execute(): void {
    if (this.#isStopped || this.#turns === null) return;
    try {
      this.#runSlice();
    } catch (error) {
      this.#events.onBroken(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Whoever waits for something of the state waits no more. */
  #shut(reason: string): void {
    this.#transfer!.giveUp();
    this.#proposals.giveUpAll(reason);
    this.#reads.failAll(new Unavailable(reason));
  }

  /** One slice, then whatever it made possible. */
  #runSlice(): void {
    const { clock } = this.#options;
    const { executor, committer } = this.#opened!;
    executor.run();
    this.soundness!.applied();
    this.#reads.applied(executor.appliedUpTo);
    committer.poke(clock.now());
    this.#rearm();
    if (executor.canRun && !this.#isSliceScheduled) {
      this.#isSliceScheduled = true;
      clock.soon(() => {
        this.#isSliceScheduled = false;
        this.#execute();
      });
    }
    if (executor.needsLog) {
      executor.refill().then(
        (hasMore) => {
          if (hasMore) this.#execute();
          else clock.at(clock.now() + REREAD_MS, () => this.#execute());
        },
        (error: Error) => this.#events.onBroken(error),
      );
    }
  }

  #onNotice(notice: Notice): void {
    switch (notice.kind) {
      case "leader":
        this.#events.onLeader(notice.leader, notice.ballot);
        return;
      case "readReady":
        this.#reads.ready(notice.id, notice.slot, this.appliedUpTo);
        return;
      case "serveLog":
        this.#logServer!.serve(notice.to, notice.fromSlot);
        return;
      case "serveSnapshot":
        this.#transfer!.serve(notice.to);
        return;
      case "compact":
        this.#transfer!.compactLog(notice.upTo);
        return;
      case "lost":
      case "diverged":
      case "divided":
        this.soundness!.onNotice(notice);
        return;
      case "full":
        this.space!.onNotice(notice);
        return;
      case "alarm":
        this.#events.onFault(notice.text);
    }
  }

  #rearm(): void {
    if (this.#isStopped) return;
    const at = Math.min(
      this.#core?.deadline ?? NEVER,
      this.#opened?.committer.deadline ?? NEVER,
      this.#proposals.deadline,
      this.#reads.deadline,
      this.#transfer?.deadline ?? NEVER,
      this.soundness?.divergence.deadline ?? NEVER,
    );
    this.#timer.set(at);
  }

  #timeIsUp(): void {
    if (this.#isStopped) return;
    const now = this.#options.clock.now();
    this.#proposals.expire(now);
    this.#reads.expire(now);
    this.#transfer?.elapse(now);
    this.soundness?.divergence.elapse(now);
    if (this.#opened !== null && this.#opened.committer.deadline <= now) this.#opened.committer.poke(now);
    if (this.#core !== null && this.#core.deadline <= now) this.#turns!.wake();
    else this.#rearm();
  }
}
