// Every interleaving of single-decree Paxos: acceptors and proposers on little disks, each of which may crash. A
// message once sent can be delivered at any time, any number of times, or never. Acceptors are alike: of states that
// differ by their order only one is explored.
import { replicaOf } from "../../paxos/ballot.js";
import { type Membership, majorityOf } from "../../paxos/membership.js";
import { type DecreeReply, type DecreeRequest, Learner } from "../../paxos/single-decree.js";
import { InvariantBroken } from "../ghost.js";
import {
  AcceptorLife,
  describeReply,
  describeRequest,
  ProposerLife,
  textOf,
  wishOf,
} from "./decree-lives.js";
import { guarded } from "./guarded.js";
import { Interner, PairMap } from "./interner.js";
import type { Space } from "./search.js";
import type { Fingerprint } from "./state-table.js";

export interface DecreeConfiguration {
  readonly acceptors: number;
  /** How often each proposer may begin a ballot, in all its lives. */
  readonly attempts: readonly number[];
  /** How often each acceptor and each proposer may crash and start again. */
  readonly crashes: number;
}

const SYNC = 0;
const CRASH = 1;
const PROPOSE = 2;
/** Events from here on are messages, by number. */
const MESSAGES = 4;
const EVENTS = 2 ** 20;
const NOTHING = -2;
const ASK: DecreeRequest = { kind: "ask" };

export class DecreeSpace implements Space {
  readonly width: number;
  readonly next: Int32Array;
  readonly #options: DecreeConfiguration;
  readonly #membership: Membership;
  /** Permutations of the acceptors' ids. */
  readonly #orders: readonly (readonly number[])[];
  readonly #acceptors = new Interner<AcceptorLife>();
  readonly #proposers = new Interner<ProposerLife>();
  readonly #proposerKeys = new Interner<null>();
  readonly #keyOf = new PairMap();
  readonly #requests = new Interner<DecreeRequest>();
  readonly #replies = new Interner<DecreeReply>();
  readonly #prunedOf = new PairMap();
  readonly #acceptorAfter = new PairMap();
  readonly #proposerAfter = new PairMap();
  /** Of each acceptor and proposer: the numbers of what it has sent. */
  readonly #repliesOf: Int32Array[] = [];
  readonly #requestsOf: Int32Array[] = [];
  readonly #votesOf: number[] = [];
  readonly #votes = new Interner<AcceptorLife>();
  readonly #judged = new PairMap();
  readonly #ask: number;

  constructor(options: DecreeConfiguration) {
    this.#options = options;
    this.width = options.acceptors + options.attempts.length;
    this.next = new Int32Array(this.width);
    this.#membership = majorityOf(Array.from({ length: options.acceptors }, (_, at) => at + 1));
    this.#orders = permutations(this.#membership.voters);
    this.#ask = this.#requests.id(describeRequest(ASK), () => ASK);
  }

  get sizes(): string {
    return `${this.#acceptors.values.length} acceptor states, ${this.#proposers.values.length} proposer states`;
  }

