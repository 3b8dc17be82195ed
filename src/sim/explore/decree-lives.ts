// An acceptor and a proposer of single-decree Paxos as they are explored: the real role, a little disk, what waits to
// be written, and everything sent so far. Rule: `durable` of a step is on disk before its message leaves (S13).

import { assert } from "../../base/assert.js";
import { type Ballot, describeBallot, NO_BALLOT, type ReplicaId, replicaOf } from "../../paxos/ballot.js";
import type { Membership } from "../../paxos/membership.js";
import {
  Acceptor,
  type AcceptorState,
  type DecreeReply,
  type DecreeRequest,
  Proposer,
  type ProposerStep,
} from "../../paxos/single-decree.js";
import type { Value } from "../../paxos/value.js";
import { InvariantBroken } from "../ghost.js";

/** What is not on disk yet, in the order in which it is written, and what leaves once it is. */
interface Waiting<D, M> {
  readonly durable: readonly D[];
  readonly messages: ReadonlyMap<string, M>;
}

export class AcceptorLife {
  role = new Acceptor();
  disk: AcceptorState = { promised: NO_BALLOT, vote: null };
  waiting: Waiting<AcceptorState, DecreeReply> | null = null;
  sent: ReadonlyMap<string, DecreeReply> = new Map();
  /** Every vote that ever was on disk. */
  votes: ReadonlyMap<Ballot, Value> = new Map();
  /** The highest promise on disk when something was sent; the next life must keep it. */
  spoken: Ballot = NO_BALLOT;
  crashes: number;

  constructor(crashes: number) {
    this.crashes = crashes;
  }

  copy(): AcceptorLife {
    const copy = Object.create(AcceptorLife.prototype) as AcceptorLife;
    return Object.assign(copy, this, { role: this.role.copy() });
  }

  receive(request: DecreeRequest): void {
    const { durable, reply } = this.role.receive(request);
    // A reject only makes its receiver do less, or use a higher ballot later: it is lost.
    const said = reply?.kind === "reject" ? null : reply;
    if (durable === null && said === null) return;
    const messages = new Map(this.waiting?.messages);
    if (said !== null) messages.set(describeReply(said), said);
    const before = this.waiting?.durable ?? [];
    this.waiting = { durable: durable === null ? before : [...before, durable], messages };
    // One that will not crash loses nothing, and what it sends may be late anyway.
    if (this.waiting.durable.length === 0 || this.crashes === 0) this.sync();
  }

  sync(): void {
    const { durable, messages } = this.waiting!;
    this.waiting = null;
    for (const state of durable) {
      this.disk = state;
      if (state.vote !== null) this.votes = new Map(this.votes).set(state.vote.ballot, state.vote.value);
    }
    this.spoken = Math.max(this.spoken, this.disk.promised);
    const sent = new Map(this.sent);
    for (const [key, reply] of messages) {
      if (reply.kind === "promise") sent.set(key, reply);
      // Heard by learners alone, who are judged by the votes themselves.
      else if (!this.votes.has(reply.ballot)) throw new InvariantBroken(`persistBeforeSend: ${key}`);
    }
    this.sent = sent;
  }

  crash(): void {
    this.crashes -= 1;
    this.waiting = null;
    this.role = new Acceptor(this.disk);
    if (this.role.promised < this.spoken) throw new InvariantBroken("promiseMonotonic: after a crash");
  }

  /** Forgets the promises to a proposer that are no use to it any more: they are as good as lost. */
  prune({ self, openBallot }: ProposerLife): void {
    const keep = ([, { kind, ballot }]: readonly [string, DecreeReply]): boolean =>
      kind !== "promise" || replicaOf(ballot) !== self || ballot === openBallot;
    this.sent = new Map([...this.sent].filter(keep));
    if (this.waiting === null) return;
    const { durable, messages } = this.waiting;
    this.waiting = { durable, messages: new Map([...messages].filter(keep)) };
  }

  key(): string {
    return [
      this.role.describe(),
      `${this.disk.promised} ${describeVote(this.disk.vote)}`,
      this.waiting === null ? "" : describeWaiting(this.waiting.durable, this.waiting.messages),
      [...this.sent.keys()].sort().join(),
      this.facts(),
      this.crashes,
    ].join("|");
  }

  /** What others may conclude from: the votes that ever were on disk. */
  facts(): string {
    return [...this.votes]
      .map(([ballot, value]) => `${describeBallot(ballot)}=${textOf(value)}`)
      .sort()
      .join();
  }
}

