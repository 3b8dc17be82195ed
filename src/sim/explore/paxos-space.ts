// Every interleaving of a small Multi-Paxos cluster. A message once sent can be delivered at any time, any number of
// times, or never: so loss, duplication and any order are all there. A state is, for each replica, the number of its
// state and of the set of messages that it has sent; the core runs once for each replica state and event.
import { type Ballot, ballotOf, NO_BALLOT, type ReplicaId, type Slot } from "../../paxos/ballot.js";
import { Memberships, majorityOf } from "../../paxos/membership.js";
import type { PromiseMessage } from "../../paxos/message.js";
import { describeMessage } from "../describe-message.js";
import { type Chosen, ChosenValues } from "./chosen-values.js";
import { guarded } from "./guarded.js";
import { Interner, PairMap } from "./interner.js";
import { MessageSets } from "./message-sets.js";
import {
  assembleGhost,
  dependsOnOthers,
  type Observation,
  observe,
  type Surroundings,
} from "./replica-ghost.js";
import { Act, commandText, ReplicaLife } from "./replica-life.js";
import type { Space } from "./search.js";
import { Fingerprint, StateTable } from "./state-table.js";

export interface PaxosConfiguration {
  readonly replicas: number;
  /** Replicas 1 to so many may take leadership; the others only accept and learn. */
  readonly candidates: number;
  /** How often leadership is taken in all: as many ballots are used. */
  readonly ballots: number;
  /** Commands are proposed in the slots up to this one. */
  readonly slots: Slot;
  /** 0 or 1: one replica, any, may crash and start again once. */
  readonly crashes: number;
  /** It then finds that the end of its log is damaged, so that a vote may be hidden in any slot (A4, A8). */
  readonly mayHide?: boolean;
}

const SYNC = 0;
const CRASH = 1;
const PROPOSE = 2;
const WAIT = 3;
/** A crash after which nobody can tell what was at the end of the log. */
const CRASH_HIDDEN = 14;
/** In the first state only: says which replica may crash, so that the others need not be prepared to lose anything. */
const MORTAL = 15;
/** From here on: takes leadership, after so many ballots were used. */
const TAKE_OVER = 4;
/** Events from here on are messages, by number. */
const MESSAGES = 16;
const EVENTS = 2 ** 26;
/** Stands for a transition that changes nothing. */
const NOTHING = 0;
/** In the place of the replica that may crash. */
const NOBODY = -1;
const UNDECIDED = -2;

/** What an event does to a replica in a certain state. */
interface Transition {
  readonly before: number;
  readonly after: number;
  /** The set of the messages that it sends. */
  readonly sent: number;
  /** What must be checked wherever it happens; empty when the first check speaks for all. */
  readonly seen: readonly Observation[];
  /** Whether values are proposed: then the promises of others matter. */
  readonly proposes: boolean;
}

export class PaxosSpace implements Space {
  readonly width: number;
  readonly next: Int32Array;
  readonly #options: PaxosConfiguration;
  readonly #memberships: Memberships;
  readonly #lives = new Interner<ReplicaLife>();
  /** Of each replica state: the number of its durable votes. */
  readonly #votesOf: number[] = [];
  readonly #sets: MessageSets;
  readonly #deliveriesOf = new PairMap();
  readonly #deliveryLists: Int32Array[] = [];
  readonly #answers = new PairMap();
  readonly #liveOf = new PairMap();
  readonly #liveSets = new Interner<null>();
  readonly #transitions: Transition[] = [];
  readonly #transitionOf = new PairMap();
  readonly #chosen: ChosenValues;
  readonly #met: Int32Array;
  readonly #checked = new StateTable();
  readonly #checking = new Fingerprint();

  constructor(options: PaxosConfiguration) {
    this.#options = options;
    this.width = 2 * options.replicas + 2;
    this.next = new Int32Array(this.width);
    const ids = Array.from({ length: options.replicas }, (_, at) => at + 1);
    this.#memberships = new Memberships(majorityOf(ids), 64);
    this.#sets = new MessageSets(options.replicas);
    this.#met = new Int32Array(options.replicas);
    const commands: string[] = [];
    for (const id of ids) {
      for (let life = 1; life <= options.crashes + 1; life += 1) {
        for (let number = 1; number <= options.slots * options.ballots; number += 1) {
          commands.push(commandText(id, life, number));
        }
      }
    }
    this.#chosen = new ChosenValues(this.#memberships, commands);
    // The transition that is numbered `NOTHING` is never looked at.
    this.#transitions.push({ before: -1, after: -1, sent: 0, seen: [], proposes: false });
  }

