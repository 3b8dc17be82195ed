// What of the log may go, and what takes its place: compaction after commits, snapshots for those who are behind, and
// one from a peer when this replica is (A5, L4); and the scrub of both. Rule: only what the durable state covers goes,
// a tail stays, and so does what somebody needs who is fetching a snapshot; not so what is damaged, and of no use.
import { isNoSpace } from "../base/no-space.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { Message } from "../paxos/message.js";
import type { SnapshotMessage } from "../wire/snapshot-messages.js";
import { install } from "./installing.js";
import type { Opened } from "./opening.js";
import type { Clock, Network } from "./ports.js";
import { Restoring } from "./restoring.js";
import { Scrubber } from "./scrubber.js";
import { SnapshotReceiver } from "./snapshot-receiver.js";
import { SnapshotRoom } from "./snapshot-room.js";
import { SnapshotSender } from "./snapshot-sender.js";
import type { StateSnapshot } from "./status.js";

/** Between two frames of a snapshot that are read for nobody, 256 KiB each. */
const PAUSE_MS = 20;
/** Of the log's tail so much stays while the disk is full. */
const TAIL_OF_FULL = 1 / 4;

export interface StateTransferPorts {
  readonly clock: Clock;
  readonly network: Pick<Network, "send">;
  /** Bytes of log that stay, for replicas that were away for a while. */
  readonly tailBytes: number;
  post(event: Event): void;
  /** Replicas that can be asked. */
  linked(): readonly ReplicaId[];
  /** Whether a snapshot of the state after `slot` is to be fetched from `from`. */
  isWanted(from: ReplicaId, slot: Slot): boolean;
  /** Whether the state here may be given to others. */
  isTrusted(): boolean;
  /** The state was fenced, and is one of the majority's again. */
  onHealed(): void;
  /** The state has come from a snapshot; `hasExecuted`: which of the own commands of this life are in it. */
  onInstalled(hasExecuted: (number: number) => boolean): void;
  /** An installation has ended, well or not: what was chosen meanwhile may be executed. */
  onEnded(): void;
  /** `deadline` may have changed. */
  onDeadline(): void;
  onFault(text: string): void;
  onBroken(error: Error): void;
}

export class StateTransfer<C, R, Q, A> {
  readonly #opened: Opened<C, R, Q, A>;
  readonly #ports: StateTransferPorts;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;
  readonly #restoring: Restoring;
  readonly #scrubber: Scrubber;
  readonly #room: SnapshotRoom;
  /** The highest slot of which the log cannot show the value; 0: none. */
  #lostUpTo: Slot;
  #isCompacting: boolean;
  #isStopped: boolean;