  start(): void {
    const { acceptors, crashes, attempts } = this.#options;
    for (let at = 0; at < acceptors; at += 1) this.next[at] = this.#acceptorId(new AcceptorLife(crashes));
    for (const [at, times] of attempts.entries()) {
      const proposer = new ProposerLife(at + 1, this.#membership, crashes, times);
      this.next[acceptors + at] = this.#proposerId(proposer);
    }
  }

  #acceptorId(life: AcceptorLife): number {
    return this.#acceptors.id(life.key(), () => {
      const replies = [...life.sent].map(([key, reply]) => this.#replies.id(key, () => reply));
      this.#repliesOf.push(Int32Array.from(replies.sort((a, b) => a - b)));
      this.#votesOf.push(this.#votes.id(life.facts(), () => life));
      return life;
    });
  }

  #proposerId(life: ProposerLife): number {
    return this.#proposers.id(life.key(this.#membership.voters), () => {
      const requests = [...life.sent].map(([key, request]) => this.#requests.id(key, () => request));
      this.#requestsOf.push(Int32Array.from(requests.sort((a, b) => a - b)));
      return life;
    });
  }

  expand(state: Int32Array, emit: (action: number) => void): void {
    const { acceptors } = this.#options;
    const proposers = this.#options.attempts.length;
    for (let at = 0; at < acceptors; at += 1) {
      this.#tryAcceptor(state, at, SYNC, emit);
      this.#tryAcceptor(state, at, CRASH, emit);
      this.#tryAcceptor(state, at, MESSAGES + this.#ask, emit);
      for (let from = 0; from < proposers; from += 1) {
        const requests = this.#requestsOf[state[acceptors + from]!]!;
        for (const request of requests) this.#tryAcceptor(state, at, MESSAGES + request, emit);
      }
    }
    for (let at = 0; at < proposers; at += 1) {
      this.#tryProposer(state, at, SYNC, emit);
      this.#tryProposer(state, at, CRASH, emit);
      this.#tryProposer(state, at, PROPOSE, emit);
      for (let from = 0; from < acceptors; from += 1) {
        for (const reply of this.#repliesOf[state[from]!]!) {
          if (replicaOf(this.#replies.values[reply]!.ballot) !== at + 1) continue;
          this.#tryProposer(state, at, MESSAGES + reply * acceptors + from, emit);
        }
      }
    }
  }

  #tryAcceptor(state: Int32Array, at: number, event: number, emit: (action: number) => void): void {
    const { acceptors } = this.#options;
    const before = state[at]!;
    const action = at * EVENTS + event;
    let after = this.#acceptorAfter.get(before, event);
    if (after === -1) {
      after = guarded(action, () => this.#runAcceptor(before, event));
      this.#acceptorAfter.set(before, event, after);
    }
    if (after === NOTHING || after === before) return;
    this.next.set(state);
    this.next[at] = after;
    for (let to = acceptors; to < this.width; to += 1) this.#prune(at, to);
    if (this.next[at] === before) return;
    if (this.#votesOf[after] !== this.#votesOf[before]) guarded(action, () => this.#judge(this.next));
    emit(action);
  }

  #runAcceptor(before: number, event: number): number {
    const life = this.#acceptors.values[before]!.copy();
    if (event === SYNC) {
      if (life.waiting === null) return NOTHING;
      life.sync();
    } else if (event === CRASH) {
      if (life.crashes === 0) return NOTHING;
      life.crash();
    } else {
      life.receive(this.#requests.values[event - MESSAGES]!);
    }
    return this.#acceptorId(life);
  }

  #tryProposer(state: Int32Array, at: number, event: number, emit: (action: number) => void): void {
    const { acceptors } = this.#options;
    const before = state[acceptors + at]!;
    const action = (acceptors + at) * EVENTS + event;
    let after = this.#proposerAfter.get(before, event);
    if (after === -1) {
      after = guarded(action, () => this.#runProposer(before, event));
      this.#proposerAfter.set(before, event, after);
    }
    if (after === NOTHING || after === before) return;
    this.next.set(state);
    this.next[acceptors + at] = after;
    for (let from = 0; from < acceptors; from += 1) this.#prune(from, acceptors + at);
    emit(action);
  }

  /** Takes out of `next` the promises of an acceptor that are no use to a proposer any more. */
  #prune(acceptor: number, proposer: number): void {
    const before = this.next[acceptor]!;
    let after = this.#prunedOf.get(before, this.next[proposer]!);
    if (after < 0) {
      const life = this.#acceptors.values[before]!.copy();
      life.prune(this.#proposers.values[this.next[proposer]!]!);
      after = this.#acceptorId(life);
      this.#prunedOf.set(before, this.next[proposer]!, after);
    }
    this.next[acceptor] = after;
  }

  #runProposer(before: number, event: number): number {
    const life = this.#proposers.values[before]!.copy();
    if (event === SYNC) {
      if (life.waiting === null) return NOTHING;
      life.sync();
    } else if (event === CRASH) {
      if (life.crashes === 0) return NOTHING;
      life.crash();
    } else if (event === PROPOSE) {
      if (life.attempts === 0) return NOTHING;
      life.propose();
    } else {
      const { acceptors } = this.#options;
      const number = event - MESSAGES;
      life.receive((number % acceptors) + 1, this.#replies.values[Math.floor(number / acceptors)]!);
    }
    return this.#proposerId(life);
  }

  // --- invariants: what is chosen follows from the votes that ever were on disk ---

  #judge(state: Int32Array): void {
    const { acceptors } = this.#options;
    let key = this.#votesOf[state[0]!]!;
    for (let at = 1; at < acceptors; at += 1) {
      const votes = this.#votesOf[state[at]!]!;
      let next = this.#judged.get(key, votes);
      if (next < 0) {
        if (at === acceptors - 1) this.#agree(state);
        next = PREFIXES + this.#judgements;
        this.#judgements += 1;
        this.#judged.set(key, votes, next);
      }
      key = next;
    }
  }

  #judgements = 0;

  /** Agreement and non-triviality; and a learner that hears every vote learns what is chosen, nothing else. */
  #agree(state: Int32Array): void {
    const { acceptors } = this.#options;
    const proposers = this.#options.attempts.length;
    const voters = new Map<string, number>();
    const chosen = new Set<string>();
    const quorum = Math.floor(acceptors / 2) + 1;
    for (let at = 0; at < acceptors; at += 1) {
      for (const [ballot, value] of this.#acceptors.values[state[at]!]!.votes) {
        const key = `${ballot} ${textOf(value)}`;
        const count = (voters.get(key) ?? 0) + 1;
        voters.set(key, count);
        if (count >= quorum) chosen.add(textOf(value));
      }
    }
    if (chosen.size > 1) throw new InvariantBroken(`agreement: ${[...chosen].join(" and ")} are chosen`);
    const [value = ""] = chosen;
    const wishes = Array.from({ length: proposers }, (_, at) => textOf(wishOf(at + 1)));
    if (value !== "" && !wishes.includes(value))
      throw new InvariantBroken(`nonTriviality: ${value} is chosen`);
    const learner = new Learner(this.#membership);
    for (let at = 0; at < acceptors; at += 1) {
      for (const [ballot, voted] of this.#acceptors.values[state[at]!]!.votes) {
        learner.receive(at + 1, { kind: "accepted", ballot, value: voted });
      }
    }
    const learned = learner.chosen === null ? "" : textOf(learner.chosen);
    if (learned !== value) {
      throw new InvariantBroken(
        `learnsOnlyChosen: ${learned || "nothing"} is learned, ${value || "nothing"} chosen`,
      );
    }
  }

  // --- symmetry ---

  fingerprint(state: Int32Array, into: Fingerprint): void {
    const { acceptors } = this.#options;
    const proposers = this.#options.attempts.length;
    let best = -1;
    for (let order = 0; order < this.#orders.length; order += 1) {
      if (!this.#isSorted(state, this.#orders[order]!)) continue;
      if (best < 0 || this.#isLess(state, order, best)) best = order;
    }
    for (const acceptor of this.#orders[best]!) into.mix(state[acceptor - 1]!);
    for (let at = 0; at < proposers; at += 1) into.mix(this.#key(state[acceptors + at]!, best));
  }

  #isSorted(state: Int32Array, order: readonly number[]): boolean {
    for (let i = 1; i < order.length; i += 1) {
      if (state[order[i]! - 1]! < state[order[i - 1]! - 1]!) return false;
    }
    return true;
  }

  #isLess(state: Int32Array, order: number, other: number): boolean {
    const { acceptors } = this.#options;
    const proposers = this.#options.attempts.length;
    for (let at = 0; at < proposers; at += 1) {
      const proposer = state[acceptors + at]!;
      const difference = this.#key(proposer, order) - this.#key(proposer, other);
      if (difference !== 0) return difference < 0;
    }
    return false;
  }

  /** The number of a proposer's state with the acceptors renamed. */
  #key(proposer: number, order: number): number {
    let key = this.#keyOf.get(proposer, order);
    if (key < 0) {
      key = this.#proposerKeys.id(this.#proposers.values[proposer]!.key(this.#orders[order]!), () => null);
      this.#keyOf.set(proposer, order, key);
    }
    return key;
  }

  describe(_state: Int32Array, action: number): string {
    const { acceptors } = this.#options;
    const at = Math.floor(action / EVENTS);
    const event = action % EVENTS;
    const isAcceptor = at < acceptors;
    const who = isAcceptor ? `acceptor ${at + 1}` : `proposer ${at - acceptors + 1}`;
    if (event === SYNC) return `${who}: what it wrote is on disk`;
    if (event === CRASH) return `${who}: crashes, loses what is not on disk, and starts again`;
    if (event === PROPOSE) return `${who}: begins a ballot for "${textOf(wishOf(at - acceptors + 1))}"`;
    const number = event - MESSAGES;
    if (isAcceptor) return `${who}: receives ${describeRequest(this.#requests.values[number]!)}`;
    const reply = this.#replies.values[Math.floor(number / acceptors)]!;
    return `${who}: receives from acceptor ${(number % acceptors) + 1} ${describeReply(reply)}`;
  }
}

/** Prefixes of votes are numbered from where the votes of single acceptors cannot reach. */
const PREFIXES = 2 ** 24;

function permutations(ids: readonly number[]): number[][] {
  if (ids.length === 0) return [[]];
  return ids.flatMap((id) => permutations(ids.filter((other) => other !== id)).map((rest) => [id, ...rest]));
}
