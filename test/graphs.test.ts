// 2.6: after any loss of links that leaves five replicas connected, there is a leader that commits within four
// election timeouts, and it stays. `GRAPHS=all` runs all 728 connected graphs, `GRAPH_SEEDS=40` each with more seeds.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplicaId } from "../src/paxos/ballot.js";
import { Cluster } from "./cluster/cluster.js";
import type { Link } from "./cluster/world.js";

const T = 500;
/** `npm test` takes every 31st. */
const STRIDE = process.env.GRAPHS === "all" ? 1 : 31;
const SEEDS = Number(process.env.GRAPH_SEEDS ?? 1);
const PAIRS: readonly (readonly [ReplicaId, ReplicaId])[] = [1, 2, 3, 4].flatMap((a) =>
  [2, 3, 4, 5].filter((b) => b > a).map((b) => [a, b] as const),
);

function isConnected(edges: number): boolean {
  const reached = new Set([1]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [at, [a, b]] of PAIRS.entries()) {
      if ((edges & (1 << at)) === 0 || reached.has(a) === reached.has(b)) continue;
      reached.add(a).add(b);
      grown = true;
    }
  }
  return reached.size === 5;
}

const GRAPHS = Array.from({ length: 1 << PAIRS.length }, (_, edges) => edges).filter(isConnected);

function describe(edges: number): string {
  return PAIRS.filter((_, at) => (edges & (1 << at)) !== 0)
    .map(([a, b]) => `${a}-${b}`)
    .join(" ");
}

/** Returns how many leaderships began after the first commit had had 4 T to settle. */
function run(edges: number, seed: number, link: Link): number {
  const cluster = new Cluster({ replicas: 5, seed: edges * 100 + seed, latencyMs: [1, 3] });
  assert.ok(cluster.run(4 * T, () => cluster.leaders.length === 1));
  cluster.run(2 * T);
  for (const [at, [a, b]] of PAIRS.entries()) if ((edges & (1 << at)) === 0) cluster.setLink(a, b, link);
  const before = cluster.ghost.chosenPrefix;
  for (const id of cluster.ids) cluster.propose(id, `from ${id}`);
  const commits = cluster.run(4 * T, () => cluster.ghost.chosenPrefix > before);
  assert.ok(commits, `${describe(edges)} (${link}, seed ${seed}): nothing chosen within 4 T`);
  cluster.run(4 * T);
  const ballots = cluster.ghost.ballotLife.size;
  cluster.run(20 * T);
  return cluster.ghost.ballotLife.size - ballots;
}

for (const link of ["silent", "closed"] as const) {
  test(`every connected graph of five commits within 4 T, then keeps its leader (links ${link})`, () => {
    assert.equal(GRAPHS.length, 728);
    const restless: string[] = [];
    for (let at = 0; at < GRAPHS.length; at += STRIDE) {
      const edges = GRAPHS[at]!;
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const changes = run(edges, seed, link);
        if (changes > 0) restless.push(`${describe(edges)} seed ${seed}: ${changes}`);
      }
    }
    assert.deepEqual(restless, []);
  });
}

test("quorum-loss: the one that reaches a quorum stands, however often those who do not ask for its vote", () => {
  const late: string[] = [];
  for (const link of ["silent", "closed"] as const) {
    for (let hub = 1; hub <= 5; hub += 1) {
      for (let seed = 1; seed <= 30; seed += 1) {
        const star = PAIRS.reduce((edges, pair, at) => (pair.includes(hub) ? edges | (1 << at) : edges), 0);
        const cluster = new Cluster({ replicas: 5, seed, latencyMs: [1, 3] });
        cluster.elect((hub % 5) + 1);
        cluster.run(T);
        for (const [at, [a, b]] of PAIRS.entries()) if ((star & (1 << at)) === 0) cluster.setLink(a, b, link);
        const isLed = () => cluster.leaders.includes(hub);
        if (!cluster.run(4 * T, isLed)) late.push(`${describe(star)} (${link}, seed ${seed})`);
      }
    }
  }
  assert.deepEqual(late, []);
});
