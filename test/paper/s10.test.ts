// S10, cost of Paxos = cost of phase 2: one round trip and one disk write in parallel per command, or per batch.
import assert from "node:assert/strict";
import { test } from "node:test";
import { payloadKey } from "../../src/sim/ghost.js";
import { Cluster } from "../cluster/cluster.js";

test("S10: a command costs an accept and an accepted per follower, and one disk write per replica", () => {
  const cluster = new Cluster({ replicas: 3 });
  cluster.elect(1);
  const counts = new Map<string, number>();
  cluster.onMessage = (_from, _to, { kind }) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const syncs = new Map<number, number>();
  for (let i = 1; i <= 100; i += 1) {
    cluster.propose(1, `c${i}`);
    // The accepts have left before the leader's own disk write is done (P8).
    for (const id of [2, 3]) cluster.pass(1, id, "accept");
    for (const id of cluster.ids) {
      const urgent = cluster.replica(id).waiting.filter(({ outbox }) => outbox.isUrgent).length;
      syncs.set(id, (syncs.get(id) ?? 0) + urgent);
      cluster.sync(id);
    }
    for (const id of [2, 3]) cluster.pass(id, 1, "accepted");
    assert.equal(cluster.core(1).chosenUpTo, i);
  }
  assert.deepEqual(Object.fromEntries(counts), { accept: 200, accepted: 200 });
  assert.deepEqual([...syncs.values()], [100, 100, 100]);
});

test("S10: a batch costs what one command costs", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  let messages = 0;
  cluster.onMessage = () => {
    messages += 1;
  };
  const payload = new Uint8Array(100);
  const events = Array.from(
    { length: 500 },
    (_, i) => ({ kind: "propose", number: i + 1, settled: 0, payload }) as const,
  );
  cluster.ghost.submitted.add(payloadKey(payload));
  cluster.turn(1, events);
  cluster.settle();
  assert.equal(cluster.core(1).chosenUpTo, 1);
  assert.equal(cluster.executedAt(1).length, 500);
  assert.equal(messages, 4);
});
