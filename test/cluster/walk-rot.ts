// In some walks the states of a few replicas, or of most, have become others from some slot on. Whoever is fenced for
// its state must have told another digest than a majority of the voters, who told the same (F14): so where a minority
// has rotted, however alike and whoever leads, those that have not are never fenced.
import assert from "node:assert/strict";
import { Random } from "../../src/base/random.js";
import type { ReplicaId, Slot } from "../../src/paxos/ballot.js";
import type { Notice } from "../../src/paxos/outbox.js";
import { InvariantBroken } from "../../src/sim/ghost.js";
import type { Cluster } from "./cluster.js";

const SHARE = 0.15;
/** Many walks execute few slots: a digest that is rare, or rot that begins late, is never told by enough of them. */
const INTERVALS = [1, 2, 4] as const;
const LATEST = 6;
/** So often all tell once more what they have, at the end. */
const TIMES = 4;

export class Rot {
  readonly #cluster: Cluster;
  readonly #rotten: Set<ReplicaId>;
  readonly #isOn: boolean;
  readonly #interval: number;
  readonly #from: Slot;
  /** Those that have rotted have the same state, or each its own. */
  readonly #areAlike: boolean;
  /** The last slot of which each life has told a digest. */
  readonly #told: Map<string, Slot>;
  /** Who has told a digest of a slot. */
  readonly #tellers: Map<Slot, Set<ReplicaId>>;
  /** Replicas that were fenced. */
  fences: number;

  /** Draws of its own, so that the other walks are what they are without it. */
  constructor(cluster: Cluster, seed: number) {
    const random = new Random(seed + 2 ** 34);
    const { ids } = cluster;
    this.#cluster = cluster;
    this.#isOn = random.next() < SHARE;
    this.#interval = INTERVALS[random.below(INTERVALS.length)]!;
    this.#from = 1 + random.below(LATEST);
    this.#areAlike = random.next() < 0.5;
    this.#told = new Map();
    this.#tellers = new Map();
    this.fences = 0;
    const sound = [...ids];
    for (let left = 1 + random.below(ids.length - 1); left > 0; left -= 1) {
      sound.splice(random.below(sound.length), 1);
    }
    this.#rotten = new Set(ids.filter((id) => !sound.includes(id)));
    cluster.onNotice = (id, notice) => {
      if (notice.kind !== "diverged") return;
      this.fences += 1;
      this.#check(id, notice);
    };
  }

  #digestOf(id: ReplicaId, slot: Slot): number {
    const isRotten = this.#rotten.has(id) && slot >= this.#from;
    const rot = isRotten ? (this.#areAlike ? 100 : id) : 0;
    return slot * 1000 + rot;
  }

  get #majority(): number {
    return Math.floor(this.#cluster.memberships.first.voters.length / 2) + 1;
  }

  #check(id: ReplicaId, { slot, members }: Notice & { readonly kind: "diverged" }): void {
    const tellers = this.#tellers.get(slot) ?? new Set();
    const digests = new Set(members.map((member) => this.#digestOf(member, slot)));
    const isOne = digests.size === 1 && !digests.has(this.#digestOf(id, slot));
    const areMost = new Set(members).size >= this.#majority && members.every((member) => tellers.has(member));
    if (isOne && areMost) return;
    throw new InvariantBroken(
      `fencesTheWrong: ${id} is fenced after slot ${slot} by ${members}; told it have ${[...tellers]}, rotten are ` +
        `${[...this.#rotten]}`,
    );
  }

  /** Everyone tells its core what it has executed since. */
  tell(): void {
    if (!this.#isOn) return;
    for (const id of this.#cluster.ids) {
      const { core, incarnation } = this.#cluster.replica(id);
      if (core !== null && this.#slotOf(id) > (this.#told.get(`${id}.${incarnation}`) ?? 0)) this.#say(id);
    }
  }

  /** The newest slot of which it has a digest; 0: there is none. */
  #slotOf(id: ReplicaId): Slot {
    const { length } = this.#cluster.replica(id).executed;
    return length - (length % this.#interval);
  }

  #say(id: ReplicaId): void {
    const slot = this.#slotOf(id);
    this.#told.set(`${id}.${this.#cluster.replica(id).incarnation}`, slot);
    if (!this.#tellers.has(slot)) this.#tellers.set(slot, new Set());
    this.#tellers.get(slot)!.add(id);
    this.#cluster.step(id, { kind: "digest", slot, digest: this.#digestOf(id, slot) });
  }

  /** All of `alive` are level and hear of each other: where a majority is among them, all others are fenced soon. */
  mustFence(alive: readonly ReplicaId[], patience: number): void {
    const slot = this.#slotOf(alive[0]!);
    if (!this.#isOn || slot === 0) return;
    const camps = alive.map((id) => alive.filter((other) => this.#areSame(id, other, slot)));
    const majority = camps.find((camp) => camp.length >= this.#majority);
    if (majority === undefined) return;
    const others = alive.filter((id) => !majority.includes(id));
    const areFenced = () => others.every((id) => this.#cluster.core(id).state.digests.isFenced);
    // A core forgets what it was told when a snapshot is installed: then it is told again.
    for (let i = 0; i < TIMES; i += 1) {
      for (const id of alive) this.#say(id);
      if (this.#cluster.run(patience / TIMES, areFenced)) return;
    }
    assert.fail(
      `fencesTooFew: of ${others} not all are fenced; ${majority} have another digest of slot ${slot}`,
    );
  }

  #areSame(a: ReplicaId, b: ReplicaId, slot: Slot): boolean {
    return this.#digestOf(a, slot) === this.#digestOf(b, slot);
  }
}
