// One replica as it is explored: the real core, a little disk, the turns not synced yet, and the ghost's part of it.
// Every action is made of real events of the core. Source of the disk's rules: docs/protocol.md, A6, A7 and L5.
import { assert } from "../../base/assert.js";
import { encodeUtf8 } from "../../base/utf8.js";
import { type Ballot, LAST_SLOT, type ReplicaId, type Slot } from "../../paxos/ballot.js";
import type { Event } from "../../paxos/event.js";
import type { Memberships } from "../../paxos/membership.js";
import type { HeartbeatMessage, Message, MessageKind } from "../../paxos/message.js";
import { type Envelope, type LogRecord, Outbox } from "../../paxos/outbox.js";
import { Paxos } from "../../paxos/paxos.js";
import { describeMessage, describeValue } from "../describe-message.js";
import type { Ghost } from "../ghost.js";
import { LittleDisk } from "./little-disk.js";
import { syncedUpTo } from "./proof.js";
import {
  assembleGhost,
  describeGhost,
  newReplicaGhost,
  type Observation,
  observe,
  partOf,
  type ReplicaGhost,
  type Surroundings,
} from "./replica-ghost.js";
import { describeCore } from "./replica-key.js";

const HEARTBEAT_MS = 50;
/** So long that only a takeover, which waits for it, ever sees it pass. */
const ELECTION_MS = 2 ** 40;
/**
 * Other messages are lost on their way: hints, reads and other replicas' commands. So is every `reject`, for it only
 * makes its receiver do less: to lead no more, as it may anyway at any time by taking no further step.
 */
const CARRIED: ReadonlySet<MessageKind> = new Set<MessageKind>([
  "prepare",
  "promise",
  "accept",
  "accepted",
  "heartbeat",
]);

/** What is not on disk yet, of one turn or of several. */
interface Waiting {
  readonly promise: Ballot;
  readonly records: readonly LogRecord[];
  /** What leaves once it is, each message once. */
  readonly messages: ReadonlyMap<string, Envelope<Message>>;
}

export interface Sent {
  readonly to: ReplicaId;
  readonly message: Message;
}

export class ReplicaLife {
  readonly id: ReplicaId;
  readonly memberships: Memberships;
  /** Somebody may find the end of its log damaged: then what leaders say is empty matters (A8). */
  readonly mayHide: boolean;
  core: Paxos;
  disk: LittleDisk;
  /** Null: all is on disk. */
  waiting: Waiting | null;
  ghost: ReplicaGhost;
  incarnation: number;
  /** Milliseconds; this replica's own clock. */
  now: number;
  turn: number;
  syncedTurn: number;
  nextNumber: number;

  constructor(id: ReplicaId, memberships: Memberships, mayHide: boolean) {
    this.id = id;
    this.memberships = memberships;
    this.mayHide = mayHide;
    this.disk = new LittleDisk(0, []);
    this.waiting = null;
    this.ghost = newReplicaGhost(memberships, id);
    this.incarnation = 1;
    this.now = 0;
    this.turn = 0;
    this.syncedTurn = 0;
    this.nextNumber = 1;
    this.core = start(this);
  }

  /** A new life, from what is on disk. */
  restart(): void {
    this.incarnation += 1;
    this.waiting = null;
    this.turn = 0;
    this.syncedTurn = 0;
    this.nextNumber = 1;
    this.core = start(this);
  }

  copy(): ReplicaLife {
    const copy = Object.create(ReplicaLife.prototype) as ReplicaLife;
    return Object.assign(copy, this, { core: this.core.copy() });
  }

  /** Equal for replicas that do and show the same from now on. */
  key(): string {
    return [
      `${this.id} ${this.incarnation} ${this.nextNumber}`,
      describeCore(this.core.state, this.syncedTurn, this.mayHide),
      this.disk.describe(describeValue),
      describeWaiting(this.waiting),
      describeGhost(this.ghost),
    ].join("\n");
  }

  /** What it answers when `asker` wants to know what is chosen from `fromSlot` on (L4); null: nothing. */
  answer(asker: ReplicaId, fromSlot: Slot): Message | null {
    if (this.core.chosenUpTo < fromSlot) return null;
    const outbox = new Outbox(this.turn + 1);
    const message: Message = { kind: "learn", fromSlot };
    this.core.copy().step({ kind: "message", from: asker, message }, this.now, outbox);
    if (outbox.sendNow.length > 0) return outbox.sendNow[0]!.message;
    if (outbox.notices[0]?.kind !== "serveLog") return null;
    const entries = this.disk.chosenFrom(fromSlot);
    return entries.length === 0 ? null : { kind: "learned", entries };
  }

