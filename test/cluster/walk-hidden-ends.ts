// In some walks the logs of a few replicas lose their ends, so that they cannot tell what they voted for (A4). So few
// that the others are a phase-1 quorum: every chosen value has a good copy with one of them, and they can elect one.
import { Random } from "../../src/base/random.js";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import type { Cluster } from "./cluster.js";
import { kill } from "./walk-healing.js";
import type { Log } from "./walk-traffic.js";

const SHARE = 0.4;
/** Of all steps of such a walk. */
const PACES = [0.004, 0.015, 0.05];
/** It starts again at once. */
const AT_ONCE = 0.7;

export class HiddenEnds {
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #log: Log;
  readonly #pace: number;
  readonly victims: Set<ReplicaId>;
  /** How often that happened. */
  strikes: number;

  /** Draws of its own, so that the other walks are what they are without it. */
  constructor(cluster: Cluster, seed: number, log: Log) {
    const random = new Random(seed + 2 ** 35);
    const { ids, memberships } = cluster;
    this.#cluster = cluster;
    this.#random = random;
    this.#log = log;
    this.#pace = random.next() < SHARE ? PACES[random.below(PACES.length)]! : 0;
    this.victims = new Set();
    for (let left = ids.length - memberships.first.phase1; left > 0; left -= 1) {
      this.victims.add(ids[random.below(ids.length)]!);
    }
    this.strikes = 0;
  }

  /** To be called at each step. */
  strike(): void {
    if (this.#pace === 0 || this.#random.next() >= this.#pace || this.victims.size === 0) return;
    const id = [...this.victims][this.#random.below(this.victims.size)]!;
    const cluster = this.#cluster;
    const random = this.#random;
    if (cluster.replica(id).core !== null) kill({ cluster, random, log: this.#log }, id);
    this.#log(() => `the end of the log of ${id} is hidden`);
    cluster.hideEnd(id);
    this.strikes += 1;
    if (random.next() < AT_ONCE) cluster.restart(id);
  }
}
