// F29: while those with room are no quorum the leader has what grows refused by everybody, so that reserves last.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

/** A cluster that 1 leads, and what replicas tell their drivers from now on. */
function led(replicas: number): {
  readonly cluster: Cluster;
  full(id: number, isFull: boolean): void;
  state(): string;
} {
  const cluster = new Cluster({ replicas, autoSync: true });
  cluster.elect(1);
  cluster.run(200);
  return {
    cluster,
    full: (id, isFull) => {
      cluster.step(id, { kind: "room", isFull });
      cluster.run(200);
    },
    /** Who refuses what grows: a digit for each. */
    state: () => cluster.ids.filter((id) => cluster.replica(id).core?.state.noticedFull === true).join(""),
  };
}

test("growth is refused by all as long as those with room are too few for a quorum, whoever they are", () => {
  const three = led(3);
  // A leader without room hands over; who has room is what counts.
  const steps: [number, boolean, string][] = [
    [2, true, ""],
    [3, true, "123"],
    [2, false, ""],
    [1, true, "123"],
    [3, false, ""],
    [1, false, ""],
  ];
  for (const [id, isFull, refusing] of steps) {
    three.full(id, isFull);
    assert.equal(three.state(), refusing, `${id} ${isFull}`);
  }
  const five = led(5);
  for (const id of [2, 3]) five.full(id, true);
  assert.equal(five.state(), "");
  five.full(5, true);
  assert.equal(five.state(), "12345");
});

test("it is told once, and ends with the word of a leader that finds room", () => {
  const { cluster, full, state } = led(3);
  for (const id of [2, 3]) full(id, true);
  assert.equal(state(), "123");
  // The next leader is not heard saying so before it has asked.
  cluster.step(1, { kind: "transfer", to: 2 });
  cluster.run(1000);
  assert.equal(cluster.core(2).isLeading, true);
  assert.equal(state(), "123");
  for (const id of [2, 3]) full(id, false);
  assert.equal(state(), "");
});

test("a late acknowledgement does not take back a newer one, and a new life has room until it says otherwise", () => {
  const { cluster, full, state } = led(3);
  const { heartbeats } = cluster.core(1).state;
  const said = (isFull: boolean) => ({ damaged: false, full: isFull });
  heartbeats.acknowledge(2, heartbeats.round, said(true));
  heartbeats.acknowledge(2, heartbeats.round - 1, said(false));
  assert.deepEqual([...heartbeats.full], [2]);
  for (const id of [2, 3]) full(id, true);
  cluster.crash(3);
  cluster.run(200);
  // Away it still counts as it said.
  assert.equal(state(), "12");
  cluster.restart(3);
  cluster.run(500);
  assert.equal(state(), "");
});

test("what a leader said of room holds for one that hears it, and not for ever", () => {
  const { cluster, full, state } = led(5);
  for (const id of [2, 3, 4]) full(id, true);
  assert.equal(state(), "12345");
  cluster.island(1, 2, 3);
  cluster.run(2000);
  assert.equal(cluster.core(1).isLeading, true);
  assert.equal(state(), "123");
});