  /** Whether `message` can change nothing here any more, not after a crash either: it is as good as lost. */
  ignores(message: Message): boolean {
    const { proposer } = this.core.state;
    switch (message.kind) {
      case "prepare":
        return message.ballot <= this.disk.promised;
      case "accept":
        return message.ballot < this.disk.promised;
      case "promise":
      case "accepted":
        return proposer.phase === "idle" || proposer.ballot !== message.ballot;
      case "heartbeat":
        if (message.ballot < this.disk.promised) return true;
        if (proposer.phase !== "idle" && message.ballot > proposer.ballot) return false;
        return !this.mayHide && message.chosenUpTo <= this.disk.chosenUpTo;
      default:
        return false;
    }
  }

  /** Whether it will count an own vote or promise when what waits is on disk (P1, P8). */
  get countsOnSync(): boolean {
    const { proposer } = this.core.state;
    if (proposer.phase === "preparing" && proposer.promiseTurn > this.syncedTurn) return true;
    for (const proposal of proposer.inFlight.values()) if (proposal.turn > this.syncedTurn) return true;
    return false;
  }

  /** The slot that the next command would take; 0: this replica cannot propose. */
  get freeSlot(): Slot {
    if (!this.core.isLeading) return 0;
    const { learner, proposer } = this.core.state;
    let slot = proposer.freeFrom(learner.chosenUpTo);
    while (learner.isChosen(slot)) slot += 1;
    return slot;
  }
}

function start({ id, incarnation, memberships, disk, now }: ReplicaLife): Paxos {
  const core = new Paxos({
    self: id,
    incarnation,
    memberships,
    recovered: disk.recover(),
    seed: id,
    now,
    heartbeatMs: HEARTBEAT_MS,
    electionMs: ELECTION_MS,
  });
  const outbox = new Outbox(0);
  for (const peer of core.state.others) core.step({ kind: "linkUp", peer }, now, outbox);
  return core;
}

/** An action of a replica under way: changes `life`, and notes what it sends and what the ghost saw. */
export class Act {
  readonly life: ReplicaLife;
  readonly ghost: Ghost;
  readonly sent: Sent[] = [];
  readonly seen: Observation[] = [];
  readonly #mayCrash: boolean;
  /** What is sent again says nothing new: the first copy can still come, and the heartbeat has the watermark. */
  #losesAccepts = false;

  /** `mayCrash`: what is not on disk may still be lost. */
  constructor(life: ReplicaLife, mayCrash: boolean, around: Surroundings) {
    this.life = life;
    this.#mayCrash = mayCrash;
    this.ghost = assembleGhost(life.memberships, life.id, life.ghost, around);
  }

  finish(): void {
    const { proposer } = this.life.core.state;
    this.life.ghost = partOf(this.ghost, this.life.id, proposer.phase === "idle" ? 0 : proposer.ballot);
  }

  deliver(from: ReplicaId, message: Message): void {
    this.#turn([{ kind: "message", from, message }]);
  }

  /** A command of a caller who does not wait: it is handed over once. */
  propose(): void {
    const { life } = this;
    const number = life.nextNumber;
    life.nextNumber += 1;
    const payload = encodeUtf8(commandText(life.id, life.incarnation, number));
    this.#turn([{ kind: "propose", number, settled: 0, payload }]);
    life.core.step({ kind: "abandon", number }, life.now, new Outbox(life.turn));
  }

  /** Time passes until a heartbeat is due. */
  wait(): void {
    this.life.now += 4 * HEARTBEAT_MS;
    this.#losesAccepts = true;
    this.#turn([{ kind: "tick" }]);
    this.#losesAccepts = false;
  }

  /**
   * Time passes until it leads no more and canvasses; another replica is willing, and names `highest` (P1). False: it
   * is no candidate.
   */
  takeOver(highest: Ballot): boolean {
    const { life } = this;
    const { election, proposer, others } = life.core.state;
    const before = proposer.ballot;
    for (let tries = 0; tries < 4 && proposer.ballot === before; tries += 1) {
      life.now += 4 * ELECTION_MS;
      this.#turn([{ kind: "tick" }]);
      const round = election.canvass?.round;
      if (round === undefined) continue;
      this.deliver(others[0]!, {
        kind: "canvassReply",
        round,
        willing: true,
        promised: highest,
        chosenUpTo: 0,
        leader: 0,
      });
    }
    return proposer.ballot !== before;
  }