  /** How many replica states, sets of messages and transitions there are. */
  get sizes(): string {
    const lives = `${this.#lives.values.length} replica states`;
    const sets = `${this.#sets.messages} messages in ${this.#sets.count} sets`;
    return `${lives}, ${sets}, ${this.#transitions.length} transitions, ${this.#checked.size} checks`;
  }

  start(): void {
    const { replicas } = this.#options;
    for (let at = 0; at < replicas; at += 1) {
      this.next[2 * at] = this.#lifeId(
        new ReplicaLife(at + 1, this.#memberships, this.#options.mayHide === true),
      );
      this.next[2 * at + 1] = this.#sets.empty;
    }
    this.next[2 * replicas] = UNDECIDED;
    this.next[2 * replicas + 1] = 0;
  }

  fingerprint(state: Int32Array, into: Fingerprint): void {
    const { replicas } = this.#options;
    for (let at = 0; at < replicas; at += 1) {
      const life = state[2 * at]!;
      into.mix(life);
      for (let from = 0; from < replicas; from += 1) {
        if (from !== at) into.mix(this.#live(state[2 * from + 1]!, at, life));
      }
    }
    into.mix(state[2 * replicas]!);
    into.mix(state[2 * replicas + 1]!);
  }

  /** The messages of `set` to replica `at` that can still change something there, as a number. */
  #live(set: number, at: number, life: number): number {
    let live = this.#liveOf.get(set, life);
    if (live < 0) {
      const receiver = this.#lives.values[life]!;
      const numbers = this.#sets.messagesTo(set, at);
      const alive = numbers.filter((number) => !receiver.ignores(this.#sets.message(number).message));
      live = this.#liveSets.id(alive.join(), () => null);
      this.#liveOf.set(set, life, live);
    }
    return live;
  }

  expand(state: Int32Array, emit: (action: number) => void): void {
    const { replicas, candidates, ballots, crashes } = this.#options;
    const mortal = state[2 * replicas]!;
    const used = state[2 * replicas + 1]!;
    if (mortal === UNDECIDED) {
      for (let at = crashes === 0 ? NOBODY : 0; at < (crashes === 0 ? 0 : replicas); at += 1) {
        this.next.set(state);
        this.next[2 * replicas] = at;
        emit((at + 1) * EVENTS + MORTAL);
      }
      return;
    }
    for (let at = 0; at < replicas; at += 1) {
      this.#try(state, at, SYNC, emit);
      if (mortal === at) this.#try(state, at, this.#options.mayHide ? CRASH_HIDDEN : CRASH, emit);
      // Replicas are alike at first: the one that uses the first ballot is called 1.
      if (used < ballots && at < (used === 0 ? 1 : candidates)) this.#try(state, at, TAKE_OVER + used, emit);
      this.#try(state, at, PROPOSE, emit);
      this.#try(state, at, WAIT, emit);
      for (let from = 0; from < replicas; from += 1) {
        if (from === at) continue;
        const deliveries = this.#deliveries(state, from, at);
        for (let i = 0; i < deliveries.length; i += 2)
          this.#take(state, at, deliveries[i]!, deliveries[i + 1]!, emit);
        const answer = this.#answer(state[2 * from]!, from, at, state[2 * at]!);
        if (answer > 0) this.#try(state, at, MESSAGES + answer - 1, emit);
      }
    }
  }

  /** The messages from `from` that change something at `at`: pairs of an event and its transition. */
  #deliveries(state: Int32Array, from: number, at: number): Int32Array {
    const set = state[2 * from + 1]!;
    const key = 2 * state[2 * at]! + (state[2 * this.#options.replicas] === at ? 1 : 0);
    const known = this.#deliveriesOf.get(set, key);
    if (known >= 0) return this.#deliveryLists[known]!;
    const list: number[] = [];
    for (const message of this.#sets.messagesTo(set, at)) {
      const number = this.#transition(state, at, MESSAGES + message);
      if (number !== NOTHING) list.push(MESSAGES + message, number);
    }
    this.#deliveriesOf.set(set, key, this.#deliveryLists.length);
    this.#deliveryLists.push(Int32Array.from(list));
    return this.#deliveryLists.at(-1)!;
  }

  /**
   * One more than the number of what `from` answers when `at` asks for the values that it lacks; 0: nothing. Question
   * and answer are one action: values known chosen are facts, and of facts a late answer tells no other.
   */
  #answer(answering: number, from: number, at: number, asking: number): number {
    const fromSlot = this.#lives.values[asking]!.core.chosenUpTo + 1;
    const question = fromSlot * this.#options.replicas + at;
    let answer = this.#answers.get(answering, question);
    if (answer < 0) {
      const message = this.#lives.values[answering]!.answer(at + 1, fromSlot);
      answer = message === null ? 0 : this.#sets.number(from, at + 1, message) + 1;
      this.#answers.set(answering, question, answer);
    }
    return answer;
  }

  #try(state: Int32Array, at: number, event: number, emit: (action: number) => void): void {
    const number = this.#transition(state, at, event);
    if (number !== NOTHING) this.#take(state, at, event, number, emit);
  }

  #transition(state: Int32Array, at: number, event: number): number {
    const mayCrash = state[2 * this.#options.replicas] === at;
    const known = this.#transitionOf.get(state[2 * at]!, 2 * event + (mayCrash ? 1 : 0));
    return known >= 0 ? known : this.#run(state, at, event, at * EVENTS + event);
  }

  /** Emits the state after a transition of replica `at`, if it is another. */
  #take(state: Int32Array, at: number, event: number, number: number, emit: (action: number) => void): void {
    const { replicas } = this.#options;
    const life = state[2 * at]!;
    const sent = state[2 * at + 1]!;
    const transition = this.#transitions[number]!;
    const sentAfter = transition.sent === this.#sets.empty ? sent : this.#sets.union(sent, transition.sent);
    if (transition.after === life && sentAfter === sent) return;
    const action = at * EVENTS + event;
    const { next } = this;
    next.set(state);
    next[2 * at] = transition.after;
    next[2 * at + 1] = sentAfter;
    if (event === CRASH || event === CRASH_HIDDEN) next[2 * replicas] = NOBODY;
    if (event >= TAKE_OVER && event < CRASH_HIDDEN) next[2 * replicas + 1] = next[2 * replicas + 1]! + 1;
    this.#check(number, transition, state, at, action);
    emit(action);
  }

