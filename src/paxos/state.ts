// The roles of one replica (S12), side by side: each is plain data that knows nothing of the others; the files
// `following`, `learning`, `leadership`, `proposing` and `serving` hold the steps that involve more than one.
import { Acceptor } from "./acceptor.js";
import type { ReplicaId, Slot } from "./ballot.js";
import { CatchUp } from "./catch-up.js";
import { Digests } from "./digests.js";
import { Election } from "./election.js";
import { Forwarding } from "./forwarding.js";
import { Heartbeats } from "./heartbeats.js";
import { Learner } from "./learner.js";
import { type LostSlots, NONE_LOST } from "./lost-slots.js";
import type { Membership, Memberships } from "./membership.js";
import type { Accepted, ChosenEntry, Faulty } from "./message.js";
import { type Caller, Proposer } from "./proposer.js";
import { Reads } from "./reads.js";

/** What a replica read from its disk when it started. */
export interface RecoveredState {
  readonly promised: number;
  readonly chosenUpTo: Slot;
  /** Slots up to it cannot be served from the log here. */
  readonly compactedUpTo: Slot;
  /** Votes above `chosenUpTo`. */
  readonly accepted: readonly Accepted[];
  /** Values known chosen above `chosenUpTo`, after a gap. */
  readonly learned: readonly ChosenEntry[];
  readonly faulty: readonly Faulty[];
}

export interface PaxosOptions {
  readonly self: ReplicaId;
  /** Counts the lives of this replica; part of the origin of its commands. */
  readonly incarnation: number;
  readonly memberships: Memberships;
  readonly recovered: RecoveredState;
  /** For back-off only. */
  readonly seed: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  /** Milliseconds between heartbeats; 50 is usual. */
  readonly heartbeatMs: number;
  /** T, in milliseconds; 500 is usual. */
  readonly electionMs: number;
}

/** Commands to be told chosen as soon as `chosenUpTo` reaches their slot. */
interface Told {
  readonly slot: Slot;
  readonly callers: readonly Caller[];
}

export class PaxosState {
  readonly self: ReplicaId;
  readonly memberships: Memberships;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly acceptor: Acceptor;
  readonly proposer: Proposer;
  readonly learner: Learner;
  readonly election: Election;
  readonly heartbeats: Heartbeats;
  readonly reads: Reads;
  readonly catchUp: CatchUp;
  readonly forwarding: Forwarding;
  readonly digests: Digests;
  told: Told[];
  /** The newest `chosenUpTo` in the log. */
  recordedUpTo: Slot;
  /** What `accepted.upTo` would be, by turn, for turns not synced yet; then the newest that is synced. */
  unsyncedUpTo: { readonly turn: number; readonly ballot: number; readonly upTo: Slot }[];
  syncedUpTo: Slot;
  syncedBallot: number;
  /** Waits for what others know chosen before it prepares, until then (2.6); 0: does not wait. */
  catchUpUntil: number;
  /** Until then it takes what it misses from a snapshot, and leads nobody; 0: it was offered none. */
  offeredUntil: number;
  /** `chosenUpTo` when it prepared anew because nothing was chosen for long (P7); -1: it did not. */
  preparedAnewAt: Slot;
  /** When it may prepare anew for those who ask for a new ballot (A8). */
  renewAt: number;
  /** The disk here is full. */
  isFull: boolean;
  /** Those with room are no quorum, as the leader finds or has told; and as last told to the driver. */
  isQuorumFull: boolean;
  noticedFull: boolean;
  /** What holds up the recovery, as last told to the driver. */
  noticedLost: LostSlots;
  /** What `others` last found, and of which voters. */
  othersOf: readonly ReplicaId[] | null;
  otherVoters: readonly ReplicaId[];
  /** The leadership last told to the driver. */
  noticedLeader: ReplicaId;
  noticedBallot: number;

  constructor(options: PaxosOptions) {
    const { recovered } = options;
    this.self = options.self;
    this.memberships = options.memberships;
    this.heartbeatMs = options.heartbeatMs;
    this.electionMs = options.electionMs;
    this.acceptor = new Acceptor(recovered.promised, recovered.accepted, recovered.faulty);
    this.proposer = new Proposer();
    this.learner = new Learner(recovered.chosenUpTo, recovered.compactedUpTo, recovered.learned);
    this.election = new Election(
      options.self,
      options.electionMs,
      options.seed,
      options.now,
      recovered.promised,
    );
    this.heartbeats = new Heartbeats();
    this.reads = new Reads(options.incarnation);
    this.catchUp = new CatchUp();
    this.forwarding = new Forwarding(options.self, options.incarnation);
    this.digests = new Digests();
    this.told = [];
    this.recordedUpTo = recovered.chosenUpTo;
    this.unsyncedUpTo = [];
    this.syncedUpTo = recovered.chosenUpTo;
    this.syncedBallot = 0;
    this.catchUpUntil = 0;
    this.offeredUntil = 0;
    this.preparedAnewAt = -1;
    this.renewAt = options.now;
    this.isFull = false;
    this.isQuorumFull = false;
    this.noticedFull = false;
    this.noticedLost = NONE_LOST;
    this.othersOf = null;
    this.otherVoters = [];
    this.noticedLeader = 0;
    this.noticedBallot = 0;
  }

  /** The membership over which canvass, quorum-connected and step-down count (2.6). */
  get membership(): Membership {
    return this.memberships.of(this.learner.chosenUpTo + 1, this.learner.chosenUpTo);
  }

  /** The other voters. */
  get others(): readonly ReplicaId[] {
    const { voters } = this.membership;
    if (this.othersOf !== voters) {
      this.othersOf = voters;
      this.otherVoters = voters.filter((voter) => voter !== this.self);
    }
    return this.otherVoters;
  }

  /** P6: a replica leads only while its own `promised` is its ballot. */
  get isLeading(): boolean {
    return this.proposer.phase === "leading" && this.acceptor.promised === this.proposer.ballot;
  }

  isQuorumConnected(now: number): boolean {
    return this.heartbeats.isQuorumConnected(now - this.electionMs, this.membership, this.self);
  }

  /** `accepted.upTo`: known chosen here, or accepted here at `ballot`, without a gap. */
  contiguousAt(ballot: number): Slot {
    let slot = this.learner.chosenUpTo + 1;
    while (this.learner.above.has(slot) || this.acceptor.votes.get(slot)?.ballot === ballot) slot += 1;
    return slot - 1;
  }

  copy(): PaxosState {
    const copy = Object.create(PaxosState.prototype) as PaxosState;
    return Object.assign(copy, this, {
      acceptor: this.acceptor.copy(),
      proposer: this.proposer.copy(),
      learner: this.learner.copy(),
      election: this.election.copy(),
      heartbeats: this.heartbeats.copy(),
      reads: this.reads.copy(),
      catchUp: this.catchUp.copy(),
      forwarding: this.forwarding.copy(),
      digests: this.digests.copy(),
      told: [...this.told],
      unsyncedUpTo: [...this.unsyncedUpTo],
    });
  }
}
