// Who should lead: liveness only, nothing here is needed for safety (S6). A replica takes leadership only after
// a canvass found a quorum willing (P1), so that a partly connected one disturbs nobody (2.6).
// Source: Ng et al., "Omni-Paxos" (quorum-connected heartbeats); Ongaro, "Consensus", 9.6 (pre-vote).
import type { Ballot, ReplicaId } from "./ballot.js";
import { Chance } from "./chance.js";
import { isPhase1Quorum, type Membership } from "./membership.js";
import type { CanvassReplyMessage } from "./message.js";

const NEVER = Number.POSITIVE_INFINITY;
/** Milliseconds: suspicions on a closed connection are spread over this, so that one candidate comes first. */
const SUSPICION_SPREAD = 30;
/** Of T: how long what a leader says first may take to come after the handshake with it. */
const GREETING = 0.1;

interface Canvass {
  readonly round: number;
  readonly willing: ReplicaId[];
  readonly refused: ReplicaId[];
}

export class Election {
  readonly self: ReplicaId;
  /** T, in milliseconds. */
  readonly timeout: number;
  readonly chance: Chance;
  /** The leader last heard, the ballot it led, and when it last said that it is quorum-connected. */
  leader: ReplicaId;
  leaderBallot: Ballot;
  heardAt: number;
  /** The connection to the leader closed and could not be had again (F31). */
  isSuspected: boolean;
  /** The highest ballot seen anywhere; the next own one is above it (P1). */
  highestSeen: Ballot;
  /** When to canvass; Infinity while leading. */
  candidacyAt: number;
  /** It has put off its own candidacy for that of another, since it last heard a leader, promised or stood itself. */
  hasYielded: boolean;
  canvass: Canvass | null;
  nextRound: number;
  /** Peers with a link. */
  linked: Set<ReplicaId>;
  /** Peers that this life has met or failed to meet; until all are in and could speak, for T at most, `isFresh`. */
  tried: Set<ReplicaId>;
  /** When a peer was last met for the first time. */
  metAt: number;
  readonly startedAt: number;
  /** It stops soon, and stands no more. */
  isLeaving: boolean;
  /** Named the leader, and has a link to it where this replica has none (F28); 0: none. */
  via: ReplicaId;

  constructor(self: ReplicaId, timeout: number, seed: number, now: number, promised: Ballot) {
    this.self = self;
    this.timeout = timeout;
    this.chance = new Chance(seed);
    this.leader = 0;
    this.leaderBallot = 0;
    this.heardAt = Number.NEGATIVE_INFINITY;
    this.isSuspected = false;
    this.highestSeen = promised;
    this.hasYielded = false;
    this.canvass = null;
    this.nextRound = Math.floor(this.chance.next() * 2 ** 31) + 1;
    this.linked = new Set();
    this.tried = new Set();
    this.metAt = Number.NEGATIVE_INFINITY;
    this.startedAt = now;
    this.isLeaving = false;
    this.via = 0;
    this.candidacyAt = now + this.chance.between(timeout / 10, timeout / 2);
  }

  see(ballot: Ballot): void {
    if (ballot > this.highestSeen) this.highestSeen = ballot;
  }

  /** A message that only the leader of `ballot` sends; true when that leadership is news. */
  hear(leader: ReplicaId, ballot: Ballot): boolean {
    this.see(ballot);
    if (ballot < this.leaderBallot) return false;
    if (ballot === this.leaderBallot) {
      // A replica may have been named as leader since that leads no more.
      const isNews = this.leader !== leader;
      this.leader = leader;
      return isNews;
    }
    this.leader = leader;
    this.leaderBallot = ballot;
    this.isSuspected = false;
    this.heardAt = Number.NEGATIVE_INFINITY;
    this.canvass = null;
    return true;
  }

  /** The leader said that it is quorum-connected. */
  hearConnected(now: number): void {
    this.heardAt = now;
    this.isSuspected = false;
    this.hasYielded = false;
    this.canvass = null;
    this.candidacyAt = now + this.chance.between(this.timeout, 2 * this.timeout);
  }

  /** This replica leads `ballot`. */
  lead(ballot: Ballot): void {
    this.leader = this.self;
    this.leaderBallot = ballot;
    this.heardAt = Number.NEGATIVE_INFINITY;
    this.isSuspected = false;
    this.canvass = null;
    this.candidacyAt = NEVER;
    this.via = 0;
  }

  /** Leads or prepares no more; `soon` where it should try again at once (F25). */
  stop(now: number, soon: boolean): void {
    if (this.leader === this.self) this.leader = 0;
    this.canvass = null;
    this.postpone(now, soon ? 0 : this.timeout / 4, soon ? this.timeout / 25 : this.timeout);
  }

