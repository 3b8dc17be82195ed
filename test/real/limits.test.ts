// What clients of three real processes see when there is too much to do, and when there is no quorum.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Client, status } from "@grpc/grpc-js";
import { Processes } from "./processes.js";
import { connect, put, range } from "./unary.js";

async function withCluster(task: (cluster: Processes) => Promise<void>): Promise<void> {
  const cluster = await Processes.start(3);
  try {
    await task(cluster);
  } finally {
    await cluster.close();
  }
}

/** How many calls ended with each code. */
async function codesOf(calls: readonly Promise<unknown>[]): Promise<Map<status, number>> {
  const codes = new Map<status, number>();
  for (const outcome of await Promise.allSettled(calls)) {
    const code = outcome.status === "fulfilled" ? status.OK : (outcome.reason as { code: status }).code;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  return codes;
}

/** What a call may end with when there is too much to do; it is `UNAVAILABLE` when its time is over. */
const ENDINGS = new Set([status.OK, status.RESOURCE_EXHAUSTED, status.UNAVAILABLE]);

const burst = (client: Client, count: number, bytes: number) =>
  codesOf(Array.from({ length: count }, (_, i) => put(client, `burst/${i}`, new Uint8Array(bytes))));

/** A put is done before long: the first ones may still wait behind what was accepted, for longer than they may. */
async function goesOn(client: Client): Promise<boolean> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const codes = await codesOf([put(client, "after", new Uint8Array(1))]);
    if (codes.has(status.OK)) return true;
  }
  return false;
}

test("2,000 puts at once are all done; more than memory is meant for are refused, and then all goes on", async () => {
  await withCluster(async (cluster) => {
    const client = connect(cluster.endpoint(0));
    assert.deepEqual(await burst(client, 2000, 256), new Map([[status.OK, 2000]]));
    const codes = await burst(client, 150, 1024 * 1024);
    assert.ok(codes.has(status.OK) && codes.has(status.RESOURCE_EXHAUSTED), JSON.stringify([...codes]));
    for (const code of codes.keys()) assert.ok(ENDINGS.has(code), `code ${code}`);
    const resident = await cluster.memory(0);
    assert.ok(resident < 1.5 * 2 ** 30, `${resident} bytes resident`);
    assert.ok(await goesOn(client), "after it puts are done again");
    client.close();
  });
});

test("without a quorum a call ends with Unavailable after the request timeout; serializable reads are answered", async () => {
  await withCluster(async (cluster) => {
    const client = connect(cluster.endpoint(0));
    await put(client, "key", new Uint8Array(1));
    await Promise.all([cluster.signal(1, "SIGKILL"), cluster.signal(2, "SIGKILL")]);
    const waiting = Promise.allSettled([put(client, "key", new Uint8Array(2)), range(client, "key")]);
    const { kvs } = await range(client, "key", { serializable: true });
    assert.equal(kvs[0]?.value.length, 1);
    for (const outcome of await waiting) {
      assert.equal(outcome.status, "rejected");
      const { code, details } = outcome.reason as { code: status; details: string };
      assert.deepEqual([code, details], [status.UNAVAILABLE, "etcdserver: request timed out"]);
    }
    client.close();
  });
});
