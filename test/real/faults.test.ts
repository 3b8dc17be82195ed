// Three real processes under load from the npm package etcd3, killed, paused and restarted: everything
// acknowledged is there, once, no replica differs, no read goes back in time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHistory } from "../../src/sim/history/check.js";
import { type HistoryOperation, isLocal } from "../../src/sim/history/operation.js";
import { Processes, sleep } from "./processes.js";
import { Workload } from "./workload.js";

/** Runs `faults` under load on a fresh cluster, then checks everything that clients were told. */
async function underLoad(faults: (cluster: Processes, workload: Workload) => Promise<void>): Promise<void> {
  const cluster = await Processes.start(3);
  try {
    const workload = new Workload(cluster);
    await sleep(500);
    await faults(cluster, workload);
    await sleep(500);
    await workload.stop();
    assert.ok(workload.acknowledged > 20, `only ${workload.acknowledged} puts were acknowledged`);
    assert.ok(workload.reads > 10, `only ${workload.reads} reads were answered`);
    await workload.check();
    forgedIsSeen(workload);
  } finally {
    await cluster.close();
  }
}

/** The check of the history would have seen one wrong answer in it. */
function forgedIsSeen({ calls }: Workload): void {
  const operations = [...calls.operations];
  const isRead = ({ request, outcome }: HistoryOperation) =>
    request.kind === "get" && !isLocal(request) && outcome.kind === "ok";
  const reads = operations.filter(isRead);
  const at = operations.indexOf(reads[Math.floor(reads.length / 2)]!);
  const response = { kind: "get", kvs: [] } as const;
  const revision = 1;
  operations[at] = { ...operations[at]!, outcome: { kind: "ok", revision, response } };
  assert.equal(checkHistory(operations).verdict, "violation");
  const changed = operations.filter(({ request }) => request.kind !== "get");
  assert.ok(
    new Set(changed.map(({ request }) => request.kind)).size === 3,
    "all kinds of requests are there",
  );
}

test("kill -9 of the leader: puts at the others stall, none fails", async () => {
  await underLoad(async (cluster, workload) => {
    for (let round = 0; round < 3; round += 1) {
      const leader = await cluster.findLeader();
      const before = workload.failures.map((failures) => failures.length);
      await cluster.signal(leader, "SIGKILL");
      await sleep(1000);
      for (const [i, failures] of workload.failures.entries()) {
        const own = failures.slice(before[i]!);
        if (i !== leader) assert.deepEqual(own, [], `puts at the surviving replica ${i + 1}`);
      }
      cluster.launch(leader);
      await cluster.ready();
      await workload.servedBy(leader);
    }
  });
});

test("kill -9 of a follower: nobody else notices", async () => {
  await underLoad(async (cluster, workload) => {
    const leader = await cluster.findLeader();
    const follower = (leader + 1) % 3;
    await cluster.signal(follower, "SIGKILL");
    await sleep(500);
    cluster.launch(follower);
    await cluster.ready();
    for (const [i, failures] of workload.failures.entries()) {
      if (i !== follower) assert.deepEqual(failures, []);
    }
  });
});

test("kill -9 of all three: everything acknowledged is there after the restart", async () => {
  await underLoad(async (cluster) => {
    for (let round = 0; round < 2; round += 1) {
      await Promise.all([0, 1, 2].map((i) => cluster.signal(i, "SIGKILL")));
      for (const i of [0, 1, 2]) cluster.launch(i);
      await cluster.ready();
      await sleep(300);
    }
  });
});

test("SIGSTOP of the leader for five seconds: another leads, and the old one answers nothing stale", async () => {
  await underLoad(async (cluster, workload) => {
    const leader = await cluster.findLeader();
    await cluster.signal(leader, "SIGSTOP");
    const acknowledged = workload.acknowledged;
    await sleep(5000);
    assert.ok(workload.acknowledged > acknowledged, "the others go on");
    await cluster.signal(leader, "SIGCONT");
    await sleep(1000);
  });
});

test("a rolling restart by SIGTERM: no put at another replica fails", async () => {
  await underLoad(async (cluster, workload) => {
    for (const i of [0, 1, 2]) {
      const before = workload.failures.map((failures) => failures.length);
      await cluster.signal(i, "SIGTERM");
      await sleep(300);
      for (const [other, failures] of workload.failures.entries()) {
        if (other !== i) assert.deepEqual(failures.slice(before[other]!), []);
      }
      cluster.launch(i);
      await cluster.ready();
      await workload.servedBy(i);
    }
  });
});