  /** Everything that waits is on disk; what waited for it leaves (A7). */
  sync(): void {
    const { life } = this;
    assert(life.waiting !== null, "a replica syncs when something waits for it");
    const { promise, records, messages } = life.waiting;
    const isCounting = life.countsOnSync;
    life.waiting = null;
    life.disk = life.disk.write(promise, records);
    life.syncedTurn = life.turn;
    for (const record of records) this.#see({ kind: "durable", record });
    this.#see({ kind: "synced", promised: life.disk.promised });
    for (const envelope of messages.values()) this.#send(envelope);
    if (isCounting) this.#turn([{ kind: "synced", turn: life.syncedTurn }]);
  }

  /** The process ends, what was not synced is lost, and a new one starts; `hides`: and does not know what was there. */
  crash(hides: boolean): void {
    const { life } = this;
    if (hides) life.disk = life.disk.hideEnd();
    life.restart();
    this.#see({ kind: "restart", recovered: life.disk.recover(), executed: life.disk.chosenFrom(1) });
  }

  #see(seen: Observation): void {
    this.seen.push(seen);
    observe(this.ghost, this.life.id, seen);
  }

  #send({ to, message }: Envelope<Message>): void {
    if (!CARRIED.has(message.kind) || (message.kind === "accept" && this.#losesAccepts)) return;
    const { mayHide } = this.life;
    if (message.kind === "heartbeat" && message.chosenUpTo === 0 && !mayHide) return;
    this.#see({ kind: "send", message });
    const carried = message.kind === "heartbeat" ? plainHeartbeat(message, mayHide) : message;
    for (const target of to) this.sent.push({ to: target, message: carried });
  }

  #turn(events: readonly Event[]): void {
    const { life } = this;
    const { core } = life;
    life.turn += 1;
    const outbox = new Outbox(life.turn);
    for (const event of events) core.step(event, life.now, outbox);
    core.endTurn(life.now, outbox);
    for (const record of outbox.records) this.#see({ kind: "append", record });
    const leads = core.isLeading ? core.state.proposer.ballot : 0;
    this.#see({ kind: "turn", promised: core.promised, told: outbox.promise, leads });
    for (const entry of outbox.chosen) this.#see({ kind: "execute", entry });
    for (const envelope of outbox.sendNow) this.#send(envelope);
    const afterSync = outbox.releaseAfterSync(syncedUpTo(life.turn));
    if (life.waiting === null && outbox.promise === 0 && outbox.records.length === 0) {
      // Nothing to write, and nothing before it that is not on disk: it need not wait.
      for (const envelope of afterSync) this.#send(envelope);
    } else {
      life.waiting = joined(life.waiting, outbox.promise, outbox.records, afterSync);
      if (!this.#mayCrash && !life.countsOnSync) this.sync();
    }
  }
}

/** Rounds and the sender's connectedness serve reads and liveness only; heartbeats differ by what they say chosen. */
function plainHeartbeat(message: HeartbeatMessage, mayHide: boolean): HeartbeatMessage {
  const emptyAbove = mayHide ? message.emptyAbove : LAST_SLOT;
  return { ...message, round: 1, quorumConnected: true, emptyAbove };
}

function joined(
  before: Waiting | null,
  promise: Ballot,
  records: readonly LogRecord[],
  afterSync: readonly Envelope<Message>[],
): Waiting {
  const messages = new Map(before?.messages);
  for (const envelope of afterSync) {
    messages.set(`${envelope.to} ${describeMessage(envelope.message)}`, envelope);
  }
  return {
    promise: Math.max(before?.promise ?? 0, promise),
    records: [...(before?.records ?? []), ...records],
    messages,
  };
}

function describeWaiting(waiting: Waiting | null): string {
  if (waiting === null) return "";
  const { promise, records, messages } = waiting;
  return `${promise} ${records.map(describeRecord)} ${[...messages.keys()].sort()}`;
}

/** `a11`: of replica 1 (a), in its life 1, the command 1. */
export function commandText(id: ReplicaId, incarnation: number, number: number): string {
  return `${"abcdefg"[id - 1]!}${incarnation}${number}`;
}

function describeRecord(record: LogRecord): string {
  if (record.kind === "chosen") return `c${record.upTo}`;
  if (record.kind === "void") return `v${record.from}:${record.ballot}`;
  const ballot = record.kind === "accepted" ? record.ballot : 0;
  return `${record.slot}:${ballot}:${describeValue(record.value)}`;
}
