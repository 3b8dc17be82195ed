// S11, skip prepare until a propose is rejected: no phase 1 again before a reject with a higher ballot arrives.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf } from "../../src/paxos/ballot.js";
import { Cluster } from "../cluster/cluster.js";

test("S11: a leader prepares again only after a reject with a higher ballot", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  let prepares = 0;
  cluster.onMessage = (_from, _to, { kind }) => {
    if (kind === "prepare") prepares += 1;
  };
  cluster.elect(1);
  assert.equal(prepares, 2);
  for (let i = 1; i <= 50; i += 1) {
    cluster.propose(1, `c${i}`);
    cluster.run(100);
  }
  assert.equal(prepares, 2);
  // 3 comes to promise another ballot; the next accept is rejected, and only then the leader prepares again.
  const prepare = { kind: "prepare", ballot: ballotOf(7, 2), fromSlot: 1 } as const;
  cluster.step(3, { kind: "message", from: 2, message: prepare });
  cluster.flying = [];
  cluster.propose(1, "rejected");
  cluster.pass(1, 2, "accept");
  cluster.pass(2, 1, "accepted");
  assert.equal(prepares, 2);
  cluster.pass(1, 3, "accept");
  cluster.pass(3, 1, "reject");
  assert.equal(cluster.core(1).isLeading, false);
  assert.ok(cluster.run(500, () => cluster.core(1).isLeading));
  assert.equal(prepares, 4);
  assert.ok(cluster.core(1).promised > ballotOf(7, 2));
});
