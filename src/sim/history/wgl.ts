// A search for an order of operations that a sequential model allows and real time does not forbid: Wing and Gong's,
// with Lowe's memo of (operations taken, state), over a doubly linked list of calls and returns as porcupine does it.
// Rule: operations that may be left out are taken only when no other goes on, and only if the next one can tell.
// Source: Wing and Gong 1993; Lowe, "Testing for linearizability", 2017.
import { assert } from "../../base/assert.js";
import { compareNumbers } from "./order.js";

export interface SearchOperation {
  /** May be -Infinity. */
  readonly call: number;
  readonly return: number;
  /** It may take effect at any time after its call, or never. */
  readonly isOptional: boolean;
  /** Its likely place: where several can follow, those with lower ones are tried first. No verdict rests on it. */
  readonly likelyPlace: number;
}

export interface SearchModel<S> {
  readonly operations: readonly SearchOperation[];
  readonly initial: S;
  /** The states that may follow the operation; none if it cannot have happened here. A state is never changed. */
  step(state: S, index: number): readonly S[];
  /** Equal for equal states. */
  identity(state: S): string;
  /** Neither its answer nor the state after it depends on the state before. */
  isBlind(index: number): boolean;
}

export interface SearchResult<S> {
  readonly verdict: "linearizable" | "violation" | "undecided";
  /** How many that must take effect were put in order at most, and what could not go on then. */
  readonly ordered: number;
  readonly state: S;
  readonly stuck: readonly number[];
}

interface Next<S> {
  readonly index: number;
  readonly state: S;
}

interface Frame<S> {
  readonly state: S;
  /** What led here, or -1. */
  readonly index: number;
  readonly highestBefore: number;
  left: Next<S>[];
  hasTriedOptional: boolean;
}

/** Visits at most `maxStates` combinations of operations taken and state. */
export function search<S>(model: SearchModel<S>, maxStates: number): SearchResult<S> {
  return new Search(model).run(maxStates);
}

/** Entries of the list: operation `i` of `#required` calls at entry `#callAt[i]` and returns at `#returnAt[i]`. */
class Search<S> {
  readonly #model: SearchModel<S>;
  /** In the order of their calls. */
  readonly #required: number[] = [];
  readonly #optional: number[] = [];
  /** Per entry its operation, as a place in `#required`: itself for a call, -1 - itself for a return. */
  readonly #entries: Int32Array;
  readonly #callAt: Int32Array;
  readonly #returnAt: Int32Array;
  /** Of the entries, from 1; 0 is before the first and after the last. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Per operation of the model its place in `#required`. */
  readonly #placeOf: Int32Array;
  readonly #isTaken: Uint8Array;
  readonly #takenOptional = new Set<number>();
  readonly #visited = new Set<string>();
  readonly #frames: Frame<S>[] = [];
  /** The highest place that is taken. */
  #highest = -1;
  #count = 0;

