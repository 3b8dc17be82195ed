// S12, servers play all roles: each replica is proposer, acceptor and learner.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

test("S12: every replica proposes, accepts and learns in one run", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  for (const id of cluster.ids) {
    cluster.elect(id);
    cluster.propose(id, `from ${id}`);
    cluster.settle();
    cluster.run(100);
  }
  for (const id of cluster.ids) {
    const ghost = cluster.ghost.replica(id);
    assert.ok(cluster.ghost.lastBallot.has(id), `${id} has proposed`);
    assert.ok(ghost.durableVotes.size >= 2, `${id} has accepted`);
    assert.deepEqual(cluster.executedAt(id), ["from 1", "from 2", "from 3"], `${id} has learned`);
  }
});

test("S12: a single replica is a quorum of itself", () => {
  const cluster = new Cluster({ replicas: 1 });
  cluster.run(1000, () => cluster.leaders.length === 1);
  cluster.propose(1, "x");
  assert.deepEqual(cluster.executedAt(1), [], "its own disk first (S13)");
  cluster.sync(1);
  assert.deepEqual(cluster.executedAt(1), ["x"]);
  const read = cluster.read(1);
  assert.equal(cluster.replica(1).answered.get(read), 1);
});
