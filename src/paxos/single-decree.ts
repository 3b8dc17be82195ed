// Single-decree Paxos: one value, chosen once. Three roles as plain state, for teaching and for the races of S4.
// Rule: `durable` of a step is on disk before its `reply` or `send` leaves (S13); lose it and two values are chosen.
// Source: Lamport, "Paxos Made Simple", section 2.
import { assert } from "../base/assert.js";
import { EMPTY_DIGEST, mixBytes, mixNumber } from "../base/digest.js";
import type { Vote } from "./acceptor-rules.js";
import { highestVote, mayAccept, mayPromise } from "./acceptor-rules.js";
import type { Ballot, ReplicaId } from "./ballot.js";
import { ballotAbove, describeBallot, NO_BALLOT } from "./ballot.js";
import type { Membership } from "./membership.js";
import { isPhase1Quorum, isPhase2Quorum } from "./membership.js";
import type { Value } from "./value.js";
import { sameValue } from "./value.js";

export interface DecreePrepare {
  readonly kind: "prepare";
  readonly ballot: Ballot;
}

/** `vote`: the highest that the acceptor gave below `ballot`, or none. */
export interface DecreePromise {
  readonly kind: "promise";
  readonly ballot: Ballot;
  readonly vote: Vote | null;
}

export interface DecreeAccept {
  readonly kind: "accept";
  readonly ballot: Ballot;
  readonly value: Value;
}

export interface DecreeAccepted {
  readonly kind: "accepted";
  readonly ballot: Ballot;
  readonly value: Value;
}

export interface DecreeReject {
  readonly kind: "reject";
  readonly ballot: Ballot;
  readonly promised: Ballot;
}

/** A learner that missed the `accepted` messages asks for the vote again (S3). */
export interface DecreeAsk {
  readonly kind: "ask";
}

export type DecreeRequest = DecreePrepare | DecreeAccept | DecreeAsk;
export type DecreeReply = DecreePromise | DecreeAccepted | DecreeReject;

/** What an acceptor has on disk. */
export interface AcceptorState {
  readonly promised: Ballot;
  readonly vote: Vote | null;
}

export interface AcceptorStep {
  /** To be on disk before `reply` leaves; null: nothing changed. */
  readonly durable: AcceptorState | null;
  /** Null: nothing to say. */
  readonly reply: DecreeReply | null;
}

/** Promises and votes. A crash loses nothing that a reply spoke of: recover it from its last durable state. */
export class Acceptor {
  /** Never lower than before, in this life or the next. */
  promised: Ballot;
  /** The vote of the highest ballot; `vote.ballot <= promised`. */
  vote: Vote | null;

  constructor(recovered: AcceptorState = { promised: NO_BALLOT, vote: null }) {
    this.promised = recovered.promised;
    this.vote = recovered.vote;
  }

  receive(request: DecreeRequest): AcceptorStep {
    switch (request.kind) {
      case "prepare":
        return this.#prepare(request.ballot);
      case "accept":
        return this.#accept(request.ballot, request.value);
      default:
        return { durable: null, reply: this.vote === null ? null : { kind: "accepted", ...this.vote } };
    }
  }

  #prepare(ballot: Ballot): AcceptorStep {
    const answer = mayPromise(this.promised, ballot);
    if (answer === "reject") return this.#reject(ballot);
    // A vote at `ballot` itself means that its proposer is past phase 1: it needs no promise any more.
    if (this.vote !== null && this.vote.ballot === ballot) return { durable: null, reply: null };
    this.promised = ballot;
    const durable = answer === "promise" ? this.#state() : null;
    return { durable, reply: { kind: "promise", ballot, vote: this.vote } };
  }

  #accept(ballot: Ballot, value: Value): AcceptorStep {
    if (!mayAccept(this.promised, ballot)) return this.#reject(ballot);
    const again = this.vote !== null && this.vote.ballot === ballot;
    if (again) assert(sameValue(this.vote!.value, value), "a ballot proposes one value");
    this.promised = ballot;
    this.vote = { ballot, value };
    return { durable: again ? null : this.#state(), reply: { kind: "accepted", ballot, value } };
  }

  #reject(ballot: Ballot): AcceptorStep {
    return { durable: null, reply: { kind: "reject", ballot, promised: this.promised } };
  }

  #state(): AcceptorState {
    return { promised: this.promised, vote: this.vote };
  }

  copy(): Acceptor {
    return new Acceptor(this);
  }

  digest(): number {
    return mixVote(mixNumber(EMPTY_DIGEST, this.promised), this.vote);
  }

  /** `promised b2.1, voted b1.1 0a`: values in hexadecimal. */
  describe(): string {
    return `promised ${describeBallot(this.promised)}, voted ${describeVote(this.vote)}`;
  }
}

export interface ProposerStep {
  /** The ballot in use, to be on disk before `send` leaves: no ballot serves two lives. 0: nothing to write. */
  readonly durable: Ballot;
  /** To every acceptor; null: nothing to say. */
  readonly send: DecreePrepare | DecreeAccept | null;
}

const NOTHING: ProposerStep = { durable: NO_BALLOT, send: null };

/** Gets a value chosen: its own, unless the promises speak of another that may be chosen (S1, S2). */
export class Proposer {
  readonly self: ReplicaId;
  readonly membership: Membership;
  /** The highest ballot used here, in any life, or seen. */
  highest: Ballot;
  /** The ballot of the attempt under way; 0: none. */
  ballot: Ballot;
  /** What it would like to be chosen. */
  wish: Value | null;
  /** What it proposed at `ballot`; null while in phase 1. */
  proposal: Value | null;
  /** The promises for `ballot`, with the vote that each reported. */
  readonly promises: Map<ReplicaId, Vote | null>;