export class ProposerLife {
  readonly membership: Membership;
  role: Proposer;
  disk: Ballot = NO_BALLOT;
  waiting: Waiting<Ballot, DecreeRequest> | null = null;
  sent: ReadonlyMap<string, DecreeRequest> = new Map();
  crashes: number;
  attempts: number;

  constructor(self: ReplicaId, membership: Membership, crashes: number, attempts: number) {
    this.membership = membership;
    this.role = new Proposer(self, membership);
    this.crashes = crashes;
    this.attempts = attempts;
  }

  copy(): ProposerLife {
    const copy = Object.create(ProposerLife.prototype) as ProposerLife;
    return Object.assign(copy, this, { role: this.role.copy() });
  }

  get self(): ReplicaId {
    return this.role.self;
  }

  propose(): void {
    this.attempts -= 1;
    take(this, this.role.propose(wishOf(this.self)));
  }

  receive(from: ReplicaId, reply: DecreeReply): void {
    take(this, this.role.receive(from, reply));
  }

  sync(): void {
    const { durable, messages } = this.waiting!;
    this.waiting = null;
    this.sent = new Map([...this.sent, ...messages]);
    this.disk = durable.at(-1) ?? this.disk;
    const values = new Map<Ballot, string>();
    for (const request of this.sent.values()) {
      if (request.kind !== "accept") continue;
      const before = values.get(request.ballot) ?? textOf(request.value);
      assert(before === textOf(request.value), "one value is proposed at a ballot");
      values.set(request.ballot, before);
    }
  }

  crash(): void {
    this.crashes -= 1;
    this.waiting = null;
    this.role = new Proposer(this.self, this.membership, this.disk);
  }

  /** The ballot for which promises are counted; 0: none, and none will be counted for an older one. */
  get openBallot(): Ballot {
    return this.role.proposal === null ? this.role.ballot : NO_BALLOT;
  }

  /** As text, with acceptor `order[i]` in the place of acceptor `i + 1`. */
  key(order: readonly number[]): string {
    const { role } = this;
    const promises = order.map((acceptor) => {
      const vote = role.promises.get(acceptor);
      return this.openBallot === NO_BALLOT || vote === undefined ? "-" : describeVote(vote);
    });
    return [
      `${this.self} ${role.highest} ${role.ballot} ${role.proposal === null ? "" : textOf(role.proposal)}`,
      promises.join(" "),
      this.waiting === null
        ? ""
        : `waits ${this.waiting.durable} ${[...this.waiting.messages.keys()].sort()}`,
      `${this.disk} ${[...this.sent.keys()].sort()}`,
      `${this.attempts} ${this.crashes}`,
    ].join("|");
  }
}

function take(life: ProposerLife, { durable, send }: ProposerStep): void {
  if (send === null) return;
  const messages = new Map(life.waiting?.messages).set(describeRequest(send), send);
  const before = life.waiting?.durable ?? [];
  life.waiting = { durable: durable === NO_BALLOT ? before : [...before, durable], messages };
  if (life.waiting.durable.length === 0 || life.crashes === 0) life.sync();
}

/** Each proposer would like its own value chosen: `x` or `y`. */
export function wishOf(self: ReplicaId): Value {
  return Uint8Array.of(0x77 + self);
}

export function textOf(value: Value): string {
  return String.fromCharCode(...value);
}

function describeWaiting(
  states: readonly AcceptorState[],
  messages: ReadonlyMap<string, DecreeReply>,
): string {
  const written = states.map(({ promised, vote }) => `${promised} ${describeVote(vote)}`);
  return `waits ${written} ${[...messages.keys()].sort()}`;
}

function describeVote(vote: { readonly ballot: Ballot; readonly value: Value } | null): string {
  return vote === null ? "none" : `${describeBallot(vote.ballot)}=${textOf(vote.value)}`;
}

export function describeRequest(request: DecreeRequest): string {
  if (request.kind === "ask") return "a learner's question";
  const value = request.kind === "accept" ? ` "${textOf(request.value)}"` : "";
  return `${request.kind} ${describeBallot(request.ballot)}${value}`;
}

export function describeReply(reply: DecreeReply): string {
  const said = `${reply.kind} ${describeBallot(reply.ballot)}`;
  if (reply.kind === "promise") return `${said} vote=${describeVote(reply.vote)}`;
  if (reply.kind === "accepted") return `${said} "${textOf(reply.value)}"`;
  return `${said} promised=${describeBallot(reply.promised)}`;
}
