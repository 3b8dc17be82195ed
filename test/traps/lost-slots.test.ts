// A slot that nobody can recover is told, with those who may still have it, and never filled (A4, P3).
import assert from "node:assert/strict";
import { test } from "node:test";
import { ballotOf, LAST_SLOT } from "../../src/paxos/ballot.js";
import { Cluster } from "../cluster/cluster.js";

const noticed = (cluster: Cluster, id: number) => cluster.core(id).state.noticedLost;

/** Three slots are chosen; then the records of slot 2 are damaged at `bad`, and of all the watermarks are gone. */
function damagedAt(...bad: readonly number[]): Cluster {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  for (const text of ["a", "b", "c"]) {
    cluster.propose(1, text);
    cluster.settle();
  }
  cluster.isDamaged = true;
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of cluster.ids) {
    const { disk } = cluster.replica(id);
    disk.chosenUpTo = 0;
    if (!bad.includes(id)) continue;
    disk.slots.delete(2);
    disk.faulty = [{ from: 2, to: 2, ballot: ballotOf(1, 1) }];
    cluster.ghost.replica(id).durableVotes.delete(2);
    cluster.ghost.forget(id);
  }
  return cluster;
}

test("a slot whose records are damaged everywhere is lost: the leader says so, and nothing takes its place", () => {
  const cluster = damagedAt(1, 2, 3);
  for (const id of cluster.ids) cluster.restart(id);
  cluster.run(5000);
  const leader = cluster.ids.find((id) => cluster.core(id).isLeading)!;
  assert.deepEqual(noticed(cluster, leader), { slots: [2], from: 0, unheard: [] });
  for (const id of cluster.ids) assert.deepEqual(cluster.executedAt(id), ["a"]);
  // Who leads no more has nothing to tell.
  cluster.step(leader, { kind: "transfer", to: leader === 1 ? 2 : 1 });
  cluster.run(100);
  assert.equal(cluster.core(leader).isLeading, false);
  assert.deepEqual(noticed(cluster, leader), { slots: [], from: 0, unheard: [] });
});

test("where a replica that is away may have it, it is named, and no more is said when it has come back", () => {
  const cluster = damagedAt(1, 2);
  for (const id of [1, 2]) cluster.restart(id);
  cluster.run(5000);
  const leader = cluster.ids.find((id) => cluster.replica(id).core !== null && cluster.core(id).isLeading)!;
  assert.deepEqual(noticed(cluster, leader), { slots: [2], from: 0, unheard: [3] });
  cluster.restart(3);
  assert.ok(cluster.run(5000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "c"))));
  for (const id of cluster.ids) assert.deepEqual(noticed(cluster, id), { slots: [], from: 0, unheard: [] });
});

test("it is not said before others had T to answer", () => {
  const cluster = damagedAt(1, 2, 3);
  for (const id of cluster.ids) cluster.restart(id);
  let leader = 0;
  const isTold = () => {
    leader = cluster.ids.find((id) => noticed(cluster, id).slots.length > 0) ?? 0;
    return leader !== 0;
  };
  assert.ok(cluster.run(5000, isTold));
  const { proposer, electionMs } = cluster.core(leader).state;
  assert.ok(cluster.now - proposer.startedAt >= electionMs);
});

/** Replica 1 leads; 2 is away, and nothing comes of what 3 knows to be chosen. */
function withoutAnswers(cluster: Cluster): void {
  cluster.replica(3).disk.chosenUpTo = 3;
  for (const id of [1, 3]) cluster.restart(id);
  cluster.run(5000, () => {
    cluster.flying = cluster.flying.filter(
      ({ from, message }) => message.kind !== "learned" && !(from === 3 && message.kind === "canvass"),
    );
    return false;
  });
  assert.deepEqual([cluster.core(1).isLeading, cluster.core(1).chosenUpTo], [true, 0]);
}

test("one who knows what was chosen in a damaged slot, and does not tell, is named", () => {
  const cluster = damagedAt(1);
  withoutAnswers(cluster);
  assert.deepEqual(noticed(cluster, 1), { slots: [2], from: 0, unheard: [2, 3] });
});

test("where nothing is damaged nothing is lost, however long it takes", () => {
  const cluster = damagedAt();
  withoutAnswers(cluster);
  assert.deepEqual(noticed(cluster, 1), { slots: [], from: 0, unheard: [] });
});

