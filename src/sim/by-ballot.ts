// Something for each ballot of one slot. Mostly there is one ballot, and a run has thousands of slots on each replica:
// a Map for each would cost more than all that is done with it.
import type { Ballot } from "../paxos/ballot.js";

export class ByBallot<V> {
  /** 0: it is not there. */
  #ballot: Ballot;
  #value: V | undefined;
  /** The others. */
  #more: Map<Ballot, V> | null;

  constructor(ballot: Ballot, value: V) {
    this.#ballot = ballot;
    this.#value = value;
    this.#more = null;
  }

  copy(): ByBallot<V> {
    const copy = new ByBallot<V>(this.#ballot, this.#value as V);
    if (this.#more !== null) copy.#more = new Map(this.#more);
    return copy;
  }

  get size(): number {
    return (this.#ballot === 0 ? 0 : 1) + (this.#more === null ? 0 : this.#more.size);
  }

  get(ballot: Ballot): V | undefined {
    return ballot === this.#ballot ? this.#value : this.#more?.get(ballot);
  }

  has(ballot: Ballot): boolean {
    return ballot === this.#ballot || this.#more?.has(ballot) === true;
  }

  set(ballot: Ballot, value: V): void {
    if (ballot === this.#ballot || this.size === 0) {
      this.#ballot = ballot;
      this.#value = value;
      return;
    }
    this.#more ??= new Map();
    this.#more.set(ballot, value);
  }

  delete(ballot: Ballot): void {
    if (ballot === this.#ballot) {
      this.#ballot = 0;
      this.#value = undefined;
    } else {
      this.#more?.delete(ballot);
    }
  }

  forEach(task: (value: V, ballot: Ballot) => void): void {
    if (this.#ballot !== 0) task(this.#value as V, this.#ballot);
    this.#more?.forEach(task);
  }

  *[Symbol.iterator](): Generator<readonly [Ballot, V]> {
    if (this.#ballot !== 0) yield [this.#ballot, this.#value as V];
    if (this.#more !== null) yield* this.#more;
  }

  /** The highest ballot below `limit`; 0: there is none. */
  highest(limit = Number.POSITIVE_INFINITY): Ballot {
    let highest = this.#ballot < limit ? this.#ballot : 0;
    if (this.#more === null) return highest;
    for (const ballot of this.#more.keys()) if (ballot > highest && ballot < limit) highest = ballot;
    return highest;
  }
}
