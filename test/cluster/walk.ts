// One seeded random walk: any message is delivered, lost, doubled or late; replicas crash between any two writes;
// links break; callers propose and read. Then everything heals, and the cluster must make progress (2.6).
import assert from "node:assert/strict";
import { Random } from "../../src/base/random.js";
import { ballotAbove, type ReplicaId } from "../../src/paxos/ballot.js";
import type { Event } from "../../src/paxos/event.js";
import { type Membership, majorityOf } from "../../src/paxos/membership.js";
import { sameValue } from "../../src/paxos/value.js";
import { describeMessage } from "../../src/sim/describe-message.js";
import type { Ghost } from "../../src/sim/ghost.js";
import { Cluster } from "./cluster.js";

export interface WalkOptions {
  readonly seed: number;
  readonly replicas: number;
  readonly steps: number;
  /** Collects a line per event. */
  readonly trace?: string[];
}

/** The walk of a seed; clusters of three most of the time, for there coincidences are the likeliest. */
export function walkOf(seed: number): WalkOptions {
  return { seed, replicas: [3, 3, 5, 3, 4][seed % 5]!, steps: 100 + (seed % 4) * 100 };
}

interface Asked {
  readonly id: ReplicaId;
  readonly incarnation: number;
  readonly text: string;
}

const MOST_FLYING = 80;
/** Their loss alone hides something: that a leader is deposed, that a value is chosen. */
const KINDS = ["accept", "accepted", "reject", "heartbeat", "learned", "prepare", "canvass"] as const;
const RARE = 0.12;

class Walk {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly trace: string[] | undefined;
  readonly asked: Asked[] = [];
  /** Weights of this walk: some walks lose much, some crash much, some run nearly undisturbed. */
  readonly loss: number;
  readonly doubling: number;
  readonly crashes: number;
  readonly cuts: number;
  readonly hurry: number;
  /** Kinds of messages of which most are lost in this walk, and directions in which nothing gets through for now. */
  readonly rare: ReadonlySet<string>;
  readonly mute: Set<string>;

  constructor(options: WalkOptions) {
    this.random = new Random(options.seed);
    const alpha = [2, 3, 64][this.random.below(3)]!;
    const membership = this.#membership(options.replicas);
    this.cluster = new Cluster({ replicas: options.replicas, seed: options.seed, alpha, membership });
    this.trace = options.trace;
    this.loss = this.random.below(3) * 0.15;
    this.doubling = this.random.below(3) * 0.15;
    this.crashes = this.random.below(3) * 2;
    this.cuts = this.random.below(3) * 2;
    this.hurry = [20, 60, 600][this.random.below(3)]!;
    this.rare = new Set(KINDS.filter(() => this.random.next() < RARE));
    this.mute = new Set();
  }