  /** Runs the core; remembers, and returns, the number of the transition. */
  #run(state: Int32Array, at: number, event: number, action: number): number {
    const before = state[2 * at]!;
    const life = this.#lives.values[before]!;
    const mayCrash = state[2 * this.#options.replicas] === at;
    let number = NOTHING;
    if (this.#canHappen(life, event)) {
      const act = new Act(life.copy(), mayCrash, this.#surroundings(state, at));
      const happened = guarded(action, () => this.#act(act, event));
      act.finish();
      const after = happened ? this.#lifeId(act.life) : before;
      const sent = this.#sets.of(at, act.sent);
      const seen = act.seen.some(dependsOnOthers) ? act.seen : [];
      const proposes = act.seen.some((o) => o.kind === "send" && o.message.kind === "accept");
      if (happened && (after !== before || sent !== this.#sets.empty)) {
        number = this.#transitions.length;
        this.#transitions.push({ before, after, sent, seen, proposes });
      }
    }
    this.#transitionOf.set(before, 2 * event + (mayCrash ? 1 : 0), number);
    return number;
  }

  #canHappen(life: ReplicaLife, event: number): boolean {
    if (event === SYNC) return life.waiting !== null;
    if (event === WAIT) return life.core.isLeading;
    if (event === PROPOSE) return life.freeSlot > 0 && life.freeSlot <= this.#options.slots;
    if (event < MESSAGES) return true;
    // A prepare that comes again is answered as before.
    const { message } = this.#sets.message(event - MESSAGES);
    return message.kind !== "prepare" || message.ballot > life.core.promised;
  }

  /** False: it cannot happen after all. */
  #act(act: Act, event: number): boolean {
    switch (event) {
      case SYNC:
        act.sync();
        return true;
      case CRASH:
      case CRASH_HIDDEN:
        act.crash(event === CRASH_HIDDEN);
        return true;
      case PROPOSE:
        act.propose();
        return true;
      case WAIT:
        act.wait();
        return true;
    }
    if (event < MESSAGES) {
      const used = event - TAKE_OVER;
      return act.takeOver(used === 0 ? NO_BALLOT : ballotOf(used, this.#options.replicas));
    }
    const { from, message } = this.#sets.message(event - MESSAGES);
    act.deliver(from + 1, message);
    return true;
  }

  #lifeId(life: ReplicaLife): number {
    return this.#lives.id(life.key(), () => {
      this.#votesOf.push(this.#chosen.votesOf(life));
      return life;
    });
  }

