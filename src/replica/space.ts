// Whether there is room on the disk here, what an operator is told, and who is refused while there is none (F29). Rule:
// what grows the state is refused before it is handed to anyone; after that it may only be lost, as a message is (F17).
import type { StateMachine } from "../machine/machine.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { Message, MessageKind } from "../paxos/message.js";
import type { Notice } from "../paxos/outbox.js";
import type { Command } from "../paxos/value.js";
import type { Disk } from "../wal/disk.js";
import { Room } from "../wal/room.js";
import type { DriverEvents } from "./driver-options.js";
import { NoSpace } from "./errors.js";
import type { Clock } from "./ports.js";

/** One segment for the log, and as much for the state that shrinks. */
const RESERVE_SEGMENTS = 2;
/** How often a leader that cannot sync anything asks another one to lead. */
const HAND_OVER_MS = 1000;
/** A leader that only refuses growth does so at first as often, then half as often each time, down to this. */
const LONGEST_PAUSE_MS = 60_000;
const QUORUM_FULL =
  "the disks of too many replicas are full: what makes the state larger is refused everywhere; free some room there, or " +
  "delete and compact";
/** What would only be kept in memory while nothing can be synced; each is sent again, or asked for again. */
const IN_VAIN: readonly MessageKind[] = ["prepare", "accept", "learned", "transfer"];

export interface SpacePorts {
  readonly clock: Clock;
  readonly segmentBytes: number;
  readonly self: ReplicaId;
  /** The log waits for room: nothing is synced. */
  isStuck(): boolean;
  isLeading(): boolean;
  /** Those that could lead instead. */
  others(): readonly ReplicaId[];
  post(event: Event): void;
  readonly events: Pick<DriverEvents, "onFault" | "onWell" | "onBroken">;
}

/** The counters of one that has had room all the time. */
export const NO_LACKS: Record<string, number> = { fullDisks: 0, droppedForRoom: 0 };

export class Space<C> {
  readonly #machine: Pick<StateMachine<C, unknown, unknown, unknown>, "decode" | "grows">;
  readonly #ports: SpacePorts;
  #room: Room | null;
  /** What had no room first; empty: everything has it. */
  #lacking: string;
  /** Those with room are too few for a quorum. */
  #isQuorumFull: boolean;
  /** How often it handed over since then, and when it may again. */
  #handedOver: number;
  #handOverAt: number;
  #isWatching: boolean;
  /** How often there was no room, and what others handed on and was dropped, in this life. */
  #alarmed: number;
  #dropped: number;

  private constructor(
    machine: Pick<StateMachine<C, unknown, unknown, unknown>, "decode" | "grows">,
    ports: SpacePorts,
  ) {
    this.#machine = machine;
    this.#ports = ports;
    this.#room = null;
    this.#lacking = "";
    this.#isQuorumFull = false;
    this.#handedOver = 0;
    this.#handOverAt = 0;
    this.#isWatching = false;
    this.#alarmed = 0;
    this.#dropped = 0;
  }

  static async open<C>(
    disk: Disk,
    machine: Pick<StateMachine<C, unknown, unknown, unknown>, "decode" | "grows">,
    ports: SpacePorts,
  ): Promise<Space<C>> {
    const space = new Space(machine, ports);
    space.#room = await Room.open({
      disk,
      clock: ports.clock,
      reserveBytes: RESERVE_SEGMENTS * ports.segmentBytes,
      onLack: (what) => space.#lacks(what),
      onRoom: () => {
        space.#lacking = "";
        space.#handedOver = 0;
        space.#handOverAt = 0;
        ports.post({ kind: "room", isFull: false });
        ports.events.onWell("there is room on the disk again");
      },
      onFailed: (error) => ports.events.onBroken(error),
    });
    return space;
  }

  get room(): Room {
    return this.#room!;
  }

  get counters(): Record<string, number> {
    return { fullDisks: this.#alarmed, droppedForRoom: this.#dropped };
  }

  get isLacking(): boolean {
    return this.#lacking !== "";
  }

  get alarms(): readonly string[] {
    const alarms = this.#isQuorumFull ? [QUORUM_FULL] : [];
    if (this.isLacking) {
      alarms.unshift(
        `the disk is full (no room for ${this.#lacking}): what makes the state larger is refused; free some room, or ` +
          "delete and compact",
      );
    }
    return alarms;
  }

  /** Of all replicas: whether those with room are too few for a quorum. */
  onNotice({ isFull }: Notice & { readonly kind: "full" }): void {
    this.#isQuorumFull = isFull;
    if (isFull) this.#ports.events.onFault(QUORUM_FULL);
    else this.#ports.events.onWell("a quorum of the replicas has room on its disks");
  }

  #lacks(what: string): void {
    this.#lacking = what;
    this.#alarmed += 1;
    this.#ports.events.onFault(this.alarms[0]!);
    this.#watch();
  }

  #watch(): void {
    const { clock, isStuck, isLeading, post } = this.#ports;
    if (!this.room.isLacking) return;
    // Each time, for a core may have begun since.
    post({ kind: "room", isFull: true });
    if (isLeading() && (isStuck() || clock.now() >= this.#handOverAt)) this.#handOver();
    // There may have been room for less than a pause.
    if (this.#isWatching) return;
    this.#isWatching = true;
    clock.at(clock.now() + HAND_OVER_MS, () => {
      this.#isWatching = false;
      if (!this.room.isClosed) this.#watch();
    });
  }

  /**
   * A full leader drops what others hand on though they may have room, and one that is stuck learns nothing. Who has
   * room is not asked here: each of the others has its turn, and where all are full, they do it ever more seldom.
   */
  #handOver(): void {
    const { clock, self, others, post } = this.#ports;
    const peers = [...others()].sort((a, b) => a - b);
    if (peers.length === 0) return;
    const next = peers.findIndex((peer) => peer > self);
    post({ kind: "transfer", to: peers[(Math.max(next, 0) + this.#handedOver) % peers.length]! });
    const pause = Math.min(HAND_OVER_MS * 2 ** this.#handedOver, LONGEST_PAUSE_MS);
    this.#handOverAt = clock.now() + pause;
    this.#handedOver += 1;
  }

  /** Why a command of a caller here is not taken; null: it is. */
  refusal(command: C): NoSpace | null {
    if (!this.#refusesGrowth || !this.#grows(command)) return null;
    return new NoSpace(`nothing was proposed, for ${this.alarms[0]}`);
  }

  get #refusesGrowth(): boolean {
    return this.isLacking || this.#isQuorumFull;
  }

  #grows(command: C): boolean {
    return this.#machine.grows?.(command) ?? true;
  }

  /** What of an event goes to the core; null: nothing. */
  admitted(event: Event): Event | null {
    if (!this.#refusesGrowth || event.kind !== "message") return event;
    const message = this.#admitted(event.message);
    return message === null ? null : { ...event, message };
  }

  #admitted(message: Message): Message | null {
    if (this.#ports.isStuck() && IN_VAIN.includes(message.kind)) return null;
    if (message.kind !== "forward" || !this.#ports.isLeading()) return message;
    const commands = message.commands.filter((command) => !this.#isGrowing(command));
    this.#dropped += message.commands.length - commands.length;
    return commands.length === 0 ? null : { ...message, commands };
  }

  #isGrowing({ payload }: Command): boolean {
    let command: C;
    try {
      command = this.#machine.decode(payload);
    } catch (error) {
      // No machine can execute it: it is refused everywhere, and changes nothing.
      if (error instanceof Error) return false;
      throw error;
    }
    return this.#grows(command);
  }
}