  /** Canvass at a random time from now, replacing the time set before. */
  postpone(now: number, low: number, high: number): void {
    this.candidacyAt = now + this.chance.between(low, high);
  }

  /**
   * Gives one that it would elect the time to become the leader. Once: those who ask again and again, for they reach
   * too few, must not keep the one that reaches a quorum from standing (2.6, quorum-loss).
   */
  yield(now: number): void {
    if (this.hasYielded) return;
    this.hasYielded = true;
    this.candidacyAt = Math.max(
      this.candidacyAt,
      now + this.chance.between(this.timeout / 10, this.timeout / 4),
    );
  }

  /** This replica has promised another's ballot: that one has some time to lead and be heard. */
  support(now: number): void {
    this.hasYielded = false;
    this.postpone(now, this.timeout / 2, this.timeout);
  }

  linkUp(peer: ReplicaId, now: number): void {
    if (!this.tried.has(peer)) this.metAt = now;
    this.linked.add(peer);
    this.tried.add(peer);
    if (peer === this.leader) {
      this.isSuspected = false;
      this.via = 0;
    }
  }

  /** A link is gone for good: the leader behind it is suspected a random, short time later. */
  linkDown(peer: ReplicaId, now: number): void {
    this.linked.delete(peer);
    this.tried.add(peer);
    if (peer === this.via) this.via = 0;
    if (peer !== this.leader || this.candidacyAt === NEVER) return;
    this.isSuspected = true;
    this.candidacyAt = Math.min(this.candidacyAt, now + this.chance.between(0, SUSPICION_SPREAD));
  }

  /** Whether this replica started so lately that it may not know of the present leader. */
  isFresh(now: number, membership: Membership): boolean {
    if (now >= this.startedAt + this.timeout) return false;
    // The peer just met may lead: its heartbeat is on the way.
    if (now < this.metAt + this.timeout * GREETING) return true;
    for (const voter of membership.voters) if (voter !== this.self && !this.tried.has(voter)) return true;
    return false;
  }

  hearsLeader(now: number): boolean {
    return !this.isSuspected && this.leader !== 0 && now - this.heardAt < this.timeout;
  }

  /** The answer to a canvass of `candidate` by a replica that does not lead. */
  isWilling(candidate: ReplicaId, now: number, membership: Membership): boolean {
    if (!membership.voters.includes(candidate)) return false;
    if (candidate === this.leader) return true;
    return !this.isFresh(now, membership) && !this.hearsLeader(now);
  }

  /** Begins a canvass; the own answer is yes. Returns its round. */
  begin(now: number): number {
    this.nextRound += 1;
    this.hasYielded = false;
    this.canvass = { round: this.nextRound, willing: [this.self], refused: [] };
    this.postpone(now, this.timeout / 4, this.timeout / 2);
    return this.nextRound;
  }

  /** Counts an answer. A refused canvass is repeated after a short random wait (F33). */
  answer(from: ReplicaId, reply: CanvassReplyMessage, now: number, membership: Membership): void {
    this.see(reply.promised);
    const canvass = this.canvass;
    if (canvass === null || canvass.round !== reply.round) return;
    if (reply.willing) {
      if (!canvass.willing.includes(from)) canvass.willing.push(from);
      return;
    }
    if (!canvass.refused.includes(from)) canvass.refused.push(from);
    if (reply.leader !== 0 && reply.leader !== this.self) this.route(from, reply.leader, now);
    if (membership.voters.length - canvass.refused.length < membership.phase1) {
      this.canvass = null;
      this.postpone(now, this.timeout / 25, this.timeout / 4);
    }
  }

  /** `peer` hears the leader: where there is no link to it, `peer` is the way (F28). */
  route(peer: ReplicaId, leader: ReplicaId, now: number): void {
    if (this.hearsLeader(now) && this.linked.has(this.leader)) return;
    if (this.linked.has(leader)) return;
    this.leader = leader;
    this.via = peer;
  }

  /** Where messages for the leader go: itself, a replica that hears it, or 0. */
  get way(): ReplicaId {
    if (this.leader === 0 || this.leader === this.self) return 0;
    if (this.linked.has(this.leader)) return this.leader;
    return this.via;
  }

  /** Whether the canvass under way found a phase-1 quorum willing. */
  isElectable(membership: Membership): boolean {
    return this.canvass !== null && isPhase1Quorum(membership, this.canvass.willing);
  }

  copy(): Election {
    const copy = Object.create(Election.prototype) as Election;
    Object.assign(copy, this);
    const canvass = this.canvass;
    copy.canvass =
      canvass === null
        ? null
        : { round: canvass.round, willing: [...canvass.willing], refused: [...canvass.refused] };
    copy.linked = new Set(this.linked);
    copy.tried = new Set(this.tried);
    return Object.assign(copy, { chance: this.chance.copy() });
  }
}
