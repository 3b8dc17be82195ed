// How a cluster forms: who may vote, and when, as a table of what can happen before that; trap F15.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterConfig, decodeGenesis } from "../paxos/genesis.js";
import { Bootstrap, type BootstrapStep } from "./bootstrap.js";

const config: ClusterConfig = {
  token: "t",
  members: [1, 2, 3].map((id) => ({ id, address: `h:${id}` })),
  alpha: 64,
  quorum: "majority",
  digestInterval: 1024,
};

/** Replicas that are linked pairwise, with messages delivered at once; `saves` are done at once too. */
class Table {
  readonly replicas = new Map<number, Bootstrap>();
  readonly disks = new Map<number, string>();
  readonly faults: string[] = [];
  readonly links = new Set<string>();
  readonly durable = new Map<number, Uint8Array>();

  start(id: number, disk: string, cluster = config, hasVoted = false): Bootstrap {
    const saved = this.disks.get(id) === disk ? (this.durable.get(id) ?? null) : null;
    if (saved === null) this.durable.delete(id);
    this.disks.set(id, disk);
    const bootstrap = new Bootstrap(id, disk, cluster, saved, hasVoted);
    this.replicas.set(id, bootstrap);
    this.#do(id, bootstrap.form());
    return bootstrap;
  }

  link(a: number, b: number): void {
    this.links.add(`${a} ${b}`).add(`${b} ${a}`);
    this.#do(a, this.replicas.get(a)!.linkUp(b, this.disks.get(b)!));
    this.#do(b, this.replicas.get(b)!.linkUp(a, this.disks.get(a)!));
    this.#tell(a, b);
    this.#tell(b, a);
  }

  stop(id: number): void {
    for (const [other, bootstrap] of this.replicas) {
      if (this.links.delete(`${id} ${other}`)) bootstrap.linkDown(id);
      this.links.delete(`${other} ${id}`);
    }
    this.replicas.delete(id);
  }

  votes(): number[] {
    return [...this.replicas].filter(([, b]) => b.isComplete && !b.isFenced).map(([id]) => id);
  }

  #tell(from: number, to: number): void {
    const message = this.replicas.get(from)!.message();
    const receiver = this.replicas.get(to)!;
    if (message !== null && receiver.listensTo(from)) this.#do(to, receiver.hear(from, message));
  }

  #do(id: number, step: BootstrapStep): void {
    if (step.fault !== null) this.faults.push(`${id}: ${step.fault}`);
    if (step.tell)
      for (const other of this.replicas.keys()) if (this.links.has(`${id} ${other}`)) this.#tell(id, other);
    if (step.save === null) return;
    this.durable.set(id, step.save);
    this.#do(id, this.replicas.get(id)!.saved());
  }
}

function three(): Table {
  const table = new Table();
  for (const id of [1, 2, 3]) table.start(id, `d${id}`);
  return table;
}

test("nobody votes before all three have met, then all do, with one genesis", () => {
  const table = three();
  table.link(1, 2);
  table.link(2, 3);
  assert.ok(table.votes().length === 0 || table.votes().length === 3);
  table.link(1, 3);
  assert.deepEqual(table.votes(), [1, 2, 3]);
  const members = [1, 2, 3].map((id) => ({ id, diskId: `d${id}` }));
  for (const id of [1, 2, 3]) assert.deepEqual(decodeGenesis(table.durable.get(id)!)?.members, members);
  assert.deepEqual(table.faults, []);
});

test("two of three that have met do not vote", () => {
  const table = three();
  table.link(1, 2);
  assert.deepEqual(table.votes(), []);
  assert.equal(table.durable.size, 0);
});

test("one that meets everybody is enough: the others adopt what it made", () => {
  const table = three();
  table.link(1, 2);
  table.link(1, 3);
  assert.deepEqual(table.votes(), [1, 2, 3]);
});

test("a cluster of one forms by itself", () => {
  const table = new Table();
  table.start(1, "d1", { ...config, members: config.members.slice(0, 1) });
  assert.deepEqual(table.votes(), [1]);
});

test("after a restart one vote, or one peer that knows the genesis complete, is enough", () => {
  const table = three();
  table.link(1, 2);
  table.link(1, 3);
  table.stop(2);
  assert.equal(table.start(2, "d2", config, true).isComplete, true);
  table.stop(2);
  assert.equal(table.start(2, "d2").isComplete, false);
  table.link(2, 1);
  assert.deepEqual(table.votes(), [1, 3, 2]);
});

test("F15: a wiped replica never votes, and says that its id must be replaced", () => {
  const table = three();
  table.link(1, 2);
  table.link(1, 3);
  table.stop(3);
  table.start(3, "d3-new");
  table.link(3, 2);
  assert.deepEqual(table.votes(), [1, 2]);
  assert.equal(table.replicas.get(3)!.isFenced, true);
  assert.equal(table.replicas.get(2)!.listensTo(3), false);
  assert.match(table.faults.join("\n"), /2: replica 3's disk is new .* must be replaced/);
  assert.match(table.faults.join("\n"), /3: replica 3's disk is new .* must be replaced/);
});

test("F15: one that never started and one that was wiped cannot begin anew without the third", () => {
  const table = new Table();
  table.start(1, "d1");
  table.start(3, "d3");
  table.link(1, 3);
  assert.deepEqual(table.votes(), []);
  table.stop(3);
  table.stop(1);
  table.start(3, "d3-new");
  table.start(2, "d2");
  table.link(2, 3);
  assert.deepEqual(table.votes(), []);
});

test("F15: a disk lost while the cluster forms leaves nobody voting, on either side", () => {
  const table = new Table();
  const first = table.start(1, "d1");
  first.linkUp(2, "d2");
  const { save } = first.linkUp(3, "d3");
  table.durable.set(1, save!);
  first.saved();
  table.start(2, "d2");
  table.start(3, "d3-new");
  table.replicas.delete(1);
  table.disks.set(1, "d1");
  const second = table.replicas.get(2)!;
  second.linkUp(1, "d1");
  table.link(2, 3);
  assert.deepEqual(table.votes(), []);
  const step = second.hear(1, first.message()!);
  assert.match(step.fault ?? "", /replica 1 began with another genesis/);
  assert.deepEqual(table.votes(), []);
  assert.equal(first.isComplete, false);
});

test("noise for a genesis changes nothing", () => {
  const bootstrap = new Bootstrap(1, "d1", config, null, false);
  bootstrap.linkUp(2, "d2");
  for (const bytes of [new Uint8Array(0), Uint8Array.of(1), Uint8Array.of(1, 2, 3), new Uint8Array(100)]) {
    assert.deepEqual(bootstrap.hear(2, bytes), { save: null, tell: false, fault: null });
  }
});
