// S3, everyone learns the outcome: every learner ends with the same value, and a late one can still learn it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

test("S3: every learner ends with the same value, and a late one can still learn it", () => {
  const cluster = new Cluster({ replicas: 5, autoSync: true });
  cluster.elect(1);
  cluster.island(1, 2, 3);
  for (const text of ["x", "y", "z"]) cluster.propose(1, text);
  cluster.settle();
  cluster.crash(2);
  cluster.run(200);
  assert.deepEqual(cluster.executedAt(5), []);
  cluster.heal();
  cluster.restart(2);
  assert.ok(cluster.run(3000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "z"))));
  for (const id of cluster.ids) assert.deepEqual(cluster.executedAt(id), ["x", "y", "z"]);
});
