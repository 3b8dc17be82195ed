// S8, phase 1 for infinitely many instances: one prepare covers every slot from its first on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LAST_SLOT } from "../../src/paxos/ballot.js";
import { Cluster } from "../cluster/cluster.js";

test("S8: one prepare to each, answered once, serves a thousand slots", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  const counts = new Map<string, number>();
  cluster.onMessage = (_from, _to, { kind }) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
  cluster.elect(1);
  for (let i = 1; i <= 1000; i += 1) {
    cluster.propose(1, `c${i}`);
    cluster.settle();
  }
  assert.equal(cluster.core(1).chosenUpTo, 1000);
  assert.equal(counts.get("prepare"), 2);
  assert.equal(counts.get("promise"), 2);
  for (const parts of cluster.ghost.promises.get(cluster.core(1).promised)!.values()) {
    assert.deepEqual([parts[0]!.from, parts.at(-1)!.to], [1, LAST_SLOT]);
  }
});