  constructor(self: ReplicaId, membership: Membership, highest: Ballot = NO_BALLOT) {
    this.self = self;
    this.membership = membership;
    this.highest = highest;
    this.ballot = NO_BALLOT;
    this.wish = null;
    this.proposal = null;
    this.promises = new Map();
  }

  /** Phase 1a, with a ballot above all that it used or saw. */
  propose(wish: Value): ProposerStep {
    this.ballot = ballotAbove(this.highest, this.self);
    this.highest = this.ballot;
    this.wish = wish;
    this.proposal = null;
    this.promises.clear();
    return { durable: this.ballot, send: { kind: "prepare", ballot: this.ballot } };
  }

  receive(from: ReplicaId, reply: DecreeReply): ProposerStep {
    if (reply.kind === "reject") return this.#reject(reply);
    if (reply.kind === "promise") return this.#promise(from, reply);
    return NOTHING;
  }

  /** Phase 2a as soon as a phase-1 quorum has promised. */
  #promise(from: ReplicaId, promise: DecreePromise): ProposerStep {
    if (promise.ballot !== this.ballot || this.proposal !== null || this.wish === null) return NOTHING;
    this.promises.set(from, promise.vote);
    if (!isPhase1Quorum(this.membership, [...this.promises.keys()])) return NOTHING;
    const votes = [...this.promises.values()].filter((vote) => vote !== null);
    this.proposal = highestVote(votes)?.value ?? this.wish;
    return { durable: NO_BALLOT, send: { kind: "accept", ballot: this.ballot, value: this.proposal } };
  }

  #reject(reject: DecreeReject): ProposerStep {
    if (reject.promised > this.highest) this.highest = reject.promised;
    if (reject.ballot === this.ballot && reject.promised > this.ballot) this.ballot = NO_BALLOT;
    return NOTHING;
  }

  copy(): Proposer {
    const copy = new Proposer(this.self, this.membership, this.highest);
    copy.ballot = this.ballot;
    copy.wish = this.wish;
    copy.proposal = this.proposal;
    for (const [from, vote] of this.promises) copy.promises.set(from, vote);
    return copy;
  }

  digest(): number {
    let digest = mixNumber(mixNumber(EMPTY_DIGEST, this.highest), this.ballot);
    digest = mixValue(mixValue(digest, this.wish), this.proposal);
    for (const voter of this.membership.voters) {
      if (this.promises.has(voter)) digest = mixVote(mixNumber(digest, voter), this.promises.get(voter)!);
    }
    return digest;
  }

  /** `b2.1, wish 0a, proposed 0b, promises 1 2`. */
  describe(): string {
    const promises = [...this.promises.keys()].sort((a, b) => a - b).join(" ");
    const [wish, proposal] = [describeValue(this.wish), describeValue(this.proposal)];
    return `${describeBallot(this.ballot)}, wish ${wish}, proposed ${proposal}, promises ${promises || "none"}`;
  }
}

interface Tally {
  readonly value: Value;
  readonly voters: ReplicaId[];
}

/** Counts votes per ballot: a value is chosen when a phase-2 quorum voted for it at one ballot. */
export class Learner {
  readonly membership: Membership;
  readonly tallies: Map<Ballot, Tally>;
  /** Never changes once it is set (S3). */
  chosen: Value | null;

  constructor(membership: Membership) {
    this.membership = membership;
    this.tallies = new Map();
    this.chosen = null;
  }

  /** Returns the chosen value as soon as it is known. */
  receive(from: ReplicaId, vote: DecreeAccepted): Value | null {
    let tally = this.tallies.get(vote.ballot);
    if (tally === undefined) {
      tally = { value: vote.value, voters: [] };
      this.tallies.set(vote.ballot, tally);
    }
    assert(sameValue(tally.value, vote.value), "a ballot proposes one value");
    if (!tally.voters.includes(from)) tally.voters.push(from);
    if (isPhase2Quorum(this.membership, tally.voters)) {
      assert(this.chosen === null || sameValue(this.chosen, tally.value), "one value is chosen");
      this.chosen = tally.value;
    }
    return this.chosen;
  }

  copy(): Learner {
    const copy = new Learner(this.membership);
    for (const [ballot, tally] of this.tallies) {
      copy.tallies.set(ballot, { value: tally.value, voters: [...tally.voters] });
    }
    copy.chosen = this.chosen;
    return copy;
  }

  digest(): number {
    let digest = mixValue(EMPTY_DIGEST, this.chosen);
    for (const ballot of [...this.tallies.keys()].sort((a, b) => a - b)) {
      const tally = this.tallies.get(ballot)!;
      digest = mixValue(mixNumber(digest, ballot), tally.value);
      for (const voter of [...tally.voters].sort((a, b) => a - b)) digest = mixNumber(digest, voter);
    }
    return digest;
  }

  /** `chosen 0a`. */
  describe(): string {
    return `chosen ${describeValue(this.chosen)}`;
  }
}

function mixValue(digest: number, value: Value | null): number {
  return value === null ? mixNumber(digest, 0) : mixBytes(mixNumber(digest, 1), value);
}

function mixVote(digest: number, vote: Vote | null): number {
  return vote === null ? mixNumber(digest, 0) : mixBytes(mixNumber(digest, vote.ballot), vote.value);
}

function describeVote(vote: Vote | null): string {
  return vote === null ? "none" : `${describeBallot(vote.ballot)} ${describeValue(vote.value)}`;
}

function describeValue(value: Value | null): string {
  if (value === null) return "none";
  let text = "";
  for (const byte of value) text += byte.toString(16).padStart(2, "0");
  return text;
}
