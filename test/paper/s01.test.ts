// S1, learning the chosen value: a later proposer discovers, through promises, a value that may be chosen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

test("S1: a later proposer discovers a value that may be chosen, through promises", () => {
  for (const voters of [
    [2, 4],
    [3, 5],
    [2, 3],
  ]) {
    const cluster = new Cluster({ replicas: 5, autoSync: true });
    cluster.island(1, 2, 3);
    cluster.elect(1);
    cluster.propose(1, "x");
    cluster.settle();
    assert.deepEqual(cluster.executedAt(1), ["x"], "chosen by 1, 2 and 3");
    cluster.crash(1);
    const proposer = voters.includes(4) ? 5 : 4;
    cluster.island(...voters, proposer);
    cluster.electBy(proposer, ...voters);
    cluster.settle();
    assert.deepEqual(cluster.executedAt(proposer), ["x"]);
  }
});
