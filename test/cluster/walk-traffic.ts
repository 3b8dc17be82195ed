// What becomes of messages in a random walk: delivered, lost, doubled, late by an age, several in one turn, or for a
// while in good order among a few. Whatever is lost may still come.
import type { Random } from "../../src/base/random.js";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import type { Event } from "../../src/paxos/event.js";
import { describeMessage } from "../../src/sim/describe-message.js";
import type { Cluster } from "./cluster.js";
import type { InFlight } from "./world.js";

const MOST_FLYING = 80;
const MOST_LATE = 60;
/** Their loss alone hides something: that a leader is deposed, that a value is chosen. */
const KINDS = ["accept", "accepted", "reject", "heartbeat", "learned", "prepare", "canvass"] as const;
const RARE = 0.12;
/** What tells a leader that it leads no more. */
const DEPOSING: ReadonlySet<string> = new Set(["prepare", "accept", "heartbeat", "reject"]);
/** Most of what is sent; of what could come late they are to be a few. */
const FREQUENT: ReadonlySet<string> = new Set(["heartbeat", "heartbeatAck"]);

/** Takes a line for the trace; it is made only where there is one. */
export type Log = (line: () => string) => void;

export class Traffic {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly log: Log;
  /** Some walks lose or double much, some nothing. */
  readonly loss: number;
  readonly doubling: number;
  /** Kinds of messages of which most are lost in this walk, and directions in which nothing gets through for now. */
  readonly rare: ReadonlySet<string>;
  readonly mute: Set<string>;
  /** Replicas that live in the past: they hear nothing of other leaders, and their clocks hardly move. */
  readonly dreaming: Set<ReplicaId>;
  /** Lost, and may come late all the same. */
  readonly late: InFlight[];

  constructor(cluster: Cluster, random: Random, log: Log) {
    this.cluster = cluster;
    this.random = random;
    this.log = log;
    this.loss = random.below(3) * 0.15;
    this.doubling = random.below(3) * 0.15;
    this.rare = new Set(KINDS.filter(() => random.next() < RARE));
    this.mute = new Set();
    this.dreaming = new Set();
    this.late = [];
  }

  heal(): void {
    this.mute.clear();
    this.dreaming.clear();
    this.cluster.heal();
  }

  /** Decides about one message; false: there is none. */
  move(): boolean {
    const { cluster, random } = this;
    while (cluster.flying.length > MOST_FLYING) this.#lose(cluster.flying[0]!);
    if (cluster.flying.length === 0) return false;
    // Mostly the oldest, so that conversations come to an end; else any, which is the disorder.
    const flying = cluster.flying[random.next() < 0.6 ? 0 : random.below(cluster.flying.length)]!;
    const dice = random.next();
    if (dice < this.loss || this.#isKeptFrom(flying)) {
      this.log(() => `lose ${textOf(flying)}`);
      this.#lose(flying);
      return true;
    }
    const keep = dice < this.loss + this.doubling;
    this.log(() => `${keep ? "deliver and keep" : "deliver"} ${textOf(flying)}`);
    cluster.deliver(flying, keep);
    return true;
  }

  /** Whether more than plain loss is in its way; never for all, for it is what gets through that surprises. */
  #isKeptFrom(flying: InFlight): boolean {
    const { from, to, message } = flying;
    const { random } = this;
    if (this.cluster.link(from, to) !== "up" && random.next() < 0.8) return true;
    const isHidden = this.rare.has(message.kind) || this.mute.has(`${from} ${to}`);
    if (isHidden && random.next() < 0.8) return true;
    return this.#isUnheard(flying) && random.next() < 0.95;
  }

  #isUnheard({ to, message }: InFlight): boolean {
    return this.dreaming.has(to) && DEPOSING.has(message.kind);
  }

  #lose(flying: InFlight): void {
    this.cluster.drop(flying);
    if (FREQUENT.has(flying.message.kind) && this.random.next() < 0.8) return;
    if (this.late.length < MOST_LATE) this.late.push(flying);
    else this.late[this.random.below(MOST_LATE)] = flying;
  }

  /** What was lost comes after all; half the time to a leader, and every kind as likely as any other. */
  comeLate(): void {
    const { cluster, random } = this;
    const { leaders } = cluster;
    const toLeaders = this.late.filter(({ to }) => leaders.includes(to));
    const late = toLeaders.length > 0 && random.next() < 0.5 ? toLeaders : this.late;
    if (late.length === 0) return;
    const kinds = [...new Set(late.map(({ message }) => message.kind))];
    const kind = kinds[random.below(kinds.length)]!;
    const alike = late.filter(({ message }) => message.kind === kind);
    const flying = alike[random.below(alike.length)]!;
    this.log(() => `late: ${textOf(flying)}`);
    cluster.deliver(flying, true);
  }

  /**
   * For a while what `members` say to each other arrives in order, and their disks are quick: conversations come to an
   * end. `without`: kinds that do not get through.
   */
  huddle(members: readonly ReplicaId[], without: ReadonlySet<string>): void {
    const { cluster } = this;
    this.log(() => `huddle of ${members.join(", ")} without ${[...without].join(", ")}`);
    for (let i = 5 + this.random.below(30); i > 0; i -= 1) {
      const id = members.find((at) => cluster.replica(at).waiting.some(({ outbox }) => outbox.isUrgent));
      if (id !== undefined) {
        this.log(() => `sync ${id}`);
        cluster.sync(id);
        continue;
      }
      const flying = cluster.flying.find((each) => {
        if (!members.includes(each.from) || !members.includes(each.to)) return false;
        return !without.has(each.message.kind) && !this.#isUnheard(each);
      });
      if (flying === undefined) return;
      const isUp = cluster.link(flying.from, flying.to) === "up";
      this.log(() => `${isUp ? "deliver" : "lose"} ${textOf(flying)}`);
      if (isUp) cluster.deliver(flying);
      else this.#lose(flying);
    }
  }

  /** Each kind that can hide something, now and then. */
  someKinds(): ReadonlySet<string> {
    return new Set(KINDS.filter(() => this.random.next() < 0.25));
  }

  /** Several messages in one turn. */
  burst(id: ReplicaId): void {
    const { cluster } = this;
    const batch = cluster.flying.filter((flying) => flying.to === id).slice(0, 4);
    if (batch.length === 0) return;
    const events: Event[] = batch.map(({ from, message }) => ({ kind: "message", from, message }));
    for (const flying of batch) cluster.drop(flying);
    this.log(() => `one turn at ${id}: ${batch.map(textOf).join("; ")}`);
    cluster.turn(id, events);
  }
}

function textOf({ from, to, message }: InFlight): string {
  return `${from}>${to} ${describeMessage(message)}`;
}