test("a recovery that goes well is no loss", () => {
  const cluster = damagedAt(3);
  for (const id of cluster.ids) cluster.restart(id);
  const said: number[] = [];
  cluster.run(3000, () => {
    for (const id of cluster.ids) if (noticed(cluster, id).slots.length > 0) said.push(id);
    return false;
  });
  assert.deepEqual(said, []);
  for (const id of cluster.ids) assert.deepEqual(cluster.executedAt(id), ["a", "b", "c"]);
});

/** Three slots are chosen and known to be; then of the logs of `bad` what comes after slot `whole` is damaged. */
function endsLostAt(bad: readonly number[], whole = 3): Cluster {
  const cluster = new Cluster({ replicas: 3, autoSync: true });
  cluster.elect(1);
  for (const text of ["a", "b", "c"]) {
    cluster.propose(1, text);
    cluster.settle();
  }
  cluster.run(200);
  cluster.isDamaged = true;
  for (const id of cluster.ids) cluster.crash(id);
  cluster.flying = [];
  for (const id of bad) {
    const { disk } = cluster.replica(id);
    disk.faulty = [{ from: whole + 1, to: LAST_SLOT, ballot: 0 }];
    cluster.ghost.forget(id);
  }
  return cluster;
}

/** Replicas `up` are started, and nobody leads for 20 seconds; returns what each of them has noticed. */
function inVain(cluster: Cluster, up: readonly number[]) {
  for (const id of up) cluster.restart(id);
  const leads = (id: number) => cluster.core(id).isLeading;
  assert.equal(
    cluster.run(20_000, () => up.some(leads)),
    false,
  );
  return up.map((id) => noticed(cluster, id));
}

const FROM_4 = { slots: [], from: 4, unheard: [] };
const NOTHING = { slots: [], from: 0, unheard: [] };

test("where the ends of too many logs are damaged nobody leads, and who stands in vain says why", () => {
  assert.deepEqual(inVain(endsLostAt([1, 2]), [1, 2, 3]), [FROM_4, FROM_4, FROM_4]);
});

test("one that is away, and whose word is not enough, is not named", () => {
  assert.deepEqual(inVain(endsLostAt([1, 2]), [1, 2]), [FROM_4, FROM_4]);
});

test("slots that are covered are not called lost, known chosen or not", () => {
  const cluster = endsLostAt([1, 2]);
  for (const id of cluster.ids) cluster.replica(id).disk.chosenUpTo = 1;
  assert.deepEqual(inVain(cluster, [1, 2, 3]), [FROM_4, FROM_4, FROM_4]);
});

test("where one that is away may decide it is named, until it has come and somebody leads", () => {
  const cluster = endsLostAt([1]);
  const named = { slots: [], from: 4, unheard: [3] };
  assert.deepEqual(inVain(cluster, [1, 2]), [named, named]);
  cluster.restart(3);
  assert.ok(cluster.run(5000, () => cluster.ids.some((id) => cluster.core(id).isLeading)));
  cluster.run(1000);
  for (const id of cluster.ids) assert.deepEqual(noticed(cluster, id), NOTHING);
});

test("that an end is lost is not said before others had time to answer, nor before a majority has", () => {
  const cluster = endsLostAt([1, 2]);
  for (const id of cluster.ids) cluster.restart(id);
  const told = () => cluster.ids.find((id) => noticed(cluster, id).from > 0);
  const isHeld = () => {
    cluster.flying = cluster.flying.filter(({ message }) => message.kind !== "promise");
    return told() !== undefined;
  };
  assert.equal(cluster.run(20_000, isHeld), false);
  assert.ok(cluster.run(20_000, () => told() !== undefined));
  const { proposer, electionMs } = cluster.core(told()!).state;
  assert.ok(cluster.now - proposer.startedAt >= electionMs / 2);
});

test("one that stands in vain while no log is damaged has lost nothing", () => {
  const cluster = endsLostAt([]);
  for (const id of cluster.ids) cluster.restart(id);
  cluster.run(5000, () => {
    cluster.flying = cluster.flying.filter(({ message }) => message.kind !== "promise");
    return false;
  });
  for (const id of cluster.ids) assert.deepEqual(noticed(cluster, id), NOTHING);
});
