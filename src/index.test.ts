// Embedding over real sockets and disks: three replicas in this process, as README shows it.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts } from "../test/free-port.js";
import {
  Closed,
  createReplica,
  DataDirectoryError,
  type EmbeddedReplica,
  jsonMachine,
  ListenError,
  OutcomeUnknown,
} from "./index.js";

interface Add {
  readonly add: number;
}
type Counter = EmbeddedReplica<Add, number, null, number>;

function counter() {
  return jsonMachine({
    initial: { total: 0 },
    apply(state, { add }: Add) {
      state.total += add;
      return state.total;
    },
    query: (state, _query: null) => state.total,
  });
}

class Cluster {
  readonly members: Record<number, string>;
  readonly root: string;
  readonly replicas = new Map<number, Counter>();

  private constructor(members: Record<number, string>, root: string) {
    this.members = members;
    this.root = root;
  }

  static async make(size: number): Promise<Cluster> {
    const offsets = Array.from({ length: size }, (_, i) => i);
    const port = await freePorts(offsets);
    const members = Object.fromEntries(offsets.map((i) => [i + 1, `127.0.0.1:${port + i}`]));
    return new Cluster(members, await mkdtemp(join(tmpdir(), "synod-index-")));
  }

  start(id: number): Counter {
    const dataDir = join(this.root, String(id));
    const replica = createReplica({ id, members: this.members, dataDir, machine: counter() });
    this.replicas.set(id, replica);
    return replica;
  }

  async startAll(): Promise<void> {
    for (const id of Object.keys(this.members)) this.start(Number(id));
    await Promise.all([...this.replicas.values()].map((replica) => replica.ready()));
  }

  async end(): Promise<void> {
    await Promise.all([...this.replicas.values()].map((replica) => replica.close()));
    await rm(this.root, { recursive: true });
  }
}

test("three replicas: propose and read anywhere, transfer, stop the leader, start again, everything is there", async () => {
  const cluster = await Cluster.make(3);
  await cluster.startAll();
  const [one, two, three] = [1, 2, 3].map((id) => cluster.replicas.get(id)!) as [Counter, Counter, Counter];
  assert.equal(await one.propose({ add: 1 }), 1);
  assert.equal(await two.propose({ add: 2 }), 3);
  assert.equal(await three.read(null), 3);
  const results = await Promise.all(
    Array.from({ length: 500 }, (_, i) => [one, two, three][i % 3]!.propose({ add: 1 })),
  );
  assert.equal(new Set(results).size, 500);
  const leader = one.status().leader;
  const other = (leader % 3) + 1;
  await cluster.replicas.get(leader)!.transferLeadership(other);
  assert.notEqual(cluster.replicas.get(leader)!.status().role, "leader");
  const stopped = cluster.replicas.get(other)!;
  const survivor = cluster.replicas.get(leader)!;
  const closing = stopped.close();
  assert.equal(await survivor.propose({ add: 1 }), 504);
  await closing;
  await assert.rejects(stopped.propose({ add: 1 }), Closed);
  await survivor.propose({ add: 1 });
  const again = cluster.start(other);
  await again.ready();
  assert.equal(await again.read(null), 505);
  for (const replica of cluster.replicas.values()) assert.deepEqual(replica.status().counters.badFrames, 0);
  await Promise.all([...cluster.replicas.values()].map((replica) => replica.close()));
  await cluster.startAll();
  assert.equal(await cluster.replicas.get(2)!.read(null), 505);
  await cluster.end();
});

test("one data directory is for one replica at a time, and a taken port is named", async () => {
  const cluster = await Cluster.make(1);
  await cluster.startAll();
  const dataDir = join(cluster.root, "1");
  const members = { 1: `127.0.0.1:${await freePorts([0])}` };
  const second = createReplica({ id: 1, members, dataDir, machine: counter() });
  await assert.rejects(second.ready(), DataDirectoryError);
  await assert.rejects(second.propose({ add: 1 }), Closed);
  assert.ok((await second.crashed) instanceof DataDirectoryError);
  await second.close();
  const third = createReplica({
    id: 1,
    members: cluster.members,
    dataDir: join(cluster.root, "3"),
    machine: counter(),
  });
  await assert.rejects(third.started(), ListenError);
  await third.close();
  assert.equal(await cluster.replicas.get(1)!.propose({ add: 1 }), 1);
  await cluster.end();
});

test("the machine can be opened by a function, when the directory is locked; what it throws is told", async () => {
  const cluster = await Cluster.make(1);
  const dataDir = join(cluster.root, "1");
  const { members } = cluster;
  const paths: string[] = [];
  const open = async (path: string) => {
    paths.push(path);
    return counter();
  };
  const replica = createReplica({ id: 1, members, dataDir, machine: open });
  assert.equal(await replica.propose({ add: 4 }), 4);
  await replica.close();
  assert.deepEqual(paths, [dataDir]);
  const broken = createReplica({
    id: 1,
    members,
    dataDir,
    machine: (): ReturnType<typeof counter> => {
      throw new RangeError("no store");
    },
  });
  await assert.rejects(broken.ready(), /no store/);
  await broken.close();
  cluster.start(1);
  assert.equal(await cluster.replicas.get(1)!.read(null), 4);
  await cluster.end();
});

test("a command without a quorum is given up with its outcome unknown; a stop does not wait for it long", async () => {
  const cluster = await Cluster.make(3);
  await cluster.startAll();
  const { leader } = cluster.replicas.get(1)!.status();
  const others = [1, 2, 3].filter((id) => id !== leader);
  await Promise.all(others.map((id) => cluster.replicas.get(id)!.close()));
  const alone = cluster.replicas.get(leader)!;
  const controller = new AbortController();
  const aborted = alone.propose({ add: 1 }, { signal: controller.signal });
  const pending = alone.propose({ add: 1 });
  setImmediate(() => setImmediate(() => controller.abort()));
  await assert.rejects(aborted);
  const [outcome] = await Promise.allSettled([pending, alone.close()]);
  assert.ok(outcome.status === "rejected" && outcome.reason instanceof OutcomeUnknown);
  await cluster.end();
});

test("wrong options are refused with a sentence", () => {
  const good = { id: 1, members: { 1: "127.0.0.1:7001" }, dataDir: "d", machine: counter() };
  const wrong: [object, RegExp][] = [
    [{ members: {} }, /members must name this replica, 1/],
    [{ members: undefined }, /members must name this replica, 1/],
    [{ members: { 1: "127.0.0.1" } }, /must be "host:port"/],
    [{ members: { 1: "127.0.0.1:70000" } }, /must be "host:port"/],
    [{ members: { 0: "a:1", 1: "b:1" } }, /a replica id is 1 to 65535, not "0"/],
    [{ members: { 1: "a:1", 2: "a:1" } }, /members 1 and 2 have one address/],
    [{ id: 2 }, /members must name this replica, 2/],
    [{ listen: "nowhere" }, /listen must be "host:port"/],
    [{ dataDir: "" }, /dataDir must be a path/],
    [{ machine: {} }, /machine must be/],
    [{ electionMs: 100 }, /electionMs must be five times heartbeatMs/],
    [{ requestTimeoutMs: Number.NaN }, /requestTimeoutMs must be milliseconds/],
  ];
  for (const [change, sentence] of wrong) {
    assert.throws(() => createReplica({ ...good, ...change } as typeof good), {
      name: "TypeError",
      message: sentence,
    });
  }
});