  /** Mostly majorities, at times the least quorums that still meet. */
  #membership(replicas: number): Membership {
    const majority = majorityOf(Array.from({ length: replicas }, (_, i) => i + 1));
    if (this.random.below(4) > 0) return majority;
    const phase2 = 1 + this.random.below(replicas);
    return { voters: majority.voters, phase1: replicas + 1 - phase2, phase2 };
  }

  log(text: string): void {
    this.trace?.push(`${this.cluster.now} ${text}`);
  }

  anyone(isUp: boolean): ReplicaId {
    const ids = this.cluster.ids.filter((id) => (this.cluster.replica(id).core !== null) === isUp);
    return ids.length === 0 ? 0 : ids[this.random.below(ids.length)]!;
  }

  step(): void {
    const { random } = this;
    const kind = random.below(100 + this.crashes + this.cuts);
    if (kind < 58) this.#move();
    else if (kind < 79) this.#sync();
    else if (kind < 82) this.#calm();
    else if (kind < 86) this.#tick();
    else if (kind < 94) this.#ask();
    else if (kind < 96) this.#restart();
    else if (kind < 97) this.#transferOrHeal();
    else if (kind < 98) this.#burst();
    else if (kind < 100) this.#coup();
    else if (kind < 100 + this.crashes) this.#crash();
    else if (random.next() < 0.5) this.#cut();
    else this.#hush();
  }

  #move(): void {
    const { cluster, random } = this;
    while (cluster.flying.length > MOST_FLYING) cluster.drop(cluster.flying[0]!);
    if (cluster.flying.length === 0) {
      this.#tick();
      return;
    }
    // Mostly the oldest, so that conversations come to an end; else any, which is the disorder.
    const flying = cluster.flying[random.next() < 0.6 ? 0 : random.below(cluster.flying.length)]!;
    const text = `${flying.from}>${flying.to} ${describeMessage(flying.message)}`;
    if (cluster.link(flying.from, flying.to) !== "up" && random.next() < 0.8) {
      this.log(`cut off: ${text}`);
      cluster.drop(flying);
      return;
    }
    const { kind } = flying.message;
    const isHidden = this.rare.has(kind) || this.mute.has(`${flying.from} ${flying.to}`);
    if (isHidden && random.next() < 0.8) {
      this.log(`lose ${text}`);
      cluster.drop(flying);
      return;
    }
    const dice = random.next();
    if (dice < this.loss) {
      this.log(`lose ${text}`);
      cluster.drop(flying);
      return;
    }
    const keep = dice < this.loss + this.doubling;
    this.log(`${keep ? "deliver and keep" : "deliver"} ${text}`);
    cluster.deliver(flying, keep);
  }

  #sync(): void {
    const id = this.anyone(true);
    if (id === 0) return;
    const { waiting } = this.cluster.replica(id);
    if (waiting.length === 0) return;
    const turn = waiting[this.random.next() < 0.7 ? waiting.length - 1 : this.random.below(waiting.length)]!;
    this.log(`sync ${id} up to turn ${turn.outbox.turn}`);
    this.cluster.sync(id, turn.outbox.turn);
  }

  #tick(): void {
    const id = this.anyone(true);
    if (id === 0) return;
    const ms = this.random.below(this.hurry);
    if (this.random.next() < 0.5) this.cluster.now += ms;
    this.log(`tick ${id}`);
    this.cluster.step(id, { kind: "tick" });
  }

  #ask(): void {
    const { leaders } = this.cluster;
    const isForLeader = leaders.length > 0 && this.random.next() < 0.6;
    const id = isForLeader ? leaders[this.random.below(leaders.length)]! : this.anyone(true);
    if (id === 0) return;
    if (this.random.next() < 0.3) {
      this.log(`read at ${id}`);
      this.cluster.read(id);
      return;
    }
    const text = `c${this.asked.length + 1}`;
    this.log(`propose ${text} at ${id}`);
    this.asked.push({ id, incarnation: this.cluster.replica(id).incarnation, text });
    this.cluster.propose(id, text);
  }

  #restart(): void {
    const id = this.anyone(false);
    if (id === 0) return;
    this.log(`restart ${id}`);
    this.cluster.restart(id);
  }

  #transferOrHeal(): void {
    if (this.random.next() < 0.4) {
      this.log("heal");
      this.mute.clear();
      this.cluster.heal();
      return;
    }
    const id = this.cluster.leaders[0];
    if (id === undefined) return;
    const to = this.random.below(this.cluster.ids.length + 1);
    if (to === id) return;
    this.log(`transfer ${id} to ${to}`);
    this.cluster.step(id, { kind: "transfer", to });
  }

  /** Somebody prepares, whoever leads: leaders overlap, and ballots come thick and fast (P1 is for liveness only). */
  #coup(): void {
    const { cluster, random } = this;
    const id = this.anyone(true);
    if (id === 0) return;
    const from = cluster.ids.filter((peer) => peer !== id)[random.below(cluster.ids.length - 1)]!;
    const core = cluster.core(id);
    const ballot = ballotAbove(Math.max(core.promised, core.state.election.leaderBallot), from);
    this.log(`coup of ${id}`);
    cluster.step(id, { kind: "message", from, message: { kind: "transfer", ballot, to: id } });
  }

  /** For a while everything arrives in order, and disks are quick: conversations come to an end. */
  #calm(): void {
    const { cluster, random } = this;
    for (let i = 5 + random.below(30); i > 0; i -= 1) {
      const id = cluster.ids.find((at) => cluster.replica(at).waiting.some(({ outbox }) => outbox.isUrgent));
      if (id !== undefined) {
        this.log(`sync ${id}`);
        cluster.sync(id);
        continue;
      }
      const flying = cluster.flying[0];
      if (flying === undefined) return;
      const isUp = cluster.link(flying.from, flying.to) === "up";
      this.log(
        `${isUp ? "deliver" : "cut off:"} ${flying.from}>${flying.to} ${describeMessage(flying.message)}`,
      );
      if (isUp) cluster.deliver(flying);
      else cluster.drop(flying);
    }
  }

  /** Several messages in one turn. */
  #burst(): void {
    const { cluster } = this;
    const id = this.anyone(true);
    const batch = cluster.flying.filter((flying) => flying.to === id).slice(0, 4);
    if (id === 0 || batch.length === 0) return;
    const events: Event[] = batch.map(({ from, message }) => ({ kind: "message", from, message }));
    for (const flying of batch) cluster.drop(flying);
    this.log(
      `one turn at ${id}: ${batch.map((f) => `${f.from}>${f.to} ${describeMessage(f.message)}`).join("; ")}`,
    );
    cluster.turn(id, events);
  }

  #crash(): void {
    const id = this.anyone(true);
    if (id === 0) return;
    const pending = this.cluster.replica(id).disk.pending.length;
    const survivors = {
      turns: this.random.below(pending + 1),
      records: this.random.below(3),
      promise: this.random.next() < 0.5,
    };
    this.log(`crash ${id}, of ${pending} turns ${survivors.turns} survive`);
    this.cluster.crash(id, survivors);
  }

  #cut(): void {
    const [a, b] = [
      this.random.below(this.cluster.ids.length) + 1,
      this.random.below(this.cluster.ids.length) + 1,
    ];
    if (a === b) return;
    const link = this.random.next() < 0.5 ? "silent" : "closed";
    this.log(`cut ${a}-${b} ${link}`);
    this.cluster.setLink(a, b, link);
  }

  /** One direction between two falls silent, or is heard again. */
  #hush(): void {
    const { ids } = this.cluster;
    const [from, to] = [ids[this.random.below(ids.length)]!, ids[this.random.below(ids.length)]!];
    const direction = `${from} ${to}`;
    const isMute = this.mute.delete(direction);
    if (!isMute) this.mute.add(direction);
    this.log(`${from} to ${to} is ${isMute ? "heard" : "mute"}`);
  }

  /** Everything works again: within 10 s all that was asked of a living replica is done, and it stays so. */
  heal(): void {
    const { cluster } = this;
    this.log("heal for good");
    for (const id of cluster.ids) if (cluster.replica(id).core === null) cluster.restart(id);
    cluster.heal();
    const text = "last";
    this.asked.push({ id: 1, incarnation: cluster.replica(1).incarnation, text });
    cluster.propose(1, text);
    const reads = cluster.ids.map((id) => ({ id, read: cluster.read(id) }));
    const isDone = () =>
      this.#pending().length === 0 && reads.every(({ id, read }) => cluster.replica(id).answered.has(read));
    const done = cluster.run(10_000, isDone);
    assert.ok(done, `no progress after healing: ${JSON.stringify(this.#pending())}\n${this.describe()}`);
    cluster.run(1_000);
    assert.equal(cluster.leaders.length, 1, `one leader in the end\n${this.describe()}`);
    const lengths = new Set(cluster.ids.map((id) => cluster.replica(id).executed.length));
    assert.equal(lengths.size, 1, `all have executed as much\n${this.describe()}`);
  }

  #pending(): Asked[] {
    const { cluster } = this;
    return this.asked.filter(({ id, incarnation, text }) => {
      if (cluster.replica(id).incarnation !== incarnation) return false;
      return cluster.ids.some((at) => !cluster.hasExecuted(at, text));
    });
  }

  describe(): string {
    return this.cluster.ids
      .map((id) => `replica ${id}\n${this.cluster.replica(id).core?.describe() ?? "down"}`)
      .join("\n");
  }
}

/** How much happened in a walk: walks in which nothing does prove nothing. */
export interface Reached {
  chosen: number;
  ballots: number;
  reads: number;
  /** Slots in which two values were voted for. */
  contested: number;
}

function reached(ghost: Ghost): Reached {
  let contested = 0;
  for (const ballots of ghost.proposed.values()) {
    const [first, ...others] = [...ballots.values()];
    if (others.some((value) => !sameValue(value, first!))) contested += 1;
  }
  return { chosen: ghost.chosen.size, ballots: ghost.ballotLife.size, reads: ghost.reads.size, contested };
}

/** Runs one walk; throws on the first breach. */
export function walk(options: WalkOptions): Reached {
  const it = new Walk(options);
  for (let i = 0; i < options.steps; i += 1) it.step();
  const sum = reached(it.cluster.ghost);
  it.heal();
  return sum;
}
