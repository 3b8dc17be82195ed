// The walk: golden numbers of states of small configurations, shortest counter-examples, a table that loses nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SMALL_CONFIGURATIONS } from "./configurations.js";
import { DecreeSpace } from "./decree-space.js";
import { PairMap } from "./interner.js";
import { PaxosSpace } from "./paxos-space.js";
import { Broken, explore, type Space, TooManyStates } from "./search.js";
import { Fingerprint, StateTable } from "./state-table.js";

test("the table keeps every fingerprint through growth and collisions", () => {
  const table = new StateTable(2);
  const colliding: [number, number][] = [[0, 0]];
  // Of equal place in any table of up to 2^16 places, and more than fit at first.
  for (let i = 1; i <= 500; i += 1) colliding.push([i * 2 ** 16, i * 2 ** 20], [7, i * 2 ** 9]);
  for (const [low, high] of colliding) assert.ok(table.add(low, high), `${low} ${high}`);
  for (const [low, high] of colliding) assert.ok(!table.add(low, high), `${low} ${high}`);
  assert.equal(table.size, colliding.length);
});

test("the map of pairs keeps every pair", () => {
  const map = new PairMap();
  for (let i = 0; i < 10_000; i += 1) map.set(i % 100, Math.floor(i / 100), i);
  for (let i = 0; i < 10_000; i += 1) assert.equal(map.get(i % 100, Math.floor(i / 100)), i);
  assert.equal(map.get(100, 0), -1);
});

/** Two counters from 0 to 9; `broken`: their sum must not be this. */
function counters(broken: number): Space {
  const next = new Int32Array(2);
  return {
    width: 2,
    next,
    start: () => void next.fill(0),
    expand(state, emit) {
      for (const at of [0, 1]) {
        if (state[at]! >= 9) continue;
        next.set(state);
        next[at] = next[at]! + 1;
        if (next[0]! + next[1]! === broken) throw new Broken(at, `the sum is ${broken}`);
        emit(at);
      }
    },
    fingerprint(state, into) {
      into.mix(Math.min(state[0]!, state[1]!));
      into.mix(Math.max(state[0]!, state[1]!));
    },
    describe: (state, action) => `${state.join()}: ${action}`,
  };
}

test("a walk counts states up to symmetry and stops with a shortest counter-example", () => {
  const { states, depth, counterExample } = explore(counters(-1));
  assert.deepEqual({ states, depth, counterExample }, { states: 55, depth: 18, counterExample: null });
  const broken = explore(counters(3)).counterExample;
  assert.deepEqual(broken, { what: "the sum is 3", lines: ["0,0: 0", "1,0: 0", "2,0: 0"] });
  assert.throws(() => explore(counters(-1), { maxStates: 20 }), TooManyStates);
});

test("fingerprints of near states differ", () => {
  const seen = new StateTable();
  const fingerprint = new Fingerprint();
  for (let a = 0; a < 300; a += 1) {
    for (let b = 0; b < 300; b += 1) {
      fingerprint.reset();
      fingerprint.mix(a);
      fingerprint.mix(b);
      fingerprint.finish();
      assert.ok(seen.add(fingerprint.low, fingerprint.high), `${a} ${b}`);
    }
  }
});

test("the small configurations have as many states as ever, and none is bad", () => {
  const golden: Record<string, [number, number]> = {
    "single-decree-small": [3285, 24],
    "multi-paxos-one-slot": [75263, 24],
    "multi-paxos-hidden-end-small": [123135, 25],
    "multi-paxos-one-ballot": [15205, 21],
  };
  for (const { name, space } of SMALL_CONFIGURATIONS) {
    const { states, depth, counterExample } = explore(space());
    assert.equal(counterExample, null, name);
    assert.deepEqual([states, depth], golden[name], name);
  }
});

test("a crash adds states, and one of each acceptor and proposer still ends", () => {
  const decree = explore(new DecreeSpace({ acceptors: 3, attempts: [1, 1], crashes: 1 }));
  assert.deepEqual([decree.states, decree.counterExample], [61883, null]);
  const paxos = explore(new PaxosSpace({ replicas: 3, candidates: 1, ballots: 1, slots: 1, crashes: 1 }));
  assert.deepEqual([paxos.states, paxos.counterExample], [2401, null]);
});
