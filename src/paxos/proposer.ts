// The proposer: prepares once for all slots (P2), re-proposes what may be chosen and fills gaps (P3), proposes
// new commands (P4, P5), and counts votes per slot and ballot (L1). Source: "Paxos Made Simple", section 3.
import { assert } from "../base/assert.js";
import { type Ballot, LAST_SLOT, type ReplicaId, type Slot } from "./ballot.js";
import { isPhase2Quorum, type Memberships } from "./membership.js";
import { PhaseOne } from "./phase-one.js";
import { type Command, commandSize, encodeBatch, NOOP, type Value } from "./value.js";

const VALUE_BYTES = 1 << 20;
const VALUE_COMMANDS = 4096;
/**
 * Proposals under way hold at most about this; a single larger command goes alone. A successor is told all of it in
 * promises, and proposes it again: if that takes longer than an election timeout, nobody leads for long.
 */
const IN_FLIGHT_BYTES = 8 << 20;
/** Commands that wait for a slot; what other replicas forward beyond it is dropped, and sent again by them. */
const QUEUE_BYTES = 64 << 20;

/** Commands of another replica, to which `via` is told when they are chosen. */
export interface Caller {
  readonly via: ReplicaId;
  readonly origin: ReplicaId;
  readonly incarnation: number;
  readonly numbers: number[];
}

export interface Proposal {
  readonly slot: Slot;
  readonly value: Value;
  /** Who has acknowledged it at this ballot; each once (L1). */
  readonly votes: ReplicaId[];
  /** The own vote counts when this turn is synced (P8). */
  readonly turn: number;
  readonly proposedAt: number;
  sentAt: number;
  readonly callers: readonly Caller[];
}

interface Waiting {
  readonly command: Command;
  readonly via: ReplicaId;
}

/** `idle`: not leading; `preparing`: phase 1 under way; `leading`: a phase-1 quorum has promised. */
export type ProposerPhase = "idle" | "preparing" | "leading";

export class Proposer {
  phase: ProposerPhase;
  /** The ballot prepared or led; a ballot once given up is never led again (P6). */
  ballot: Ballot;
  phaseOne: PhaseOne;
  /** When this ballot began, and when its `prepare` was last sent. */
  startedAt: number;
  preparedAt: number;
  /** The own promise counts when this turn is synced (P1). */
  promiseTurn: number;
  firstSlot: Slot;
  nextSlot: Slot;
  /** Of a ballot that is led: as its heartbeats say it. */
  emptyAbove: Slot;
  inFlight: Map<Slot, Proposal>;
  inFlightBytes: number;
  waiting: Waiting[];
  waitingFrom: number;
  waitingBytes: number;

  constructor() {
    this.phase = "idle";
    this.ballot = 0;
    this.phaseOne = new PhaseOne(0);
    this.startedAt = 0;
    this.preparedAt = 0;
    this.promiseTurn = 0;
    this.firstSlot = 1;
    this.nextSlot = 1;
    this.emptyAbove = LAST_SLOT;
    this.inFlight = new Map();
    this.inFlightBytes = 0;
    this.waiting = [];
    this.waitingFrom = 0;
    this.waitingBytes = 0;
  }

  /** Begins phase 1 of a new ballot for every slot from `firstSlot`. */
  prepare(ballot: Ballot, firstSlot: Slot, turn: number, now: number): void {
    assert(ballot > this.ballot, "a ballot is used once");
    this.stop();
    this.phase = "preparing";
    this.ballot = ballot;
    this.phaseOne = new PhaseOne(ballot);
    this.startedAt = now;
    this.preparedAt = now;
    this.promiseTurn = turn;
    this.firstSlot = firstSlot;
    this.nextSlot = firstSlot;
    this.emptyAbove = LAST_SLOT;
  }

  /** P6: leads no more. Proposals may still be chosen, through the next leader. */
  stop(): void {
    this.phase = "idle";
    this.inFlight = new Map();
    this.inFlightBytes = 0;
    this.waiting = [];
    this.waitingFrom = 0;
    this.waitingBytes = 0;
  }

  /** False: too much waits already. The own callers are bounded by the driver and always taken. */
  enqueue(command: Command, via: ReplicaId, isOwn: boolean): boolean {
    if (!isOwn && this.waitingBytes > QUEUE_BYTES) return false;
    this.waiting.push({ command, via });
    this.waitingBytes += commandSize(command);
    return true;
  }

