// S6, distinguished proposer: one leader runs the instances; safety never depends on there being only one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

test("S6: two replicas that both take themselves for the leader choose one value in each slot", () => {
  const cluster = new Cluster({ replicas: 5, autoSync: true });
  cluster.electBy(1, 2, 3);
  cluster.electBy(5, 3, 4);
  assert.deepEqual(cluster.leaders, [1, 5]);
  for (const text of ["a", "b"]) {
    cluster.propose(1, `${text} of 1`);
    cluster.propose(5, `${text} of 5`);
  }
  cluster.settle();
  assert.ok(cluster.run(5000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "b of 1"))));
  for (const id of cluster.ids) assert.deepEqual(cluster.replica(id).executed, cluster.replica(1).executed);
  assert.equal(cluster.leaders.length, 1);
});

test("S6: commands given to any replica are run by the one that leads", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(2);
  for (const id of cluster.ids) cluster.propose(id, `from ${id}`);
  cluster.settle();
  cluster.run(100);
  assert.deepEqual([...cluster.ghost.lastBallot.keys()], [2], "nobody else has used a ballot");
  assert.equal(cluster.executedAt(1).length, 3);
});
