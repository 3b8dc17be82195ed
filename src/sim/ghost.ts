// What an all-knowing observer remembers of a run: every vote, promise, proposal and read, over all lives.
// Rule: fed only by what replicas append, make durable, send and execute; never by their own state.
import { EMPTY_DIGEST, mixByte, mixNumber } from "../base/digest.js";
import { latin1OfBytes } from "../kv/latin1.js";
import type { Ballot, ReplicaId, Slot } from "../paxos/ballot.js";
import type { Memberships } from "../paxos/membership.js";
import type { PromiseMessage } from "../paxos/message.js";
import type { Value } from "../paxos/value.js";
import { ByBallot } from "./by-ballot.js";
import { BySlot } from "./by-slot.js";

export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken";
}

export type VotesBySlot = BySlot<ByBallot<Value>>;

export interface GhostReplica {
  /** Votes appended in this life, and those of former lives that are on disk. */
  votes: VotesBySlot;
  readonly durableVotes: VotesBySlot;
  /** Values told to it above the first gap, by slot. */
  learned: Map<Slot, Value>;
  durableLearned: Map<Slot, Value>;
  /** The highest promise: appended in this life, on disk, and ever spoken of in a message. */
  promised: Ballot;
  durablePromise: Ballot;
  spokenPromise: Ballot;
  /** The promise that this life began with, and what damage hides from it of the votes on disk, by slot (A4). */
  foundPromise: Ballot;
  hidden: VotesBySlot;
  /** By slot: hidden votes up to this ballot are void, and that is on disk (A8). */
  readonly voided: Map<Slot, Ballot>;
  chosenUpTo: Slot;
  /** Its log was told to forget everything up to it. */
  compactedUpTo: Slot;
  incarnation: number;
  /** The highest slot with a vote, in any life. */
  topVote: Slot;
  /** Votes appended since the last life began, durable by now or not. */
  appended: { readonly slot: Slot; readonly ballot: Ballot }[];
}

export interface GhostRead {
  readonly replica: ReplicaId;
  /** Everything acknowledged or read before it began is at or below. */
  readonly atLeast: Slot;
}

export class Ghost {
  readonly memberships: Memberships;
  readonly replicas = new Map<ReplicaId, GhostReplica>();
  /** Promises that left, by ballot and sender. */
  readonly promises = new Map<Ballot, Map<ReplicaId, PromiseMessage[]>>();
  /** What was proposed, by slot and ballot. */
  readonly proposed: VotesBySlot = new BySlot();
  /** Who has a durable vote, by slot and ballot. */
  readonly voters = new BySlot<ByBallot<ReplicaId[]>>();
  readonly chosen = new BySlot<Value>();
  /** Every slot up to it is chosen. */
  chosenPrefix: Slot = 0;
  /** The highest watermark told at a ballot, up to which `watermarksTrue` was checked. */
  readonly toldUpTo = new Map<Ballot, Slot>();
  /** The life of its owner that a ballot belongs to, as the incarnation. */
  readonly ballotLife = new Map<Ballot, number>();
  readonly lastBallot = new Map<ReplicaId, Ballot>();
  /** The last vote that became durable where its replica had one of another ballot, and did not know what is chosen. */
  castAgain: { readonly id: ReplicaId; readonly slot: Slot; readonly value: Value } | null = null;
  /** How often a replica has called void what damage hides (A8). */
  voids = 0;
  /** Who installed a snapshot last; null: it was looked at. */
  installed: ReplicaId | null = null;
  /** What callers proposed, by `payloadKey`. */
  readonly submitted = new Set<string>();
  readonly reads = new Map<string, GhostRead>();
  /** By slot: what each replica told of its state, in that order; the last word of each counts. */
  readonly digests = new Map<Slot, Map<ReplicaId, number[]>>();
  /** Whose state is to be replaced by that of a majority, in whatever life; and who that is, as this life knows. */
  readonly fenced = new Set<ReplicaId>();
  readonly sources = new Map<ReplicaId, readonly ReplicaId[]>();
  /** The highest slot of a snapshot of which pieces came. */
  readonly brought = new Map<ReplicaId, Slot>();
  /** Snapshots that were offered, by whom. */
  readonly offered = new Set<string>();
  /** From this slot on a fault may have made states differ. */
  rotsFrom: Slot = Number.POSITIVE_INFINITY;
  /** Who has ever joined, and as members of which genesis; empty: nobody has. */
  readonly joined = new Set<ReplicaId>();
  genesis: Uint8Array = new Uint8Array(0);
  /** The highest slot executed anywhere, or answered to a read: no later read may be below it. */
  visibleUpTo: Slot = 0;

