// The leader's heartbeat rounds: they confirm reads and tell whether a quorum still hears the leader. An
// acknowledgement counts by when its heartbeat was sent, not by when it came back (F35).
import type { ReplicaId } from "./ballot.js";
import { type Membership, makesPhase2Quorum } from "./membership.js";

/** Rounds remembered; an acknowledgement of an older one says too little to count. */
const ROUNDS = 256;

export class Heartbeats {
  /** The newest round; grows over all ballots of one life, so that no round is named twice. */
  round: number;
  /** When round `r` was sent, at `r % ROUNDS`. */
  sentAt: number[];
  /** The newest round that each replica has acknowledged, for the present ballot. */
  acked: Map<ReplicaId, number>;
  /** When the newest acknowledged heartbeat of each replica was sent. */
  ackedSentAt: Map<ReplicaId, number>;
  /** Those who ask for a new ballot in their newest acknowledgement (A8), with the round in which they began to. */
  asking: Map<ReplicaId, number>;
  /** Those whose disks are full, as their newest acknowledgement says. */
  full: Set<ReplicaId>;
  nextAt: number;

  constructor() {
    this.round = 0;
    this.sentAt = new Array<number>(ROUNDS).fill(0);
    this.acked = new Map();
    this.ackedSentAt = new Map();
    this.asking = new Map();
    this.full = new Set();
    this.nextAt = 0;
  }

  /** A new ballot is led: those who promised it are counted as heard just now. */
  start(promised: readonly ReplicaId[], now: number): void {
    this.acked = new Map();
    this.ackedSentAt = new Map();
    this.asking = new Map();
    this.full = new Set();
    for (const replica of promised) this.ackedSentAt.set(replica, now);
    this.nextAt = now;
  }

  /** Begins the next round. */
  begin(now: number, interval: number): number {
    this.round += 1;
    this.sentAt[this.round % ROUNDS] = now;
    this.nextAt = now + interval;
    return this.round;
  }

  acknowledge(
    from: ReplicaId,
    round: number,
    said: { readonly damaged: boolean; readonly full: boolean },
  ): void {
    if (round > this.round || round <= this.round - ROUNDS) return;
    if (round <= (this.acked.get(from) ?? 0)) return;
    this.acked.set(from, round);
    this.ackedSentAt.set(from, this.sentAt[round % ROUNDS]!);
    if (!said.damaged) this.asking.delete(from);
    else if (!this.asking.has(from)) this.asking.set(from, round);
    if (said.full) this.full.add(from);
    else this.full.delete(from);
  }

  /** Whether a phase-2 quorum, `self` included, has acknowledged `round` or a later one. */
  isConfirmed(round: number, membership: Membership, self: ReplicaId): boolean {
    let confirming = 0;
    for (const voter of membership.voters) {
      if (voter === self || (this.acked.get(voter) ?? -1) >= round) confirming += 1;
    }
    return makesPhase2Quorum(membership, confirming);
  }

  /** Whether a quorum, `self` included, has acknowledged heartbeats sent after `since`. */
  isQuorumConnected(since: number, membership: Membership, self: ReplicaId): boolean {
    let connected = 0;
    for (const voter of membership.voters) {
      if (voter === self || (this.ackedSentAt.get(voter) ?? Number.NEGATIVE_INFINITY) > since) connected += 1;
    }
    return makesPhase2Quorum(membership, connected);
  }

  /**
   * Of the others those who ask for nothing, and have acknowledged, since somebody began to ask, a heartbeat that was
   * sent after `since`.
   */
  content(since: number): ReplicaId[] {
    const first = Math.min(...this.asking.values());
    const content: ReplicaId[] = [];
    for (const [replica, round] of this.acked) {
      const isThere = round >= first && this.ackedSentAt.get(replica)! > since;
      if (isThere && !this.asking.has(replica)) content.push(replica);
    }
    return content;
  }

  copy(): Heartbeats {
    const copy = Object.assign(new Heartbeats(), this);
    copy.sentAt = [...this.sentAt];
    copy.acked = new Map(this.acked);
    copy.ackedSentAt = new Map(this.ackedSentAt);
    copy.asking = new Map(this.asking);
    copy.full = new Set(this.full);
    return copy;
  }
}
