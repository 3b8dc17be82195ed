// The engine of one replica: reads the disk, forms or joins the cluster, then runs the core in turns, executes
// what is chosen, commits the machine, and keeps the one timer. `replica.ts` is its face to callers.
import type { StateMachine } from "../machine/machine.js";
import type { Ballot, ReplicaId } from "../paxos/ballot.js";
import { type ClusterConfig, clusterIdOf, decodeGenesis, membershipsOf } from "../paxos/genesis.js";
import type { Notice } from "../paxos/outbox.js";
import { Sessions } from "../paxos/sessions.js";
import type { PaxosOptions, RecoveredState } from "../paxos/state.js";
import type { Disk } from "../wal/disk.js";
import { DataDirectory } from "../wal/identity.js";
import { Wal } from "../wal/wal.js";
import { Bootstrap } from "./bootstrap.js";
import { Committer } from "./committer.js";
import { Executor } from "./executor.js";
import { Peers } from "./peers.js";
import type { Clock, Identity, Network } from "./ports.js";
import type { Proposals } from "./proposals.js";
import type { Reads } from "./reads.js";
import { recoveredState, replay } from "./replay.js";
import { type Core, Turns } from "./turns.js";

/** Bytes of chosen values in one answer to a replica that is behind. */
const SERVE_BYTES = 1 << 20;
/** How long to wait before reading on where the log did not show the next slot yet. */
const REREAD_MS = 10;
const NEVER = Number.POSITIVE_INFINITY;

/** Where a replica keeps its log, and the machine. */
export interface Storage<C, R, Q, A> {
  readonly disk: Disk;
  readonly machine: StateMachine<C, R, Q, A>;
  /** Called when nothing is used any more. */
  release(): Promise<void>;
}

export interface DriverOptions<C, R, Q, A> {
  readonly id: ReplicaId;
  readonly cluster: ClusterConfig;
  /** Called once, at the start: makes sure that nobody else uses the data, and opens it. */
  readonly openStorage: () => Promise<Storage<C, R, Q, A>>;
  readonly network: Network;
  readonly clock: Clock;
  /** Random bytes as hex digits, two for each. */
  readonly randomHex: (bytes: number) => string;
  readonly makeCore: (options: PaxosOptions) => Core;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** Size of a file of the log; 16 MiB. */
  readonly segmentBytes?: number;
}

export interface DriverEvents {
  onLeader(leader: ReplicaId, ballot: Ballot): void;
  onFault(text: string): void;
  /** A failed write, read or assertion: the replica must stop. */
  onBroken(error: Error): void;
}

