// Linearizable reads without the log (2.7): a read is good at slot c = chosenUpTo once a heartbeat round that
// started after it is acknowledged by a phase-2 quorum. An id is used once, so that no late answer counts.
// Source: Ongaro, "Consensus", section 6.4 (read index), with Paxos' quorums.
import { assert } from "../base/assert.js";
import type { Ballot, ReplicaId, Slot } from "./ballot.js";

/** A read of another replica, asked for through `via`; of the own callers `via` is the replica itself. */
export interface ReadRequest {
  readonly via: ReplicaId;
  readonly origin: ReplicaId;
  readonly id: number;
}

/** Reads that a heartbeat round will confirm, at the `chosenUpTo` of its start. */
export interface ReadRound {
  readonly round: number;
  readonly slot: Slot;
  readonly requests: readonly ReadRequest[];
}

interface Attempt {
  readonly id: number;
  readonly reads: readonly number[];
  readonly at: number;
  /** Its reads were asked for anew; an answer that comes all the same counts. */
  readonly isRepeated: boolean;
}

/** Of more attempts the oldest that was repeated is given up; one that was not is all that asks for its reads. */
const ATTEMPTS = 256;

/** Reads of others that wait at a leader; more are dropped, and asked again by them. */
const WAITING_READS = 65536;

export class Reads {
  /** The next id: incarnation and counter, so that no two lives of this replica share one. */
  nextId: number;
  /** The callers' reads that wait to be asked for. */
  fresh: number[];
  /** The leadership that was asked last, and through whom; 0: none. */
  askedOf: Ballot;
  askedVia: ReplicaId;
  /** The callers' reads that are not answered yet. */
  open: Set<number>;
  /** Asked for, with at least one read that is not answered yet; oldest first. */
  attempts: Attempt[];
  /** At the leader: wait for the next round. */
  waiting: ReadRequest[];
  /** At the leader: rounds under way, oldest first. */
  rounds: ReadRound[];

  constructor(incarnation: number) {
    assert(incarnation < 2 ** 20, "an incarnation fits 20 bits");
    this.nextId = incarnation * 2 ** 32 + 1;
    this.fresh = [];
    this.askedOf = 0;
    this.askedVia = 0;
    this.open = new Set();
    this.attempts = [];
    this.waiting = [];
    this.rounds = [];
  }

  add(read: number): void {
    this.open.add(read);
    this.fresh.push(read);
  }

  abandon(read: number): void {
    this.open.delete(read);
    this.#prune();
  }

  /** Forgets what asks for nothing that is open. */
  #prune(): void {
    this.fresh = this.fresh.filter((read) => this.open.has(read));
    this.attempts = this.attempts.filter(({ reads }) => reads.some((read) => this.open.has(read)));
  }

  /**
   * Begins an attempt for all fresh reads, at the leader of `ballot` through `via`; returns its id, 0 when there are
   * none. Where another leads than before, what was asked of that one is asked anew.
   */
  begin(ballot: Ballot, via: ReplicaId, now: number): number {
    if (ballot !== this.askedOf || via !== this.askedVia) this.retry(Number.POSITIVE_INFINITY);
    this.askedOf = ballot;
    this.askedVia = via;
    if (this.fresh.length === 0) return 0;
    const id = this.nextId;
    this.nextId += 1;
    this.attempts.push({ id, reads: this.fresh, at: now, isRepeated: false });
    if (this.attempts.length > ATTEMPTS) {
      const oldest = this.attempts.findIndex(({ isRepeated }) => isRepeated);
      if (oldest >= 0) this.attempts.splice(oldest, 1);
    }
    this.fresh = [];
    return id;
  }

  /** The open reads that the attempt `id` was for; none when it was given up or answered. */
  finish(id: number): readonly number[] {
    const attempt = this.attempts.find((candidate) => candidate.id === id);
    if (attempt === undefined) return [];
    const answered = attempt.reads.filter((read) => this.open.delete(read));
    this.#prune();
    return answered;
  }

  /** The reads of attempts begun before `before` are asked for anew, once, under a fresh id. */
  retry(before: number): void {
    if (!this.attempts.some(({ at, isRepeated }) => at < before && !isRepeated)) return;
    const again = new Set(this.fresh);
    this.attempts = this.attempts.map((attempt) => {
      if (attempt.isRepeated || attempt.at >= before) return attempt;
      for (const read of attempt.reads) if (this.open.has(read)) again.add(read);
      return { ...attempt, isRepeated: true };
    });
    this.fresh = [...again];
  }

  /** At the leader: takes a request for the next round. */
  enqueue(request: ReadRequest): void {
    if (this.waiting.length < WAITING_READS) this.waiting.push(request);
  }

  /** All that wait ride on the heartbeat round `round`, which starts now. */
  ride(round: number, chosenUpTo: Slot): void {
    this.rounds.push({ round, slot: chosenUpTo, requests: this.waiting });
    this.waiting = [];
  }

  /** Stepping down fails everything that waited here; the askers retry. */
  stop(): void {
    this.waiting = [];
    this.rounds = [];
    this.retry(Number.POSITIVE_INFINITY);
  }

  copy(): Reads {
    const copy = Object.assign(new Reads(0), this);
    copy.fresh = [...this.fresh];
    copy.open = new Set(this.open);
    copy.attempts = [...this.attempts];
    copy.waiting = [...this.waiting];
    copy.rounds = [...this.rounds];
    return copy;
  }
}
