// S2, propagate the chosen value: what the promise with the highest ballot reports is proposed, not what one likes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

test("S2: a proposer proposes the value of the highest ballot that its promises report, not its own", () => {
  const cluster = new Cluster({ replicas: 5, autoSync: true });
  // 2 has voted for x at b1.1, 3 for y at b2.5; 4 has a value of its own.
  cluster.electBy(1, 2, 3);
  cluster.propose(1, "x");
  cluster.pass(1, 2, "accept");
  cluster.electBy(5, 3, 4);
  cluster.propose(5, "y");
  cluster.pass(5, 3, "accept");
  cluster.flying = [];
  cluster.propose(4, "z");
  cluster.electBy(4, 2, 3);
  cluster.flying = cluster.flying.filter(({ from, to }) => from === 4 && (to === 2 || to === 3));
  cluster.settle();
  assert.deepEqual(cluster.executedAt(4), ["y", "z"]);
});