  constructor(memberships: Memberships) {
    this.memberships = memberships;
  }

  replica(id: ReplicaId): GhostReplica {
    let replica = this.replicas.get(id);
    if (replica === undefined) {
      replica = {
        votes: new BySlot(),
        durableVotes: new BySlot(),
        learned: new Map(),
        durableLearned: new Map(),
        promised: 0,
        durablePromise: 0,
        spokenPromise: 0,
        foundPromise: 0,
        hidden: new BySlot(),
        voided: new Map(),
        chosenUpTo: 0,
        compactedUpTo: 0,
        incarnation: 0,
        topVote: 0,
        appended: [],
      };
      this.replicas.set(id, replica);
    }
    return replica;
  }

  /** Returns the value if this vote makes it chosen for the first time. */
  countVote(id: ReplicaId, slot: Slot, ballot: Ballot, value: Value): Value | null {
    const ballots = this.voters.get(slot);
    const voters = ballots?.get(ballot) ?? [];
    if (ballots === undefined) this.voters.set(slot, new ByBallot(ballot, voters));
    else if (voters.length === 0) ballots.set(ballot, voters);
    if (!voters.includes(id)) voters.push(id);
    // Counted here, not by the core: an observer that shares the code that it watches sees nothing.
    const { voters: members, phase2 } = this.memberships.first;
    let count = 0;
    for (const voter of voters) if (members.includes(voter)) count += 1;
    return count >= phase2 ? value : null;
  }

  /** The replica lost what was not on disk. */
  forget(id: ReplicaId): void {
    const replica = this.replica(id);
    for (const { slot, ballot } of replica.appended) {
      const votes = replica.votes.get(slot);
      if (votes === undefined || replica.durableVotes.get(slot)?.has(ballot) === true) continue;
      votes.delete(ballot);
      if (votes.size === 0) replica.votes.delete(slot);
    }
    replica.appended = [];
    // Found void in the life that ends, and perhaps not on disk.
    for (const [slot, votes] of replica.hidden) {
      for (const [ballot, value] of votes) putVote(replica.votes, slot, ballot, value);
    }
    replica.hidden = new BySlot();
    replica.learned = new Map(replica.durableLearned);
    replica.promised = replica.durablePromise;
  }
}

export function copyGhostReplica(replica: GhostReplica): GhostReplica {
  return {
    ...replica,
    appended: [...replica.appended],
    votes: copyVotes(replica.votes),
    durableVotes: copyVotes(replica.durableVotes),
    hidden: copyVotes(replica.hidden),
    voided: new Map(replica.voided),
    learned: new Map(replica.learned),
    durableLearned: new Map(replica.durableLearned),
  };
}

/** So many bytes are told as they are, of the others there are digests: a text of thousands is slow to find. */
const WHOLE_BYTES = 64;

/** The bytes of a command as a short text: the same for the same bytes, and another for others, but for great luck. */
export function payloadKey(payload: Uint8Array): string {
  const key = latin1OfBytes(payload, 0, Math.min(payload.length, WHOLE_BYTES));
  const { length } = payload;
  if (length <= WHOLE_BYTES) return key;
  let one = mixNumber(EMPTY_DIGEST, length);
  let other = mixNumber(length, length);
  for (let i = WHOLE_BYTES; i < length; i += 1) {
    one = mixByte(one, payload[i]!);
    other = mixByte(other, payload[i]!);
  }
  return `${key} ${length} ${one} ${other}`;
}

/** A vote as it is appended. */
export function castVote(replica: GhostReplica, slot: Slot, ballot: Ballot, value: Value): void {
  putVote(replica.votes, slot, ballot, value);
  replica.appended.push({ slot, ballot });
  if (slot > replica.topVote) replica.topVote = slot;
}

export function putVote(votes: VotesBySlot, slot: Slot, ballot: Ballot, value: Value): void {
  const ballots = votes.get(slot);
  if (ballots === undefined) votes.set(slot, new ByBallot(ballot, value));
  else ballots.set(ballot, value);
}

function copyVotes(votes: VotesBySlot): VotesBySlot {
  const copy: VotesBySlot = new BySlot();
  for (const [slot, ballots] of votes) copy.set(slot, ballots.copy());
  return copy;
}
