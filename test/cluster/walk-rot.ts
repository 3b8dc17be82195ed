// In some walks the state of a minority has become another one from some slot on. Whoever has the state of the others
// must never be fenced for it, whoever leads (F14).
import { Random } from "../../src/base/random.js";
import type { ReplicaId, Slot } from "../../src/paxos/ballot.js";
import { InvariantBroken } from "../../src/sim/ghost.js";
import type { Cluster } from "./cluster.js";

const SHARE = 0.15;
const INTERVAL = 4;
const LATEST = 20;

export class Rot {
  readonly #cluster: Cluster;
  readonly #rotten: Set<ReplicaId>;
  readonly #isOn: boolean;
  readonly #from: Slot;
  /** Those that have rotted have the same state, or each its own. */
  readonly #areAlike: boolean;
  /** The last slot of which each life has told a digest. */
  readonly #told: Map<string, Slot>;
  /** Replicas that were fenced. */
  fences: number;

  /** Draws of its own, so that the other walks are what they are without it. */
  constructor(cluster: Cluster, seed: number) {
    const random = new Random(seed + 2 ** 34);
    const { ids } = cluster;
    this.#cluster = cluster;
    this.#rotten = new Set();
    this.#isOn = random.next() < SHARE;
    this.#from = 1 + random.below(LATEST);
    this.#areAlike = random.next() < 0.5;
    this.#told = new Map();
    this.fences = 0;
    for (let left = Math.floor((ids.length - 1) / 2); left > 0; left -= 1) {
      this.#rotten.add(ids[random.below(ids.length)]!);
    }
    cluster.onNotice = (id, notice) => {
      if (notice.kind !== "diverged") return;
      this.fences += 1;
      if (this.#rotten.has(id)) return;
      throw new InvariantBroken(`fencesTheWrong: ${id} is fenced after slot ${notice.slot}, as most are`);
    };
  }

  /** Everyone tells its core what it has executed since. */
  tell(): void {
    if (!this.#isOn) return;
    for (const id of this.#cluster.ids) {
      const { core, executed, incarnation } = this.#cluster.replica(id);
      const life = `${id}.${incarnation}`;
      const slot = executed.length - (executed.length % INTERVAL);
      if (core === null || slot <= (this.#told.get(life) ?? 0)) continue;
      this.#told.set(life, slot);
      const isRotten = this.#rotten.has(id) && slot >= this.#from;
      const rot = isRotten ? (this.#areAlike ? 100 : id) : 0;
      this.#cluster.step(id, { kind: "digest", slot, digest: slot * 1000 + rot });
    }
  }
}
