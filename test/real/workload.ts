// Clients that nobody here wrote (the npm package etcd3) put and get without pause, and note what they were told;
// afterwards the cluster must hold all of it. One writer a replica, each with keys of its own, numbers counting up.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Etcd3 } from "etcd3";
import { type Processes, sleep } from "./processes.js";

interface KeyHistory {
  acknowledged: number;
  lastAcknowledged: number;
  lastAttempted: number;
  unknown: number;
}

const KEYS_PER_WRITER = 20;

export class Workload {
  readonly #cluster: Processes;
  readonly #clients: Etcd3[];
  readonly #keys = new Map<string, KeyHistory>();
  /** The highest number of the key `clock` that anyone was told, by a put or a get. */
  #clockFloor = 0;
  #isStopped = false;
  readonly #loops: Promise<void>[] = [];
  /** The longest time between two acknowledgements, per writer, in milliseconds. */
  readonly longestStall: number[];
  /** Errors that writers were given, per writer. */
  readonly failures: string[][];
  reads = 0;

  constructor(cluster: Processes) {
    this.#cluster = cluster;
    this.#clients = cluster.endpoints.map((endpoint) => new Etcd3({ hosts: `http://${endpoint}` }));
    this.longestStall = cluster.members.map(() => 0);
    this.failures = cluster.members.map(() => []);
    for (const i of cluster.members.keys()) this.#loops.push(this.#write(i), this.#read(i));
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
      await this.#put(writer, key, number);
      const now = performance.now();
      this.longestStall[writer] = Math.max(this.longestStall[writer]!, now - lastAt);
      lastAt = now;
    }
  }

  async #put(client: number, key: string, number: number): Promise<boolean> {
    let history = this.#keys.get(key);
    if (history === undefined) {
      history = { acknowledged: 0, lastAcknowledged: 0, lastAttempted: 0, unknown: 0 };
      this.#keys.set(key, history);
    }
    history.lastAttempted = number;
    try {
      await this.#clients[client]!.put(key).value(String(number)).exec();
      history.acknowledged += 1;
      history.lastAcknowledged = number;
      return true;
    } catch (error) {
      history.unknown += 1;
      this.failures[client]!.push(String(error));
      this.#reconnect(client);
      await sleep(20);
      return false;
    }
  }

  /** A fresh client, for etcd3 leaves a host alone for seconds after three failures. */
  #reconnect(client: number): void {
    this.#clients[client]!.close();
    this.#clients[client] = new Etcd3({ hosts: `http://${this.#cluster.endpoint(client)}` });
  }

  /** Counts `clock` up through one replica after the other, as they can be reached. */
  async #tick(): Promise<void> {
    let client = 0;
    for (let number = 1; !this.#isStopped; number += 1) {
      if (await this.#put(client, "clock", number)) this.#clockFloor = Math.max(this.#clockFloor, number);
      else client = (client + 1) % this.#clients.length;
      await sleep(2);
    }
  }

  /** A linearizable read never returns less than anyone was told before it began. */
  async #read(client: number): Promise<void> {
    while (!this.#isStopped) {
      const floor = this.#clockFloor;
      try {
        const text = await this.#clients[client]!.get("clock").string();
        const number = text === null ? 0 : Number(text);
        assert.ok(number >= floor, `replica ${client + 1} read ${number} after ${floor} was known`);
        this.#clockFloor = Math.max(this.#clockFloor, number);
        this.reads += 1;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        this.#reconnect(client);
        await sleep(20); // The replica is down or has no quorum: a read that fails says nothing.
      }
      await sleep(1);
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
    for (const client of this.#freshClients()) {
      const hash = createHash("sha256");
      const found = await client.getAll().exec(); // Linearizable: the replica has executed all that was acknowledged.
      for (const kv of found.kvs) {
        hash.update(`${kv.key} ${kv.value} ${kv.create_revision} ${kv.mod_revision} ${kv.version}\n`);
        this.#checkKey(String(kv.key), Number(kv.value), Number(kv.version));
      }
      const keys = new Set(found.kvs.map((kv) => String(kv.key)));
      for (const [key, { acknowledged }] of this.#keys) {
        assert.ok(acknowledged === 0 || keys.has(key), `${key} is there`);
      }
      hashes.add(`${found.header.revision} ${hash.digest("hex")}`);
      client.close();
    }
    assert.equal(hashes.size, 1, "no replica differs");
    for (const client of this.#clients) client.close();
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
