// `synod serve` on stores that are damaged while it runs and while it is stopped: never a wrong answer, and it serves
// again by itself.
import assert from "node:assert/strict";
import { readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Client } from "@grpc/grpc-js";
import { Flips } from "../bitflips/flips.js";
import { Processes, sleep } from "./processes.js";
import { connect, put, range } from "./unary.js";

const KEYS = 400;
const SERVES_WITHIN_MS = 20_000;

function valueOfKey(i: number): string {
  return `needle ${i}.`.padEnd(2_000, "y");
}

async function fill(client: Client): Promise<void> {
  for (let i = 0; i < KEYS; i += 50) {
    const some = Array.from({ length: 50 }, (_, j) => i + j);
    await Promise.all(some.map((key) => put(client, `key-${key}`, Buffer.from(valueOfKey(key)))));
  }
}

/** Reads every key at a member, once; returns how many it answered, all of them rightly. */
async function readAll(client: Client): Promise<number> {
  let answered = 0;
  for (let i = 0; i < KEYS; i += 1) {
    const found = await range(client, `key-${i}`).catch(() => null);
    if (found === null) continue;
    assert.equal(Buffer.from(found.kvs[0]?.value ?? []).toString(), valueOfKey(i), `key-${i}`);
    answered += 1;
  }
  return answered;
}

/** Reads, and starts the member again when it has died, until it answers everything. */
async function untilServed(cluster: Processes, i: number): Promise<void> {
  const end = Date.now() + SERVES_WITHIN_MS;
  while (true) {
    const client = connect(cluster.endpoint(i));
    const answered = await readAll(client);
    client.close();
    if (answered === KEYS) return;
    assert.ok(Date.now() < end, `it answers ${answered} of ${KEYS} keys:\n${cluster.members[i]!.output}`);
    const { process } = cluster.members[i]!;
    if (process !== null && (process.exitCode !== null || process.signalCode !== null)) cluster.launch(i);
    await sleep(100);
  }
}

const storeOf = (cluster: Processes, i: number) => join(cluster.dataDir(i), "store", "data.mdb");

async function flip(path: string, needle: string): Promise<void> {
  const bytes = await readFile(path);
  let at = bytes.indexOf(needle);
  assert.ok(at >= 0, `${needle} is in the store`);
  const file = await readFile(path);
  for (; at >= 0; at = bytes.indexOf(needle, at + 1)) file[at]! ^= 1;
  // In place: the file is mapped.
  await writeFile(path, file, { flag: "r+" });
}

async function withCluster(count: number, run: (cluster: Processes) => Promise<void>): Promise<void> {
  const cluster = await Processes.start(count);
  try {
    const client = connect(cluster.endpoint(0));
    await fill(client);
    client.close();
    // So that everything is committed.
    await sleep(500);
    await run(cluster);
  } finally {
    await cluster.close();
  }
}

test("a record damaged while it runs: the member starts again in the same process, and is whole", async () => {
  await withCluster(3, async (cluster) => {
    const { pid } = cluster.members[1]!.process!;
    await flip(storeOf(cluster, 1), "needle 123.");
    await untilServed(cluster, 1);
    assert.equal(cluster.members[1]!.process!.pid, pid);
    assert.match(cluster.members[1]!.output, /the store is damaged: this member starts again/);
    assert.match(cluster.members[1]!.output, /it is kept as store\.damaged-1/);
    assert.ok((await stat(join(cluster.dataDir(1), "store.damaged-1"))).isDirectory());
  });
});

test("a file cut short while it is mapped: whatever that does to the process, the next start is whole", async () => {
  await withCluster(3, async (cluster) => {
    await truncate(storeOf(cluster, 2), 5 * 4096);
    await untilServed(cluster, 2);
    assert.match(cluster.members[2]!.output, /it is kept as store\.damaged-1/);
  });
});

test("a file cut short while it is stopped, of one member that is alone: rebuilt from its log", async () => {
  await withCluster(1, async (cluster) => {
    await cluster.signal(0, "SIGTERM");
    const { size } = await stat(storeOf(cluster, 0));
    await truncate(storeOf(cluster, 0), Math.floor(size / 2));
    cluster.launch(0);
    await cluster.ready();
    await untilServed(cluster, 0);
    assert.match(cluster.members[0]!.output, /rebuilt from its log/);
  });
});

test("single bits flipped in stores of members that run or are stopped", async () => {
  const flips = await Flips.start(3);
  try {
    while (flips.counts.flips < 24) await flips.flip();
  } finally {
    await flips.close();
  }
  assert.deepEqual(flips.complaints, []);
  assert.ok(flips.counts.repaired > 3 && flips.counts.nothing > 0, JSON.stringify(flips.counts));
});