  // --- what is checked in every state in which a transition happens ---

  /** The checks of `transition` that depend on others; `next` is the state after it. */
  #check(number: number, transition: Transition, state: Int32Array, at: number, action: number): void {
    const { before, after, seen, proposes } = transition;
    const isVote = this.#votesOf[before] !== this.#votesOf[after];
    if (!isVote && seen.length === 0) return;
    const chosen = guarded(action, () => this.#chosenIn(this.next));
    if (seen.length === 0) return;
    const checking = this.#checking;
    checking.reset();
    checking.mix(number);
    checking.mix(chosen.number);
    if (proposes) {
      for (let from = 0; from < this.#options.replicas; from += 1) {
        if (from !== at) checking.mix(this.#sets.promisesTo(state[2 * from + 1]!, at));
      }
    }
    checking.finish();
    if (!this.#checked.add(checking.low, checking.high)) return;
    const life = this.#lives.values[before]!;
    const around = { ...this.#surroundings(state, at), chosen: chosen.values };
    const ghost = assembleGhost(this.#memberships, life.id, life.ghost, around);
    guarded(action, () => {
      for (const one of seen) observe(ghost, life.id, one);
    });
  }

  #surroundings(state: Int32Array, at: number): Surroundings {
    const { values, voters } = this.#chosenIn(state);
    const promises = new Map<Ballot, Map<ReplicaId, PromiseMessage[]>>();
    for (let from = 0; from < this.#options.replicas; from += 1) {
      if (from === at) continue;
      for (const number of this.#sets.messagesTo(state[2 * from + 1]!, at)) {
        const { message } = this.#sets.message(number);
        if (message.kind !== "promise") continue;
        const senders = promises.get(message.ballot) ?? new Map<ReplicaId, PromiseMessage[]>();
        promises.set(message.ballot, senders);
        senders.set(from + 1, [...(senders.get(from + 1) ?? []), message]);
      }
    }
    return { chosen: values, voters, promises, submitted: this.#chosen.submitted };
  }

  /** What is chosen in `state`; throws `InvariantBroken` when it is two values. */
  #chosenIn(state: Int32Array): Chosen {
    for (let at = 0; at < this.#met.length; at += 1) this.#met[at] = this.#votesOf[state[2 * at]!]!;
    return this.#chosen.of(this.#met);
  }

  describe(state: Int32Array, action: number): string {
    const at = Math.floor(action / EVENTS);
    const event = action % EVENTS;
    if (event === MORTAL)
      return at === 0 ? "no replica will crash" : `replica ${at} is the one that may crash`;
    const life = this.#lives.values[state[2 * at]!]!;
    switch (event) {
      case SYNC:
        return `replica ${life.id}: what it wrote is on disk`;
      case CRASH:
        return `replica ${life.id}: crashes, loses what is not on disk, and starts again`;
      case CRASH_HIDDEN:
        return `replica ${life.id}: crashes, starts again, and cannot tell what was at the end of its log`;
      case PROPOSE:
        return `replica ${life.id}: proposes "${commandText(life.id, life.incarnation, life.nextNumber)}"`;
      case WAIT:
        return `replica ${life.id}: a heartbeat interval passes`;
    }
    if (event < MESSAGES) return `replica ${life.id}: finds a quorum willing, and prepares a ballot`;
    const { from, message } = this.#sets.message(event - MESSAGES);
    return `replica ${life.id}: receives from ${from + 1} ${describeMessage(message)}`;
  }
}
