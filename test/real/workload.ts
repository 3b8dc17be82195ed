// Clients that nobody here wrote (the npm package etcd3) put, get and compare without pause; what they were told is
// recorded, and must be linearizable; afterwards the cluster must hold all of it. One writer a replica, each with keys
// of its own, numbers counting up; and one client a replica that shares few keys with the others.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Etcd3 } from "etcd3";
import type { Request } from "../../src/sim/history/operation.js";
import { type Processes, sleep } from "./processes.js";
import { RecordedCalls } from "./recorded-calls.js";

interface KeyHistory {
  acknowledged: number;
  lastAcknowledged: number;
  lastAttempted: number;
  unknown: number;
}

const KEYS_PER_WRITER = 20;
const SHARED_KEYS = 5;
/** In etcd's words all keys: from the first on, without end. */
const ALL = { kind: "get", key: "\0", rangeEnd: "\0" } as const;

/** Connections to one replica, one for each loop: one that makes its connection anew must not break another's call. */
type Loop = "write" | "read" | "share" | "tick";

export class Workload {
  readonly #cluster: Processes;
  readonly #clients: Record<Loop, Etcd3>[];
  readonly #keys = new Map<string, KeyHistory>();
  /** The highest number of the key `clock` that anyone was told, by a put or a get. */
  #clockFloor = 0;
  #isStopped = false;
  readonly #loops: Promise<void>[] = [];
  readonly calls = new RecordedCalls();
  /** The longest time between two acknowledgements, per writer, in milliseconds. */
  readonly longestStall: number[];
  /** Errors that writers were given, per writer. */
  readonly failures: string[][];
  /** Puts acknowledged, per writer. */
  readonly #served: number[];
  reads = 0;

