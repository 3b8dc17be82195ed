// S13, write to disk prior to sending ACK: no promise and no accepted leaves before its record is synced.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf } from "../../src/paxos/ballot.js";
import { Outbox } from "../../src/paxos/outbox.js";
import { Cluster } from "../cluster/cluster.js";
import { syncedUpTo } from "../cluster/forge.js";

test("S13: no prepare, promise or accepted leaves before what it speaks of is synced", () => {
  const cluster = new Cluster({ replicas: 3 });
  const left: string[] = [];
  cluster.onMessage = (from, _to, { kind }) => {
    if (kind === "prepare" || kind === "promise" || kind === "accepted") left.push(`${from} ${kind}`);
  };
  const ballot = ballotOf(1, 1);
  cluster.step(2, { kind: "message", from: 1, message: { kind: "prepare", ballot, fromSlot: 1 } });
  assert.deepEqual(left, []);
  cluster.sync(2);
  assert.deepEqual(left.splice(0), ["2 promise"]);
  cluster.flying = [];
  cluster.elect(1);
  left.length = 0;
  cluster.propose(1, "x");
  cluster.pass(1, 2, "accept");
  assert.deepEqual(left, []);
  cluster.sync(2);
  assert.deepEqual(left, ["2 accepted"]);
});

test("S13: the outbox does not give such messages away without a proof of the sync", () => {
  const outbox = new Outbox(7);
  outbox.sendAfterSync([2], { kind: "accepted", ballot: ballotOf(1, 1), upTo: 1, slots: [] });
  assert.throws(() => outbox.releaseAfterSync(syncedUpTo(6)), /before their turn was synced/);
  assert.equal(outbox.releaseAfterSync(syncedUpTo(7)).length, 1);
});
