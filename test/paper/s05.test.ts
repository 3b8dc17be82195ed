// S5, implementing a state machine: one instance of Paxos per slot, executed in slot order, the same everywhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

test("S5: commands are executed in slot order, each replica has the same state, whatever order values are chosen in", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  for (const text of ["a", "b", "c"]) cluster.propose(1, text);
  const accepts = cluster.hold(1, 2, "accept").reverse();
  cluster.flying = [];
  for (const [at, accept] of accepts.entries()) {
    cluster.deliver(accept, true);
    cluster.pass(2, 1, "accepted");
    assert.deepEqual(cluster.executedAt(1), at < 2 ? [] : ["a", "b", "c"], "nothing before slot 1 is chosen");
  }
  cluster.run(500);
  for (const id of cluster.ids) {
    assert.deepEqual(
      cluster.replica(id).executed.map(({ slot }) => slot),
      [1, 2, 3],
    );
    assert.deepEqual(cluster.executedAt(id), ["a", "b", "c"]);
  }
});
