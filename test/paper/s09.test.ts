// S9, reasonably short messages: a promise carries what was accepted above what is known chosen, in chunks when large.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Acceptor } from "../../src/paxos/acceptor.js";
import { ballotOf, LAST_SLOT } from "../../src/paxos/ballot.js";
import { Cluster } from "../cluster/cluster.js";

test("S9: a promise carries only slots really accepted, above what is known chosen", () => {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  for (let i = 1; i <= 100; i += 1) cluster.propose(1, `c${i}`);
  cluster.settle();
  cluster.run(100);
  cluster.propose(1, "last");
  cluster.pass(1, 2, "accept");
  cluster.flying = [];
  cluster.electBy(3, 2);
  const [promise] = cluster.ghost.promises.get(cluster.core(3).promised)!.get(2)!;
  assert.equal(promise!.accepted.length, 1);
  assert.equal(promise!.chosenUpTo, promise!.accepted[0]!.slot - 1);
});

test("S9: a large promise comes in parts of about a megabyte that together speak for every slot once", () => {
  const value = new Uint8Array(300_000);
  const votes = Array.from({ length: 40 }, (_, i) => ({ slot: 3 * i + 5, ballot: ballotOf(1, 1), value }));
  const parts = new Acceptor(ballotOf(2, 2), votes, []).promiseParts(ballotOf(2, 2), 5, 4, 0);
  assert.ok(parts.length >= 10);
  let next = 5;
  for (const part of parts) {
    assert.equal(part.from, next);
    next = part.to + 1;
    assert.ok(part.accepted.length * value.length <= 1 << 20);
    for (const { slot } of part.accepted) assert.ok(slot >= part.from && slot <= part.to);
  }
  assert.equal(next, LAST_SLOT + 1);
  assert.deepEqual(
    parts.flatMap((part) => part.accepted),
    votes,
  );
});