  constructor(opened: Opened<C, R, Q, A>, ports: StateTransferPorts) {
    const { held, executor, committer, wal } = opened;
    this.#opened = opened;
    this.#ports = ports;
    this.#lostUpTo = 0;
    this.#isCompacting = false;
    this.#isStopped = false;
    this.#scrubber = new Scrubber({
      durable: held.durable,
      log: wal,
      checkFiles: () => this.#checkFiles(),
      appliedUpTo: () => executor.appliedUpTo,
      isBusy: () => this.#isStopped || executor.isReplacing,
      now: () => ports.clock.now(),
      onBroken: (error) => ports.onBroken(error),
    });
    const room = new SnapshotRoom({
      now: () => ports.clock.now(),
      isLacking: () => opened.room.isLacking,
      onFault: (text) => ports.onFault(text),
    });
    this.#room = room;
    const common = {
      files: held.snapshots,
      send: ports.network.send.bind(ports.network),
      now: () => ports.clock.now(),
      onFault: (text: string) => ports.onFault(text),
      onFailed: (error: Error) => ports.onBroken(error),
      onNoRoom: () => room.lacked(),
    };
    this.#sender = new SnapshotSender({
      ...common,
      areMachines: held.isSnapshotted,
      compactedUpTo: () => wal.compactedUpTo,
      appliedUpTo: () => executor.appliedUpTo,
      capture: () => {
        const { appliedUpTo: slot, isReplacing, isFenced } = executor;
        if (!room.isThere || isReplacing || isFenced) return null;
        if (held.isSnapshotted || slot < wal.compactedUpTo) return null;
        return { slot, meta: executor.meta(), chunks: room.guarded(held.machine.snapshot()) };
      },
      hasten: () => committer.hasten(ports.clock.now()),
      isLacking: () => opened.room.isLacking,
      onLost: () => committer.lost(held.snapshots.newest?.slot ?? 0, ports.clock.now()),
      isTrusted: () => ports.isTrusted(),
    });
    this.#receiver = new SnapshotReceiver({
      ...common,
      isWanted: (from, slot) => room.isThere && ports.isWanted(from, slot),
      checkRoom: () => room.check(),
      install: (info) => this.#install(info),
      linked: () => ports.linked(),
      onBroken: (info, offset) => this.#restoring.stuck(info, offset),
    });
    this.#restoring = new Restoring(
      {
        ...common,
        heldUpTo: () => executor.appliedUpTo,
        neededUpTo: () => wal.compactedUpTo,
        linked: () => ports.linked(),
        // Who is fenced asks those of the majority, and nobody else.
        isBusy: () => this.#receiver.isFetching || executor.isFenced,
      },
      ports.clock.now(),
    );
  }

  async #checkFiles(): Promise<void> {
    const { wal, repairFiles } = this.#opened;
    const { clock, onFault } = this.#ports;
    wal.restate();
    await this.#sender.scrub(() => new Promise((resolve) => void clock.at(clock.now() + PAUSE_MS, resolve)));
    if (this.#isStopped) return;
    try {
      for (const name of await repairFiles()) {
        onFault(`the file "${name}" of the data directory was damaged or gone: it is written again`);
      }
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      onFault(`a damaged file of the data directory cannot be written again: ${error.message}`);
    }
  }

  /** When `elapse` has something to do. */
  get deadline(): number {
    const { deadline } = this.#restoring;
    return Math.min(deadline, this.#sender.deadline, this.#receiver.deadline, this.#scrubber.deadline);
  }

  /** What an operator should know, as sentences. */
  get alarms(): readonly string[] {
    return [...this.#restoring.alarms, ...this.#room.alarms];
  }

  get counters(): Record<string, number> {
    return {
      snapshotPiecesSent: this.#sender.pieces,
      snapshotBytesReceived: this.#receiver.bytes,
      snapshotsInstalled: this.#receiver.installed,
      damagedLogReads: this.#opened.wal.damagedReads,
      ...this.#scrubber.counters,
    };
  }

  onMessage(from: ReplicaId, message: SnapshotMessage): void {
    switch (message.kind) {
      case "snapshotOffer":
        this.#ports.post({ kind: "offered", from, upTo: message.slot });
        this.#receiver.offered(from, message);
        return;
      case "snapshotRequest":
        this.#sender.asked(from, message);
        return;
      case "snapshotChunk":
        this.#receiver.chunk(from, message);
        return;
    }
  }

  /** Sends for the core. Whose snapshot comes is asked alone: each of the others would write its state for it. */
  send(to: readonly ReplicaId[], message: Message): void {
    const source = message.kind === "learn" ? this.#receiver.sourceOf(message.fromSlot) : 0;
    this.#ports.network.send(source === 0 ? to : [source], message);
  }

  /** `to` needs slots that are gone from the log here. */
  serve(to: ReplicaId): void {
    this.#sender.offer(to);
  }

  /** The state of this moment, or a later one. */
  async snapshot(): Promise<StateSnapshot> {
    const snapshot = await this.#sender.fresh();
    this.#ports.onDeadline();
    return snapshot;
  }

  elapse(now: number): void {
    this.#receiver.elapse(now);
    this.#restoring.elapse(now);
    this.#sender.tidy(now);
    this.#scrubber.elapse(now);
    if (this.#opened.room.isLacking) this.#compact();
  }

  /** The log cannot show the value of a slot: who asks for it is sent the state, as if it were compacted (L5). */
  lost(slot: Slot): void {
    if (slot <= this.#lostUpTo) return;
    this.#lostUpTo = slot;
    this.#ports.onFault(
      `the value of slot ${slot} is damaged in the log: replicas that need it, or one before, are sent the state instead`,
    );
    this.#compact();
  }

  /** What is being fetched is not to be had any more: it may be no better than what is fenced. */
  giveUp(): void {
    this.#receiver.giveUp();
  }

  /** Whether a snapshot is on its way, and comes. */
  get isFetching(): boolean {
    return this.#receiver.isFetching;
  }

  /** Resolves when no snapshot is being made, received or installed. */
  async idle(): Promise<void> {
    await this.#receiver.idle();
    await this.#sender.idle();
  }

  /** To be called after a commit. */
  committed(): void {
    this.#sender.made();
    this.#compact();
  }

  /** What the log keeps for others is the only room that can be made here: the reserve and the next file come first. */
  get #tailBytes(): number {
    return this.#ports.tailBytes * (this.#opened.room.isLacking ? TAIL_OF_FULL : 1);
  }

  #compact(): void {
    const { held, committer, wal, executor } = this.#opened;
    // What a state holds that is not the majority's nobody is shown: the log is all that there is of it here.
    if (this.#isCompacting || this.#isStopped || executor.isFenced) return;
    const safe = held.safeUpTo(committer.heldUpTo);
    const compactable = wal.compactable(Math.min(safe, this.#sender.keepFrom), this.#tailBytes);
    const upTo = Math.max(compactable, this.#lostUpTo <= safe ? this.#lostUpTo : 0);
    if (upTo <= wal.compactedUpTo) return;
    this.#isCompacting = true;
    this.#ports.post({ kind: "compact", upTo });
  }

  /** The core looks for nothing up to `upTo` in the log any more. */
  compactLog(upTo: Slot): void {
    this.#opened.wal.compact(upTo).then(
      () => {
        this.#isCompacting = false;
        // Meanwhile more may have been committed, or found damaged.
        this.#compact();
      },
      (error: Error) => {
        this.#isCompacting = false;
        // One that stops while its log has no room still commits.
        if (!this.#isStopped && !isNoSpace(error)) this.#ports.onBroken(error);
      },
    );
  }

  async #install(info: {
    readonly slot: number;
    readonly bytes: number;
    readonly sum: number;
  }): Promise<void> {
    const { held, executor, committer, wal, identity, room } = this.#opened;
    const { snapshots: files, machine, durable } = held;
    const idle = () => this.#sender.idle();
    const { isFenced } = executor;
    const ports = { files, machine, durable, executor, committer, log: wal, room, idle };
    this.#sender.installs(info.slot);
    try {
      const isInstalled = await install(info, ports).finally(() => {
        this.#sender.received(info.slot);
        this.#ports.onDeadline();
      });
      if (!isInstalled) return;
      const { sessions } = executor;
      const { replica, incarnation } = identity;
      this.#ports.post({ kind: "installed", upTo: info.slot });
      if (isFenced && !executor.isFenced) this.#ports.onHealed();
      this.#ports.onInstalled((number) => sessions.has(replica, incarnation, number));
    } finally {
      this.#ports.onEnded();
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#sender.stop();
  }

  /** Resolves when nothing is under way; what was received stays for the next life. */
  async close(): Promise<void> {
    await this.#receiver.close();
    await this.#sender.close();
    await this.#scrubber.idle();
  }
}