export class Driver<C, R, Q, A> {
  readonly #options: DriverOptions<C, R, Q, A>;
  readonly #proposals: Proposals<R>;
  readonly #reads: Reads<Q, A>;
  readonly #events: DriverEvents;
  #storage: Storage<C, R, Q, A> | null;
  #wal: Wal | null;
  #executor: Executor<C, R, Q, A> | null;
  #committer: Committer | null;
  #bootstrap: Bootstrap | null;
  #peers: Peers | null;
  #identity: Identity | null;
  #recovered: RecoveredState | null;
  #core: Core | null;
  #turns: Turns | null;
  #timer: { readonly at: number; readonly handle: unknown } | null;
  #isSliceScheduled: boolean;
  #isStopped: boolean;
  /** Replicas to which a part of the log is on its way. */
  readonly #serving: Set<ReplicaId>;

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
    this.#storage = null;
    this.#wal = null;
    this.#executor = null;
    this.#committer = null;
    this.#bootstrap = null;
    this.#peers = null;
    this.#identity = null;
    this.#recovered = null;
    this.#core = null;
    this.#turns = null;
    this.#timer = null;
    this.#isSliceScheduled = false;
    this.#isStopped = false;
    this.#serving = new Set();
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
    return this.#executor?.appliedUpTo ?? 0;
  }

  get logBytes(): number {
    return this.#wal?.size ?? 0;
  }

  get isOverlayFull(): boolean {
    return this.#committer?.isOverlayFull ?? false;
  }

  /** Replicas that are linked and of the cluster. */
  get linked(): readonly ReplicaId[] {
    return this.#peers?.linked ?? [];
  }

  get counters(): Record<string, number> {
    return {
      turns: this.#turns?.turn ?? 0,
      executedCommands: this.#executor?.executed ?? 0,
      ignoredMessages: this.#peers?.ignored ?? 0,
    };
  }

  /** Reads the disk and brings the machine up to it. Rejects with what is wrong with the directory. */
  async open(): Promise<void> {
    const { id, cluster, clock, randomHex } = this.#options;
    this.#storage = await this.#options.openStorage();
    const { disk, machine } = this.#storage;
    const clusterId = clusterIdOf(cluster);
    const directory = await DataDirectory.open(disk, {
      clusterId,
      replica: id,
      randomHex: () => randomHex(16),
    });
    const { diskId, incarnation } = directory.identity;
    this.#identity = { clusterId, replica: id, diskId, incarnation, run: Number.parseInt(randomHex(6), 16) };
    const held = machine.durable?.held() ?? { slot: 0, meta: new Uint8Array(0) };
    const { wal, recovered } = await Wal.open(disk, {
      ...(this.#options.segmentBytes === undefined ? {} : { segmentBytes: this.#options.segmentBytes }),
      appliedUpTo: held.slot,
      clock,
      onSynced: (proof) => {
        this.#turns?.onSynced(proof);
        this.#committer?.poke(clock.now());
      },
      onFailed: (error) => this.#events.onBroken(error),
    });
    this.#wal = wal;
    const shownUpTo = wal.syncedChosenUpTo;
    const sessions = held.meta.length === 0 ? new Sessions() : Sessions.decode(held.meta);
    if (sessions === null) throw new Error("the session table that the state machine holds cannot be read");
    this.#makeMachineSide(machine, wal, held.slot, sessions, incarnation);
    await replay(this.#executor!, recovered.chosenUpTo, () => this.#pauseForCommit());
    this.#recovered = recoveredState(recovered, shownUpTo, this.appliedUpTo);
    const hasVoted = recovered.promised > 0 || recovered.chosenUpTo > 0 || recovered.accepted.length > 0;
    if (directory.genesis !== null && decodeGenesis(directory.genesis) === null) {
      throw new Error("the genesis in the data directory cannot be read: the replica's id must be replaced");
    }
    this.#bootstrap = new Bootstrap(id, diskId, cluster, directory.genesis, hasVoted);
    this.#peers = new Peers({
      bootstrap: this.#bootstrap,
      network: this.#options.network,
      clock,
      saveGenesis: (bytes) => directory.saveGenesis(bytes),
      onComplete: () => this.#begin(),
      onFault: (text) => this.#events.onFault(text),
      onFailed: (error) => this.#events.onBroken(error),
    });
  }

  /** Joins the network. Rejects when the address cannot be used. */
  async join(): Promise<void> {
    this.#peers!.begin();
    await this.#options.network.start(this.#identity!, this.#peers!);
  }

  /** Why this replica never votes; null: it may. */
  get isFenced(): boolean {
    return this.#bootstrap?.isFenced ?? false;
  }

  /** Callers want something: there will be a turn. */
  wake(): void {
    if (this.#turns !== null) this.#turns.wake();
    else this.#rearm();
  }

  transfer(to: ReplicaId): void {
    this.#turns?.post({ kind: "transfer", to });
  }

  /** Nothing is stepped, sent or executed any more. */
  stop(): void {
    this.#isStopped = true;
    this.#turns?.stop();
    this.#peers?.stop();
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer.handle);
    this.#timer = null;
  }

  /** After `stop`: everything that was appended is on disk and, when all is well, the machine is committed. */
  async finish(isWell: boolean): Promise<void> {
    await this.#options.network.close();
    await this.#wal?.close();
    if (isWell) await this.#committer?.finish();
    await this.#storage?.machine.durable?.close();
    await this.#storage?.release();
  }

  #makeMachineSide(
    machine: StateMachine<C, R, Q, A>,
    wal: Wal,
    heldUpTo: number,
    sessions: Sessions,
    incarnation: number,
  ): void {
    const { id, clock } = this.#options;
    const executor = new Executor<C, R, Q, A>({
      machine,
      sessions,
      self: id,
      incarnation,
      appliedUpTo: heldUpTo,
      replies: this.#proposals,
      readChosen: (fromSlot, maxBytes) => wal.readChosen(fromSlot, maxBytes),
      now: () => clock.now(),
    });
    this.#executor = executor;
    this.#committer = new Committer(machine.durable, heldUpTo, {
      log: wal,
      executor,
      meta: () => sessions.encode(),
      onCommitted: () => this.#execute(),
      onFailed: (error) => this.#events.onBroken(error),
    });
  }

  /** Between two slices of the replay: other work, and commits when they are due. */
  #pauseForCommit(): Promise<void> {
    this.#committer?.poke(this.#options.clock.now());
    return new Promise((resolve) => this.#options.clock.soon(resolve));
  }

  /** The cluster is formed: from here on there is a core. */
  #begin(): void {
    const { id, clock, network, heartbeatMs, electionMs, randomHex } = this.#options;
    const core = this.#options.makeCore({
      self: id,
      incarnation: this.#identity!.incarnation,
      memberships: membershipsOf(this.#bootstrap!.genesis!),
      recovered: this.#recovered!,
      seed: Number.parseInt(randomHex(4), 16),
      now: clock.now(),
      heartbeatMs,
      electionMs,
    });
    const turns = new Turns({
      core,
      log: this.#wal!,
      network,
      clock,
      requests: () => [...this.#proposals.take(), ...this.#reads.take()],
      onChosen: (entries) => {
        this.#executor!.enqueue(entries);
        this.#execute();
      },
      onNotice: (notice) => this.#onNotice(notice),
      onTurn: () => this.#rearm(),
      onBroken: (error) => this.#events.onBroken(error),
    });
    this.#core = core;
    this.#turns = turns;
    this.#peers!.attach((event) => turns.post(event));
    turns.wake();
  }

  /** One slice, then whatever it made possible. */
  #execute(): void {
    const executor = this.#executor!;
    const { clock } = this.#options;
    if (this.#isStopped || this.#turns === null) return;
    executor.run();
    this.#reads.applied(executor.appliedUpTo);
    this.#committer!.poke(clock.now());
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
        this.#serveLog(notice.to, notice.fromSlot);
        return;
      case "alarm":
        this.#events.onFault(notice.text);
        return;
    }
  }

  /** One part at a time for each replica: it asks for the next when it has this one. */
  #serveLog(to: ReplicaId, fromSlot: number): void {
    if (this.#serving.has(to)) return;
    this.#serving.add(to);
    this.#wal!.readChosen(fromSlot, SERVE_BYTES).then(
      (entries) => {
        this.#serving.delete(to);
        if (entries.length > 0 && !this.#isStopped) {
          this.#options.network.send([to], { kind: "learned", entries });
        }
      },
      (error: Error) => {
        this.#serving.delete(to);
        this.#events.onFault(`the log cannot be read from slot ${fromSlot} on: ${error.message}`);
      },
    );
  }

  #rearm(): void {
    if (this.#isStopped) return;
    const { clock } = this.#options;
    const at = Math.min(
      this.#core?.deadline ?? NEVER,
      this.#committer?.deadline ?? NEVER,
      this.#proposals.deadline,
      this.#reads.deadline,
    );
    if (at === NEVER || (this.#timer !== null && this.#timer.at <= at)) return;
    if (this.#timer !== null) clock.cancel(this.#timer.handle);
    this.#timer = { at, handle: clock.at(at, () => this.#onTimer()) };
  }

  #onTimer(): void {
    this.#timer = null;
    if (this.#isStopped) return;
    const now = this.#options.clock.now();
    this.#proposals.expire(now);
    this.#reads.expire(now);
    if (this.#committer !== null && this.#committer.deadline <= now) this.#committer.poke(now);
    if (this.#core !== null && this.#core.deadline <= now) this.#turns!.wake();
    else this.#rearm();
  }
}
