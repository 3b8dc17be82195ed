// Something for each slot. A run counts its slots from 1 and has hardly a gap: a list finds one sooner than a Map.
import type { Slot } from "../paxos/ballot.js";

export class BySlot<V> {
  readonly #at: (V | undefined)[];
  /** Slots that have something. */
  size: number;

  constructor() {
    this.#at = [];
    this.size = 0;
  }

  get(slot: Slot): V | undefined {
    return this.#at[slot];
  }

  has(slot: Slot): boolean {
    return this.#at[slot] !== undefined;
  }

  set(slot: Slot, value: V): void {
    const at = this.#at;
    // One after the other: a list with holes is slower.
    while (at.length <= slot) at.push(undefined);
    if (at[slot] === undefined) this.size += 1;
    at[slot] = value;
  }

  delete(slot: Slot): void {
    if (!this.has(slot)) return;
    this.#at[slot] = undefined;
    this.size -= 1;
  }

  clear(): void {
    this.#at.length = 0;
    this.size = 0;
  }

  /** In the order of the slots. */
  *[Symbol.iterator](): Generator<readonly [Slot, V]> {
    for (const [slot, value] of this.#at.entries()) if (value !== undefined) yield [slot, value];
  }
}