  constructor(model: SearchModel<S>) {
    this.#model = model;
    const { operations } = model;
    for (const [index, { isOptional, call, return: end }] of operations.entries()) {
      assert(call <= end, "an operation is called before it returns");
      (isOptional ? this.#optional : this.#required).push(index);
    }
    const byCall = (a: number, b: number): number =>
      compareNumbers(operations[a]!.call, operations[b]!.call) || a - b;
    this.#required.sort(byCall);
    this.#optional.sort(byCall);
    const count = this.#required.length;
    this.#placeOf = new Int32Array(operations.length).fill(-1);
    for (const [place, index] of this.#required.entries()) this.#placeOf[index] = place;
    this.#isTaken = new Uint8Array(count);
    this.#callAt = new Int32Array(count);
    this.#returnAt = new Int32Array(count);
    this.#entries = new Int32Array(2 * count + 1);
    this.#next = new Int32Array(2 * count + 1);
    this.#previous = new Int32Array(2 * count + 1);
    this.#link();
  }

  /** Merges calls and returns by time; at one time calls come first, for intervals are closed. */
  #link(): void {
    const { operations } = this.#model;
    const count = this.#required.length;
    const callOf = (place: number): number => operations[this.#required[place]!]!.call;
    const returnOf = (place: number): number => operations[this.#required[place]!]!.return;
    const byReturn = [...this.#required.keys()].sort(
      (a, b) => compareNumbers(returnOf(a), returnOf(b)) || a - b,
    );
    let called = 0;
    let returned = 0;
    for (let entry = 1; entry <= 2 * count; entry += 1) {
      if (called < count && callOf(called) <= returnOf(byReturn[returned]!)) {
        this.#entries[entry] = called;
        this.#callAt[called] = entry;
        called += 1;
      } else {
        const place = byReturn[returned]!;
        this.#entries[entry] = -1 - place;
        this.#returnAt[place] = entry;
        returned += 1;
      }
      this.#previous[entry] = entry - 1;
      this.#next[entry - 1] = entry;
    }
    this.#next[2 * count] = 0;
    this.#previous[0] = 2 * count;
  }

  run(maxStates: number): SearchResult<S> {
    const { initial } = this.#model;
    let best = { ordered: 0, state: initial, stuck: this.#open() };
    this.#frames.push(this.#frame(initial, -1, -1));
    while (this.#count < this.#required.length) {
      const frame = this.#frames.at(-1)!;
      const next = frame.left.pop();
      if (next !== undefined) {
        const highest = this.#highest;
        if (!this.#take(next)) continue;
        if (this.#visited.size > maxStates) return { verdict: "undecided", ...best };
        this.#frames.push(this.#frame(next.state, next.index, highest));
        if (this.#count > best.ordered) best = { ordered: this.#count, state: next.state, stuck: [] };
      } else if (!frame.hasTriedOptional) {
        if (this.#count === best.ordered && best.stuck.length === 0) best.stuck = this.#open();
        frame.hasTriedOptional = true;
        frame.left = this.#optionalFrom(frame);
      } else {
        this.#frames.pop();
        if (this.#frames.length === 0) return { verdict: "violation", ...best };
        this.#giveBack(frame);
      }
    }
    return { verdict: "linearizable", ...best };
  }

  #frame(state: S, index: number, highestBefore: number): Frame<S> {
    const frame = { state, index, highestBefore, left: [] as Next<S>[], hasTriedOptional: false };
    const open = this.#open();
    const required = this.#nextOf(frame, open);
    frame.left = required.concat(this.#enablersOf(frame, open[0], required));
    return frame;
  }

  /** Those called before the first return, the likeliest first. */
  #open(): number[] {
    const { operations } = this.#model;
    const open: number[] = [];
    for (let entry = this.#next[0]!; entry !== 0 && this.#entries[entry]! >= 0; entry = this.#next[entry]!) {
      open.push(this.#required[this.#entries[entry]!]!);
    }
    return open.sort((a, b) => compareNumbers(operations[a]!.likelyPlace, operations[b]!.likelyPlace));
  }

  /** If the likeliest cannot follow, the optional ones after which it can. */
  #enablersOf(frame: Frame<S>, likeliest: number | undefined, required: readonly Next<S>[]): Next<S>[] {
    if (likeliest === undefined || required.at(-1)?.index === likeliest) return [];
    if (this.#model.isBlind(likeliest)) return [];
    return this.#optionalFrom(frame).filter(({ state }) => this.#model.step(state, likeliest).length > 0);
  }

  /** What may follow of the optional ones, and changes the state; the one called last is last. */
  #optionalFrom(frame: Frame<S>): Next<S>[] {
    const { operations } = this.#model;
    let entry = this.#next[0]!;
    while (this.#entries[entry]! >= 0) entry = this.#next[entry]!;
    const end = operations[this.#required[-1 - this.#entries[entry]!]!]!.return;
    const open: number[] = [];
    for (const index of this.#optional) {
      if (operations[index]!.call > end) break;
      if (!this.#takenOptional.has(index)) open.push(index);
    }
    const before = this.#model.identity(frame.state);
    const next = this.#nextOf(frame, open.reverse());
    return next.filter(({ state }) => this.#model.identity(state) !== before);
  }

  /** What may follow, in turn; the first is last. After an optional operation, only what can tell its effect. */
  #nextOf({ state, index: last }: Frame<S>, open: readonly number[]): Next<S>[] {
    const next: Next<S>[] = [];
    const mustTell = last !== -1 && this.#model.operations[last]!.isOptional;
    for (const index of open) {
      if (mustTell && this.#model.isBlind(index)) continue;
      for (const after of this.#model.step(state, index)) next.push({ index, state: after });
    }
    return next.reverse();
  }

  /** False, and nothing changed, if the same was visited before. */
  #take({ index, state }: Next<S>): boolean {
    const place = this.#placeOf[index]!;
    const highestBefore = this.#highest;
    if (place === -1) {
      this.#takenOptional.add(index);
    } else {
      this.#lift(this.#callAt[place]!);
      this.#lift(this.#returnAt[place]!);
      this.#isTaken[place] = 1;
      this.#highest = Math.max(this.#highest, place);
      this.#count += 1;
    }
    const visit = this.#visitOf(state, place === -1);
    if (!this.#visited.has(visit)) {
      this.#visited.add(visit);
      return true;
    }
    this.#giveBack({ index, highestBefore });
    return false;
  }

  #giveBack({ index, highestBefore }: { readonly index: number; readonly highestBefore: number }): void {
    const place = this.#placeOf[index]!;
    if (place === -1) {
      this.#takenOptional.delete(index);
      return;
    }
    this.#unlift(this.#returnAt[place]!);
    this.#unlift(this.#callAt[place]!);
    this.#isTaken[place] = 0;
    this.#highest = highestBefore;
    this.#count -= 1;
  }

  #lift(entry: number): void {
    this.#next[this.#previous[entry]!] = this.#next[entry]!;
    this.#previous[this.#next[entry]!] = this.#previous[entry]!;
  }

  #unlift(entry: number): void {
    this.#next[this.#previous[entry]!] = entry;
    this.#previous[this.#next[entry]!] = entry;
  }

  /** All below the first in the list are taken; of those above it a bit each, up to the highest. */
  #visitOf(state: S, isAfterOptional: boolean): string {
    const first = this.#next[0]! === 0 ? this.#required.length : this.#entries[this.#next[0]!]!;
    let visit = `${first}`;
    let bits = 1;
    for (let place = first + 1; place <= this.#highest; place += 1) {
      bits = bits * 2 + this.#isTaken[place]!;
      if (bits >= 2 ** 40) {
        visit += `.${bits}`;
        bits = 1;
      }
    }
    const optional =
      this.#takenOptional.size === 0 ? "" : [...this.#takenOptional].sort((a, b) => a - b).join();
    return `${visit}.${bits}|${optional}|${isAfterOptional ? 1 : 0}|${this.#model.identity(state)}`;
  }
}
