// One member in a process of its own, which damage may end: told what to do over the channel to its parent. Its log is
// short, so that what a damaged store held is not in it any more. As `synod serve`, it starts again when it is damaged.

import { openKv } from "../../src/io/kv-opening.js";
import { NodeClock } from "../../src/io/node-clock.js";
import { randomHex } from "../../src/io/random-hex.js";
import { openStorage } from "../../src/io/storage.js";
import { networkCounters, TcpNetwork } from "../../src/io/tcp-network.js";
import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../../src/kv/commands.js";
import { put, range } from "../../src/kv/requests-for-tests.js";
import { StateCorrupt } from "../../src/machine/machine.js";
import { DEFAULT_ALPHA, DEFAULT_DIGEST_INTERVAL } from "../../src/paxos/genesis.js";
import { Paxos } from "../../src/paxos/paxos.js";
import { Replica } from "../../src/replica/replica.js";

export interface MemberPlan {
  readonly id: number;
  readonly dataDir: string;
  /** Of the replicas 1, 2, ..., on this machine. */
  readonly ports: readonly number[];
}

export type Order =
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "get"; readonly key: string; readonly local: boolean }
  /** Every key with its value, one line each. */
  | { readonly kind: "all" }
  /** Of the whole state with its history, as this replica has it. */
  | { readonly kind: "hash" }
  | { readonly kind: "status" }
  | { readonly kind: "stop" };

export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "fault"; readonly text: string }
  | { readonly kind: "done"; readonly number: number; readonly value: string }
  | { readonly kind: "failed"; readonly number: number; readonly name: string; readonly text: string };

type KvReplica = Replica<KvCommand, KvResult, KvQuery, KvAnswer>;

/** Checkpoints of the index are made often, so that damage hits them, too. */
const PACE = { records: 150, keys: 100, keysPerRecord: 1, chunkKeys: 40 };

function newReplica({ id, dataDir, ports }: MemberPlan): KvReplica {
  const counters = networkCounters();
  const host = "127.0.0.1";
  const members = new Map(ports.map((port, i) => [i + 1, { host, port }]));
  return new Replica<KvCommand, KvResult, KvQuery, KvAnswer>({
    id,
    cluster: {
      token: "bitflips",
      members: ports.map((port, i) => ({ id: i + 1, address: `${host}:${port}` })),
      alpha: DEFAULT_ALPHA,
      quorum: "majority",
      digestInterval: DEFAULT_DIGEST_INTERVAL,
    },
    openStorage: (prepare) =>
      openStorage(dataDir, (path, tell) => openKv(path, { isAlone: false, pace: PACE, tell }), prepare),
    network: new TcpNetwork({ listen: members.get(id)!, members, counters }),
    clock: new NodeClock(),
    randomHex,
    makeCore: (core) => new Paxos(core),
    heartbeatMs: 50,
    electionMs: 500,
    requestTimeoutMs: 4000,
    segmentBytes: 1 << 16,
    tailBytes: 0,
  });
}

function report(what: Report): void {
  process.send!(what);
}

async function answer(replica: KvReplica, order: Order): Promise<string> {
  switch (order.kind) {
    case "put": {
      const result = await replica.propose(put(order.key, order.value));
      return String(result.revision);
    }
    case "get": {
      const request = range(order.key);
      const found = await replica.read({ kind: "range", request }, { local: order.local });
      if (found.kind !== "range") throw new TypeError(`a range was answered with ${found.kind}`);
      return textOf(found.response.kvs);
    }
    case "all": {
      const found = await replica.read({ kind: "range", request: range("\0", { rangeEnd: "\0" }) });
      if (found.kind !== "range") throw new TypeError(`a range was answered with ${found.kind}`);
      return textOf(found.response.kvs);
    }
    case "hash": {
      const found = await replica.read({ kind: "hash" });
      if (found.kind !== "hash") throw new TypeError(`a hash was answered with ${found.kind}`);
      return `${found.revision} ${found.hash}`;
    }
    case "status":
      return JSON.stringify(replica.status());
    case "stop":
      await replica.close();
      return "";
  }
}

function textOf(kvs: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): string {
  return kvs
    .map(({ key, value }) => `${Buffer.from(key).toString()} ${Buffer.from(value).toString()}`)
    .join("\n");
}

async function live(plan: MemberPlan): Promise<void> {
  let replica: KvReplica;
  process.on("message", ({ number, order }: { number: number; order: Order }) => {
    answer(replica, order).then(
      (value) => {
        report({ kind: "done", number, value });
        if (order.kind === "stop") process.disconnect();
      },
      (error: Error) => report({ kind: "failed", number, name: error.name, text: error.message }),
    );
  });
  process.on("disconnect", () => process.exit(0));
  while (true) {
    replica = newReplica(plan);
    replica.on("fault", ({ text }) => report({ kind: "fault", text }));
    replica.start();
    replica.ready().then(
      () => report({ kind: "ready" }),
      (error: Error) => report({ kind: "fault", text: `not ready: ${error.message}` }),
    );
    const error = await replica.crashed;
    await replica.close();
    if (!(error instanceof StateCorrupt)) throw error;
  }
}

await live(JSON.parse(process.argv[2]!) as MemberPlan);
