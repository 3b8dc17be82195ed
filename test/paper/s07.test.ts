// S7, the leader may crash: a new one learns what it can, proposes again what may be chosen, fills gaps with no-ops.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isNoop } from "../../src/paxos/value.js";
import { Cluster } from "../cluster/cluster.js";

test("S7: slots 1-134 are chosen and 138 is accepted by one: the new leader fills 135-137 with no-ops and executes all", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  for (let i = 1; i <= 134; i += 1) {
    cluster.propose(1, `c${i}`);
    cluster.settle();
  }
  cluster.run(100);
  for (const id of cluster.ids) assert.equal(cluster.core(id).chosenUpTo, 134);
  for (let i = 135; i <= 138; i += 1) {
    cluster.propose(1, `c${i}`);
    if (i < 138) cluster.flying = [];
  }
  cluster.pass(1, 2, "accept");
  cluster.flying = [];
  cluster.crash(1);
  cluster.electBy(3, 2);
  const [prepared] = [...cluster.ghost.promises.get(cluster.core(3).promised)!.get(2)!];
  assert.deepEqual([prepared!.from, prepared!.accepted.map(({ slot }) => slot)], [135, [138]]);
  cluster.propose(3, "c139");
  cluster.settle();
  const { executed } = cluster.replica(3);
  assert.equal(executed.length, 139);
  for (const slot of [135, 136, 137]) assert.ok(isNoop(executed[slot - 1]!.value), `slot ${slot}`);
  assert.deepEqual(cluster.executedAt(3).slice(-3), ["c134", "c138", "c139"]);
  cluster.run(200);
  assert.deepEqual(cluster.replica(2).executed, executed);
});
