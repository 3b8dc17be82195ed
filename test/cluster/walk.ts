// One seeded random walk: any message is delivered, lost, doubled or late; replicas crash between any two writes;
// links break, leaders are deposed and may not hear of it; callers propose and read. Then everything heals (2.6).
import { Random } from "../../src/base/random.js";
import { ballotAbove, type ReplicaId } from "../../src/paxos/ballot.js";
import { type Membership, majorityOf } from "../../src/paxos/membership.js";
import { sameValue } from "../../src/paxos/value.js";
import type { Ghost } from "../../src/sim/ghost.js";
import { Cluster } from "./cluster.js";
import { type Asked, healForGood, kill, lifeOf } from "./walk-healing.js";
import { HiddenEnds } from "./walk-hidden-ends.js";
import { Rot } from "./walk-rot.js";
import { type Log, Traffic } from "./walk-traffic.js";

export interface WalkOptions {
  readonly seed: number;
  readonly replicas: number;
  readonly steps: number;
  /** Collects a line per event. */
  readonly trace?: string[];
}

/** The walk of a seed; clusters of three most of the time, for there coincidences are the likeliest. */
export function walkOf(seed: number): WalkOptions {
  return { seed, replicas: [3, 3, 5, 3, 4][seed % 5]!, steps: 300 + (seed % 4) * 200 };
}

/** How much more often than usual some things happen in a walk: where each has its days, more meet by chance. */
const SWARM = [0, 1, 2, 6];

class Walk {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly traffic: Traffic;
  readonly log: Log;
  readonly asked: Asked[] = [];
  readonly rot: Rot;
  readonly hiddenEnds: HiddenEnds;
  /** Milliseconds that pass at most from step to step. */
  readonly hurry: number;
  /** Those who mostly contend for the leadership: the same ones lead again and again. */
  readonly rivals: readonly ReplicaId[];
  /** What may happen, and how often in this walk. */
  readonly steps: readonly (readonly [weight: number, take: () => void])[];
  readonly total: number;