  constructor(cluster: Processes) {
    this.#cluster = cluster;
    this.#clients = cluster.members.map((_, i) => {
      return {
        write: this.#connect(i),
        read: this.#connect(i),
        share: this.#connect(i),
        tick: this.#connect(i),
      };
    });
    this.#served = cluster.members.map(() => 0);
    this.longestStall = cluster.members.map(() => 0);
    this.failures = cluster.members.map(() => []);
    for (const i of cluster.members.keys()) this.#loops.push(this.#write(i), this.#read(i), this.#share(i));
    this.#loops.push(this.#tick());
  }

  get acknowledged(): number {
    let sum = 0;
    for (const history of this.#keys.values()) sum += history.acknowledged;
    return sum;
  }

  async #write(writer: number): Promise<void> {
    let lastAt = performance.now();
    for (let number = 1; !this.#isStopped; number += 1) {
      const key = `w${writer}/${number % KEYS_PER_WRITER}`;
      if (await this.#put("write", writer, key, number)) this.#served[writer]! += 1;
      const now = performance.now();
      this.longestStall[writer] = Math.max(this.longestStall[writer]!, now - lastAt);
      lastAt = now;
    }
  }

  /** Until the writer at `replica` is served again: its client has found out that the replica is back. */
  async servedBy(replica: number): Promise<void> {
    const before = this.#served[replica]!;
    for (let waits = 0; this.#served[replica] === before; waits += 1) {
      assert.ok(waits < 1000, `the writer at replica ${replica + 1} is served no more`);
      await sleep(10);
    }
  }

  async #put(loop: Loop, client: number, key: string, number: number): Promise<boolean> {
    let history = this.#keys.get(key);
    if (history === undefined) {
      history = { acknowledged: 0, lastAcknowledged: 0, lastAttempted: 0, unknown: 0 };
      this.#keys.set(key, history);
    }
    history.lastAttempted = number;
    try {
      await this.calls.ask(client, this.#clients[client]![loop], { kind: "put", key, value: String(number) });
      history.acknowledged += 1;
      history.lastAcknowledged = number;
      return true;
    } catch (error) {
      history.unknown += 1;
      this.failures[client]!.push(String(error));
      this.#reconnect(loop, client);
      await sleep(20);
      return false;
    }
  }

  /** A fresh client, for etcd3 leaves a host alone for seconds after three failures. */
  #reconnect(loop: Loop, client: number): void {
    this.#clients[client]![loop].close();
    this.#clients[client]![loop] = this.#connect(client);
  }

  #connect(client: number): Etcd3 {
    return new Etcd3({ hosts: `http://${this.#cluster.endpoint(client)}` });
  }

  /** Counts `clock` up through one replica after the other, as they can be reached. */
  async #tick(): Promise<void> {
    let client = 0;
    for (let number = 1; !this.#isStopped; number += 1) {
      if (await this.#put("tick", client, "clock", number))
        this.#clockFloor = Math.max(this.#clockFloor, number);
      else client = (client + 1) % this.#clients.length;
      await sleep(2);
    }
  }

  /** A linearizable read never returns less than anyone was told before it began. */
  async #read(client: number): Promise<void> {
    while (!this.#isStopped) {
      const floor = this.#clockFloor;
      try {
        const { kvs } = await this.calls.ask(client, this.#clients[client]!.read, {
          kind: "get",
          key: "clock",
        });
        const number = Number(kvs[0]?.value ?? 0);
        assert.ok(number >= floor, `replica ${client + 1} read ${number} after ${floor} was known`);
        this.#clockFloor = Math.max(this.#clockFloor, number);
        this.reads += 1;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        this.#reconnect("read", client);
        await sleep(20); // The replica is down or has no quorum: a read that fails says nothing.
      }
      await sleep(1);
    }
  }

  /** Requests of all kinds over keys that others change too. */
  async #share(client: number): Promise<void> {
    for (let number = 1; !this.#isStopped; number += 1) {
      try {
        await this.calls.ask(client, this.#clients[client]!.share, sharedRequest(client, number));
      } catch {
        this.#reconnect("share", client);
        await sleep(20); // Down, or without a quorum: what is recorded says that nothing is known of it.
      }
      await sleep(5);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  /** Everything acknowledged is there, nothing took effect twice, and no replica differs. */
  async check(): Promise<void> {
    await this.#cluster.ready();
    const hashes = new Set<string>();
    for (const [i, client] of this.#freshClients().entries()) {
      const hash = createHash("sha256");
      // Linearizable: the replica has executed all that was acknowledged.
      const { kvs } = await this.calls.ask(i, client, ALL);
      for (const { key, value, createRevision, modRevision, version } of kvs) {
        hash.update(`${key} ${value} ${createRevision} ${modRevision} ${version}\n`);
        if (!key.startsWith("shared/")) this.#checkKey(key, Number(value), version);
      }
      const keys = new Set(kvs.map(({ key }) => key));
      for (const [key, { acknowledged }] of this.#keys) {
        assert.ok(acknowledged === 0 || keys.has(key), `${key} is there`);
      }
      hashes.add(hash.digest("hex"));
      if (i === 0) await this.calls.readUntold(i, client);
      client.close();
    }
    assert.equal(hashes.size, 1, "no replica differs");
    for (const loops of this.#clients) for (const client of Object.values(loops)) client.close();
    this.calls.check();
  }

  #freshClients(): Etcd3[] {
    return this.#cluster.endpoints.map((endpoint) => new Etcd3({ hosts: `http://${endpoint}` }));
  }

  #checkKey(key: string, number: number, version: number): void {
    const history = this.#keys.get(key);
    assert.ok(history !== undefined, `nobody put ${key}`);
    const { acknowledged, lastAcknowledged, lastAttempted, unknown } = history;
    assert.ok(number >= lastAcknowledged, `${key} is ${number}, ${lastAcknowledged} was acknowledged`);
    assert.ok(number <= lastAttempted, `${key} is ${number}, which nobody put`);
    const most = acknowledged + unknown;
    assert.ok(
      version >= acknowledged && version <= most,
      `${key}: version ${version} of ${acknowledged}-${most}`,
    );
  }
}

function sharedRequest(client: number, number: number): Request {
  const key = `shared/${(client + number * 7) % SHARED_KEYS}`;
  const value = `${client}.${number}`;
  switch (number % 5) {
    case 0:
      return { kind: "delete", key };
    case 1:
      return { kind: "get", key: "shared/", rangeEnd: "shared0" };
    case 2:
      return {
        kind: "txn",
        compares: [{ key, target: "create", relation: ">", operand: 0 }],
        success: [
          { kind: "put", key, value, prevKv: true },
          { kind: "get", key },
        ],
        failure: [{ kind: "put", key, value }],
      };
    default:
      return { kind: "put", key, value, prevKv: number % 2 === 0 };
  }
}
