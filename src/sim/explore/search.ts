// Breadth-first search over all states that a space can reach, so that the first counter-example is one of the
// shortest. States are small vectors of numbers; only their fingerprints, parents and actions are kept.
import { assert } from "../../base/assert.js";
import { Fingerprint, StateTable } from "./state-table.js";

/** What is explored: states as vectors of `width` numbers, and what can happen in each. */
export interface Space {
  readonly width: number;
  /** The successor under way, while `expand` calls `emit`. */
  readonly next: Int32Array;
  /** Writes the first state into `next`. */
  start(): void;
  /** Calls `emit` for every action that changes something, the successor in `next`. Throws `Broken`. */
  expand(state: Int32Array, emit: (action: number) => void): void;
  /** Mixes `state` into `into`: equal for states that only differ by a symmetry. */
  fingerprint(state: Int32Array, into: Fingerprint): void;
  /** What `action` does in `state`, as a line of text. */
  describe(state: Int32Array, action: number): string;
}

/** An invariant, or an assertion of the core, broke when `action` was taken. */
export class Broken extends Error {
  override readonly name = "Broken";
  readonly action: number;

  constructor(action: number, what: string) {
    super(what);
    this.action = action;
  }
}

export interface CounterExample {
  /** The invariant and the evidence. */
  readonly what: string;
  /** One line for each action, from the first state on. */
  readonly lines: readonly string[];
}

export interface Exploration {
  readonly states: number;
  /** Actions on the longest of the shortest paths. */
  readonly depth: number;
  /** Successors generated, those seen before included. */
  readonly transitions: number;
  /** Most states on one level. */
  readonly widest: number;
  /** Bytes of the table, the paths and two levels. */
  readonly bytes: number;
  readonly counterExample: CounterExample | null;
}

export interface SearchOptions {
  /** Gives up, with an error, when there are more; no limit by default. */
  readonly maxStates?: number;
  /** Called after every level with the states and the depth so far. */
  readonly onLevel?: (states: number, depth: number) => void;
}

export class TooManyStates extends Error {
  override readonly name = "TooManyStates";
}

const CHUNK = 2 ** 18;

/** A list of fixed-width rows of numbers that grows without being copied. */
class Rows {
  readonly #width: number;
  readonly #chunks: Int32Array[] = [];
  length = 0;

  constructor(width: number) {
    this.#width = width;
  }

  get bytes(): number {
    return this.#chunks.length * CHUNK * this.#width * 4;
  }

  /** A view of row `at`. */
  row(at: number): Int32Array {
    const from = (at % CHUNK) * this.#width;
    return this.#chunks[Math.floor(at / CHUNK)]!.subarray(from, from + this.#width);
  }

  push(values: ArrayLike<number>): void {
    const chunk = Math.floor(this.length / CHUNK);
    if (chunk === this.#chunks.length) this.#chunks.push(new Int32Array(CHUNK * this.#width));
    this.#chunks[chunk]!.set(values, (this.length % CHUNK) * this.#width);
    this.length += 1;
  }
}

/** Walks every reachable state, or stops at the first that breaks something. Throws `TooManyStates`. */
export function explore(space: Space, options: SearchOptions = {}): Exploration {
  const maxStates = options.maxStates ?? 2 ** 31 - 1;
  const seen = new StateTable();
  const fingerprint = new Fingerprint();
  // Of each state, in the order of discovery: its parent, and the action that led from there.
  const origins = new Rows(2);
  const origin = new Int32Array(2);
  let level = new Rows(space.width);
  let next = new Rows(space.width);
  let parent = -1;
  let transitions = 0;
  const emit = (action: number): void => {
    transitions += 1;
    fingerprint.reset();
    space.fingerprint(space.next, fingerprint);
    fingerprint.finish();
    if (!seen.add(fingerprint.low, fingerprint.high)) return;
    origin[0] = parent;
    origin[1] = action;
    origins.push(origin);
    next.push(space.next);
  };
  space.start();
  emit(-1);
  transitions = 0;
  let depth = 0;
  let widest = 0;
  let counterExample: CounterExample | null = null;
  let bytes = 0;
  const state = new Int32Array(space.width);
  while (next.length > 0 && counterExample === null) {
    [level, next] = [next, new Rows(space.width)];
    widest = Math.max(widest, level.length);
    const first = origins.length - level.length;
    for (let at = 0; at < level.length && counterExample === null; at += 1) {
      parent = first + at;
      state.set(level.row(at));
      try {
        space.expand(state, emit);
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        counterExample = { what: error.message, lines: linesTo(space, origins, parent, error.action) };
      }
      if (seen.size > maxStates)
        throw new TooManyStates(`more than ${maxStates} states, at depth ${depth + 1}`);
    }
    if (next.length > 0 || counterExample !== null) depth += 1;
    bytes = Math.max(bytes, seen.bytes + origins.bytes + level.bytes + next.bytes);
    options.onLevel?.(seen.size, depth);
  }
  return { states: seen.size, depth, transitions, widest, bytes, counterExample };
}

/** The actions on the path to the state numbered `last`, then `action`, each as a line. */
function linesTo(space: Space, origins: Rows, last: number, action: number): string[] {
  const actions = [action];
  for (let at = last; at > 0; at = origins.row(at)[0]!) actions.unshift(origins.row(at)[1]!);
  space.start();
  let state: Int32Array = space.next.slice();
  const lines: string[] = [];
  for (const [at, taken] of actions.entries()) {
    lines.push(space.describe(state, taken));
    if (at < actions.length - 1) state = successor(space, state, taken);
  }
  return lines;
}

function successor(space: Space, state: Int32Array, action: number): Int32Array {
  let found: Int32Array | null = null;
  space.expand(state, (emitted) => {
    if (emitted === action && found === null) found = space.next.slice();
  });
  assert(found !== null, "an action on the path leads on");
  return found;
}