  constructor(options: WalkOptions) {
    const { replicas, seed, trace } = options;
    this.random = new Random(seed);
    const alpha = [2, 3, 64][this.random.below(3)]!;
    this.cluster = new Cluster({ replicas, seed, alpha, membership: this.#membership(replicas) });
    this.log = (line) => trace?.push(`${this.cluster.now} ${line()}`);
    this.traffic = new Traffic(this.cluster, this.random, this.log);
    this.rot = new Rot(this.cluster, seed);
    this.hiddenEnds = new HiddenEnds(this.cluster, seed, this.log);
    this.hurry = [20, 60, 600][this.random.below(3)]!;
    this.rivals = [1 + this.random.below(replicas), 1 + this.random.below(replicas)];
    this.steps = this.#draw();
    this.total = this.steps.reduce((sum, [weight]) => sum + weight, 0);
  }

  /** Mostly majorities, at times the least quorums that still meet. */
  #membership(replicas: number): Membership {
    const majority = majorityOf(Array.from({ length: replicas }, (_, i) => i + 1));
    if (this.random.below(4) > 0) return majority;
    const phase2 = 1 + this.random.below(replicas);
    return { voters: majority.voters, phase1: replicas + 1 - phase2, phase2 };
  }

  #draw(): [number, () => void][] {
    const { traffic, random } = this;
    const often = (weight: number) => weight * SWARM[random.below(SWARM.length)]!;
    const [crashes, cuts] = [random.below(3), random.below(3)];
    return [
      [40, () => this.#move()],
      [21, () => this.#sync()],
      [4, () => this.#tick()],
      [8, () => this.#ask()],
      [2, () => this.#restart()],
      [often(3), () => traffic.huddle(this.cluster.ids, new Set())],
      [often(3), () => traffic.huddle(this.#some(), traffic.someKinds())],
      [often(8), () => this.#coup()],
      [often(6), () => traffic.comeLate()],
      [often(2), () => this.#stand()],
      [often(1), () => this.#dream()],
      [often(1), () => this.#burst()],
      [often(1), () => this.#compact()],
      [often(1), () => this.#install()],
      [often(0.6), () => this.#transfer()],
      [often(0.4), () => this.#heal()],
      [2 * crashes, () => this.#crash()],
      [cuts, () => this.#cut()],
      [cuts, () => this.#hush()],
    ];
  }

  step(): void {
    this.rot.tell();
    this.hiddenEnds.strike();
    let dice = this.random.next() * this.total;
    for (const [weight, take] of this.steps) {
      dice -= weight;
      if (dice >= 0) continue;
      take();
      return;
    }
  }

  #anyOf(ids: readonly ReplicaId[]): ReplicaId {
    return ids.length === 0 ? 0 : ids[this.random.below(ids.length)]!;
  }

  #anyone(isUp: boolean): ReplicaId {
    return this.#anyOf(this.cluster.ids.filter((id) => (this.cluster.replica(id).core !== null) === isUp));
  }

  #leaderOrAnyone(share: number): ReplicaId {
    const { leaders } = this.cluster;
    return leaders.length > 0 && this.random.next() < share ? this.#anyOf(leaders) : this.#anyone(true);
  }

  #some(): ReplicaId[] {
    return this.cluster.ids.filter(() => this.random.next() < 0.6);
  }

  #move(): void {
    if (!this.traffic.move()) this.#tick();
  }

  #sync(): void {
    const id = this.#anyone(true);
    if (id === 0) return;
    const { waiting } = this.cluster.replica(id);
    if (waiting.length === 0) return;
    const turn = waiting[this.random.next() < 0.7 ? waiting.length - 1 : this.random.below(waiting.length)]!;
    this.log(() => `sync ${id} up to turn ${turn.outbox.turn}`);
    this.cluster.sync(id, turn.outbox.turn);
  }

  #burst(): void {
    const id = this.#anyone(true);
    if (id !== 0) this.traffic.burst(id);
  }

  // --- time ---

  /** Time passes, for all or for `id` alone: clocks are no part of what is safe. */
  #pass(ms: number, id: ReplicaId): void {
    const { cluster } = this;
    const isForAll = this.random.next() < 0.5;
    cluster.now += ms;
    for (const other of cluster.ids) {
      const passes = other === id || (isForAll && !this.traffic.dreaming.has(other));
      if (!passes) cluster.replica(other).lag += ms;
    }
  }

  #passToDeadline(id: ReplicaId): void {
    const { cluster } = this;
    const left = cluster.core(id).deadline - (cluster.now - cluster.replica(id).lag);
    if (Number.isFinite(left)) this.#pass(Math.max(0, left), id);
  }

  #tick(): void {
    const id = this.#anyone(true);
    if (id === 0) return;
    const dice = this.random.next();
    if (dice < 0.3) this.#pass(this.random.below(this.hurry), id);
    else if (dice < 0.6) this.#passToDeadline(id);
    this.log(() => `tick ${id}`);
    this.cluster.step(id, { kind: "tick" });
  }

  /** One replica hears no leader for so long that it asks whether it should lead. */
  #stand(): void {
    const { cluster } = this;
    const id = this.#anyone(true);
    if (id === 0 || cluster.core(id).isLeading) return;
    this.log(() => `${id} loses its patience`);
    for (let i = 0; i < 4 && cluster.core(id).state.election.canvass === null; i += 1) {
      this.#passToDeadline(id);
      cluster.step(id, { kind: "tick" });
    }
  }

  // --- callers ---

  #ask(): void {
    const id = this.#leaderOrAnyone(0.6);
    if (id === 0) return;
    if (this.random.next() < 0.3) {
      this.log(() => `read at ${id}`);
      this.asked.push({ ...lifeOf(this.cluster, id), text: null, read: this.cluster.read(id) });
      return;
    }
    const text = `c${this.asked.length + 1}`;
    this.log(() => `propose ${text} at ${id}`);
    this.asked.push({ ...lifeOf(this.cluster, id), text, read: 0 });
    this.cluster.propose(id, text);
  }

  // --- snapshots ---

  #compact(): void {
    const id = this.#anyone(true);
    if (id === 0) return;
    const { chosenUpTo, compactedUpTo } = this.cluster.replica(id).disk;
    const upTo = compactedUpTo + this.random.below(chosenUpTo - compactedUpTo + 1);
    this.log(() => `compact ${id} up to ${upTo}`);
    this.cluster.compact(id, upTo);
  }

  /** What was offered, or what was fetched before it led: then mostly at a leader that does not know the newest. */
  #install(): void {
    const { cluster } = this;
    let id = this.#anyOf([...cluster.offers.keys()]);
    if (this.random.next() < 0.5) {
      id = this.#leaderOrAnyone(0.8);
      const ahead = cluster.ids.map((peer) => cluster.replica(peer).executed);
      const longest = ahead.reduce((a, b) => (a.length > b.length ? a : b));
      if (id !== 0) cluster.offers.set(id, { state: [...longest], at: cluster.now });
    }
    if (id === 0) return;
    this.log(() => `install at ${id}`);
    cluster.install(id);
  }

  // --- leaders ---

  #transfer(): void {
    const id = this.cluster.leaders[0];
    if (id === undefined) return;
    const to = this.random.below(this.cluster.ids.length + 1);
    if (to === id) return;
    this.log(() => `transfer ${id} to ${to}`);
    this.cluster.step(id, { kind: "transfer", to });
  }

  /** Somebody prepares, whoever leads: leaders overlap, and ballots come thick and fast (P1 is for liveness only). */
  #coup(): void {
    const { cluster, random } = this;
    const waiting = this.rivals.filter((rival) => cluster.replica(rival).core?.isLeading === false);
    const id = waiting.length > 0 && random.next() < 0.6 ? waiting[0]! : this.#anyone(true);
    if (id === 0) return;
    const from = this.#anyOf(cluster.ids.filter((peer) => peer !== id));
    const core = cluster.core(id);
    const ballot = ballotAbove(Math.max(core.promised, core.state.election.leaderBallot), from);
    this.log(() => `coup of ${id}`);
    const deposed = cluster.leaders.filter((leader) => leader !== id);
    cluster.step(id, { kind: "message", from, message: { kind: "transfer", ballot, to: id } });
    if (random.next() < 0.5) return;
    // It succeeds, behind the backs of those who led.
    const friends = cluster.ids.filter((peer) => !deposed.includes(peer) && random.next() < 0.8);
    if (!friends.includes(id)) friends.push(id);
    if (random.next() < 0.4) for (const leader of deposed) this.traffic.dreaming.add(leader);
    this.traffic.huddle(friends, new Set());
    if (random.next() < 0.5) this.#ask();
    if (random.next() < 0.5) this.traffic.huddle(friends, this.traffic.someKinds());
  }

  /** A replica, mostly one that leads, lives in the past from now on, or does so no more. */
  #dream(): void {
    const id = this.#leaderOrAnyone(1);
    if (id === 0) return;
    const isAwake = !this.traffic.dreaming.delete(id);
    if (isAwake) this.traffic.dreaming.add(id);
    this.log(() => `${id} ${isAwake ? "dreams" : "wakes"}`);
  }

  // --- faults ---

  #crash(): void {
    const id = this.#leaderOrAnyone(0.4);
    if (id !== 0) kill(this, id);
  }