  get isWaiting(): boolean {
    return this.waitingFrom < this.waiting.length;
  }

  /** The value to re-propose in a slot of the recovery; undefined: it cannot be told yet (P3). */
  recovered(slot: Slot, memberships: Memberships, chosenUpTo: Slot): Value | undefined {
    if (!this.phaseOne.isCovered(slot, memberships.of(slot, chosenUpTo))) return undefined;
    return this.phaseOne.valueAt(slot) ?? NOOP;
  }

  /** New commands go to slots from here on: above all that was proposed, reported or is known chosen (P4). */
  freeFrom(chosenUpTo: Slot): Slot {
    return Math.max(this.nextSlot, this.phaseOne.recoverUpTo + 1, chosenUpTo + 1);
  }

  /** Whether a new command may be proposed in `slot` now (P3, P5). */
  mayProposeNew(slot: Slot, memberships: Memberships, chosenUpTo: Slot): boolean {
    if (this.inFlightBytes > IN_FLIGHT_BYTES || !memberships.mayPropose(slot, chosenUpTo)) return false;
    return this.phaseOne.isCovered(slot, memberships.of(slot, chosenUpTo));
  }

  /** Takes what waits, up to the size of a value. */
  takeBatch(self: ReplicaId): { readonly value: Value; readonly callers: readonly Caller[] } {
    const commands: Command[] = [];
    const callers: Caller[] = [];
    let bytes = 0;
    while (this.isWaiting && commands.length < VALUE_COMMANDS) {
      const { command, via } = this.waiting[this.waitingFrom]!;
      const size = commandSize(command);
      if (commands.length > 0 && bytes + size > VALUE_BYTES) break;
      this.waitingFrom += 1;
      this.waitingBytes -= size;
      bytes += size;
      commands.push(command);
      if (via !== self) noteCaller(callers, via, command);
    }
    if (!this.isWaiting) {
      this.waiting = [];
      this.waitingFrom = 0;
    } else if (this.waitingFrom > VALUE_COMMANDS) {
      this.waiting = this.waiting.slice(this.waitingFrom);
      this.waitingFrom = 0;
    }
    return { value: encodeBatch(commands), callers };
  }

  /** Notes the proposal of `value` in `slot`: at this ballot there is no other (invariant 6). */
  propose(slot: Slot, value: Value, callers: readonly Caller[], turn: number, now: number): void {
    assert(this.phase === "leading", "only a leader proposes");
    assert(!this.inFlight.has(slot), "a slot is proposed once at a ballot");
    this.inFlight.set(slot, { slot, value, votes: [], turn, proposedAt: now, sentAt: now, callers });
    this.inFlightBytes += value.length;
    this.nextSlot = Math.max(this.nextSlot, slot + 1);
  }

  /** Counts a vote (L1); true when the proposal is now chosen. */
  count(proposal: Proposal, voter: ReplicaId, memberships: Memberships, chosenUpTo: Slot): boolean {
    if (!proposal.votes.includes(voter)) proposal.votes.push(voter);
    return isPhase2Quorum(memberships.of(proposal.slot, chosenUpTo), proposal.votes);
  }

  /** The slot is chosen: nothing more to count. */
  remove(proposal: Proposal): void {
    if (this.inFlight.delete(proposal.slot)) this.inFlightBytes -= proposal.value.length;
  }

  copy(): Proposer {
    const copy = Object.assign(new Proposer(), this);
    copy.phaseOne = this.phaseOne.copy();
    copy.inFlight = new Map();
    for (const [slot, proposal] of this.inFlight) {
      copy.inFlight.set(slot, { ...proposal, votes: [...proposal.votes] });
    }
    copy.waiting = [...this.waiting];
    return copy;
  }
}

function noteCaller(callers: Caller[], via: ReplicaId, command: Command): void {
  for (const caller of callers) {
    if (caller.via !== via || caller.origin !== command.origin) continue;
    if (caller.incarnation !== command.incarnation) continue;
    caller.numbers.push(command.number);
    return;
  }
  callers.push({ via, origin: command.origin, incarnation: command.incarnation, numbers: [command.number] });
}
