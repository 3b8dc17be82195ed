// States that rot: some replicas execute one command wrong, as by a bug of the library that they run, each time that
// they execute it. Rule: what goes wrong no client sees. The state has a refusal in its digest that nobody got: it is
// kept, stored and sent along with the state as any other part of it, and goes only when another state takes its place.
import type { KvCommand } from "../kv/commands.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { Ghost } from "./ghost.js";
import { areSame } from "./told-digests.js";

/** What is executed too often: nothing is at so high a revision. */
export const NEVER_ASKED: KvCommand = {
  kind: "compact",
  request: { revision: 2 ** 40, physical: false },
} as const;

interface Strike {
  /** The first slot from here on in which anybody executes a command is the one. */
  readonly from: Slot;
  /** That slot; 0: nobody has come to it. */
  slot: Slot;
  /** How often each that has rotted executes what it should not: as often as another one is alike. */
  readonly times: ReadonlyMap<ReplicaId, number>;
}

export class StateRot {
  readonly #ghost: Ghost;
  #strikes: Strike[];

  constructor(ghost: Ghost) {
    this.#ghost = ghost;
    this.#strikes = [];
  }

  strike(times: ReadonlyMap<ReplicaId, number>): void {
    this.#strikes.push({ from: this.#ghost.visibleUpTo + 1, slot: 0, times });
  }

  /** How often `id` executes what it should not, before the first command in `slot`. */
  timesOf(id: ReplicaId, slot: Slot): number {
    for (const strike of this.#strikes) {
      if (strike.slot === 0 && slot >= strike.from) {
        strike.slot = slot;
        this.#ghost.rotsFrom = Math.min(this.#ghost.rotsFrom, slot);
      }
      if (strike.slot === slot) return strike.times.get(id) ?? 0;
    }
    return 0;
  }

  /** What nobody has executed yet goes well. */
  calm(): void {
    this.#strikes = this.#strikes.filter(({ slot }) => slot > 0);
  }

  /** Whether `ids` have told since the last strike, of a slot from `from` on, that their states are the same again. */
  isOver(ids: readonly ReplicaId[], from: Slot = 0): boolean {
    const last = this.#strikes.at(-1);
    return last === undefined || (last.slot > 0 && areSame(this.#ghost, ids, Math.max(last.slot, from)));
  }
}