  #restart(): void {
    const id = this.#anyone(false);
    if (id === 0) return;
    this.log(() => `restart ${id}`);
    this.cluster.restart(id);
  }

  #heal(): void {
    this.log(() => "heal");
    this.traffic.heal();
  }

  #cut(): void {
    const [a, b] = [this.#anyOf(this.cluster.ids), this.#anyOf(this.cluster.ids)];
    if (a === b) return;
    const link = this.random.next() < 0.5 ? "silent" : "closed";
    this.log(() => `cut ${a}-${b} ${link}`);
    this.cluster.setLink(a, b, link);
  }

  /** One direction between two falls silent, or is heard again. */
  #hush(): void {
    const { ids } = this.cluster;
    const [from, to] = [this.#anyOf(ids), this.#anyOf(ids)];
    const direction = `${from} ${to}`;
    const isMute = this.traffic.mute.delete(direction);
    if (!isMute) this.traffic.mute.add(direction);
    this.log(() => `${from} to ${to} is ${isMute ? "heard" : "mute"}`);
  }
}

/** How much happened in a walk: walks in which nothing does prove nothing. */
export interface Reached {
  chosen: number;
  ballots: number;
  reads: number;
  /** Slots in which two values were voted for. */
  contested: number;
  /** Logs that lost their ends, in some walks, and how often free slots healed of that. */
  strikes: number;
  voids: number;
  /** Replicas that were fenced, in the few walks in which states differ; some as it heals. */
  fences: number;
}

function reached(ghost: Ghost, strikes: number): Omit<Reached, "fences"> {
  let contested = 0;
  for (const [, ballots] of ghost.proposed) {
    const [first, ...others] = [...ballots].map(([, value]) => value);
    if (others.some((value) => !sameValue(value, first!))) contested += 1;
  }
  const [chosen, ballots, reads] = [ghost.chosen.size, ghost.ballotLife.size, ghost.reads.size];
  return { chosen, ballots, reads, contested, strikes, voids: ghost.voids };
}

/** Runs one walk; throws on the first breach. */
export function walk(options: WalkOptions): Reached {
  const it = new Walk(options);
  for (let i = 0; i < options.steps; i += 1) it.step();
  const sum = reached(it.cluster.ghost, it.hiddenEnds.strikes);
  healForGood(it);
  return { ...sum, fences: it.rot.fences };
}
