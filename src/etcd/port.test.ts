// The client port among strangers: garbage, silence and crowds are closed and counted, and it serves on.
import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { putRequest } from "../kv/requests-for-tests.js";
import { PutRequest, PutResponse } from "../proto/gen/rpc.js";
import { call, type Running, run, until } from "./client-for-tests.js";
import { ListenError, startEtcdServer } from "./server.js";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** Sends bytes and resolves with what came back when the server closes. */
function exchange({ port }: Running, ...chunks: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
    const next = (at: number): void => {
      if (at >= chunks.length) return;
      socket.write(Buffer.from(chunks[at]!, "latin1"), () => setTimeout(() => next(at + 1), 5));
    };
    next(0);
  });
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;

async function metric(running: Running, name: string): Promise<number> {
  const match = new RegExp(`^${name} (\\S+)$`, "m").exec(await exchange(running, get("/metrics")));
  assert.ok(match, `no metric ${name}`);
  return Number(match[1]);
}

const put = ({ client }: Running) =>
  call(client, "/etcdserverpb.KV/Put", [PutRequest, PutResponse], putRequest("k", "v"));

test("garbage is closed and counted, and the server goes on", async (t) => {
  const running = await run(t);
  const garbage = [
    "\x16\x03\x01\x02\x00\x01",
    "\0\0\0\0\0\0",
    "hello\r\n",
    "\xff".repeat(100_000),
    "PRI /\r\n",
  ];
  for (const bytes of garbage) assert.equal(await exchange(running, bytes), "");
  assert.equal(await metric(running, "synod_client_garbage_total"), garbage.length);
  await put(running);
});

test("garbage behind HTTP/2's preface closes that connection only", async (t) => {
  const running = await run(t);
  await exchange(running, `${PREFACE}${"\xff".repeat(1000)}`);
  await exchange(running, PREFACE, "\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff");
  await put(running);
  assert.equal(await metric(running, "synod_client_garbage_total"), 0);
});

test("first bytes may come one by one", async (t) => {
  const running = await run(t);
  const answer = await exchange(running, ...get("/version"));
  assert.match(answer, /^HTTP\/1\.1 200 OK/);
});

test("a connection that says nothing in time is closed", async (t) => {
  const running = await run(t, { limits: { headerTimeoutMs: 50 } });
  assert.equal(await exchange(running), "");
  assert.equal(await exchange(running, "PRI"), "");
  assert.equal(await metric(running, "synod_client_silent_total"), 2);
  await exchange(running, "GET /health HTTP/1.1\r\n");
  await put(running);
});

test("a crowd of idle connections above the limit is turned away", async (t) => {
  const running = await run(t, { limits: { maxConnections: 50 } });
  await put(running);
  const crowd = crowdOf(t, running, 80);
  await until(() => crowd.filter((socket) => socket.closed).length === 31);
  for (const socket of crowd) socket.destroy();
  await until(() => crowd.every((socket) => socket.closed));
  await put(running);
  assert.equal(await metric(running, "synod_client_turned_away_total"), 31);
});

function crowdOf(t: TestContext, { port }: Running, size: number): Socket[] {
  const crowd = Array.from({ length: size }, () =>
    connectTcp(port, "127.0.0.1")
      .on("error", () => {})
      .resume(),
  );
  t.after(() => {
    for (const socket of crowd) socket.destroy();
  });
  return crowd;
}

test("closing ends idle connections of every kind", async (t) => {
  const running = await run(t);
  await put(running);
  const crowd = crowdOf(t, running, 3);
  crowd[0]!.write(PREFACE);
  crowd[1]!.write("GET /version HTTP/1.1\r\nhost: x\r\n\r\n");
  await new Promise((resolve) => crowd[1]!.once("data", resolve));
  await running.server.close();
  await until(() => crowd.every((socket) => socket.closed));
});

test("several URLs, and a port in use told as a sentence", async (t) => {
  const listenClientUrls = ["http://127.0.0.1:0", "http://localhost:0"];
  const { server, address, replica } = await run(t, { listenClientUrls });
  assert.equal(new Set(server.addresses).size, 2);
  const options = { replica, name: "b", clusterId: "00000000deadbeef", members: () => [] };
  await assert.rejects(
    startEtcdServer({ ...options, listenClientUrls: ["http://127.0.0.1:0", `http://${address}`] }),
    (error) =>
      error instanceof ListenError &&
      error.message ===
        `cannot listen for clients at ${address}: the port is in use; ` +
          "stop the program that uses it, or choose another with --listen-client-urls",
  );
});
