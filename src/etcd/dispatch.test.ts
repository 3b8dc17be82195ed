// What every call goes through: time limits, cancellation, leaders, limits, and messages that are none.
import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import test from "node:test";
import type { Client, ServiceError } from "@grpc/grpc-js";
import { putRequest, range } from "../kv/requests-for-tests.js";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../proto/gen/health.js";
import {
  MemberListRequest,
  MemberListResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  StatusRequest,
  StatusResponse,
} from "../proto/gen/rpc.js";
import { Closed, OutcomeUnknown, Overloaded } from "../replica/errors.js";
import { CLUSTER_ID, call, callBytes, connect, failureOfCall, run, until } from "./client-for-tests.js";
import { memberIdOf } from "./member-id.js";

const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const puts = [PutRequest, PutResponse] as const;
const ranges = [RangeRequest, RangeResponse] as const;

test("without a quorum calls end with a timeout, and serializable reads are answered", async (t) => {
  const { client, replica } = await run(t, { requestTimeoutMs: 50 });
  replica.isHolding = true;
  const timedOut = { code: 14, text: "etcdserver: request timed out" };
  assert.deepEqual(await failureOfCall(call(client, PUT, puts, putRequest("k", "v"))), timedOut);
  assert.deepEqual(await failureOfCall(call(client, RANGE, ranges, range("k"))), timedOut);
  assert.equal(replica.aborted, 2);
  assert.equal((await call(client, RANGE, ranges, range("k", { serializable: true }))).count, 0);
});

test("a client that cancels, or whose deadline is over, frees the replica", async (t) => {
  const { client, replica } = await run(t);
  replica.isHolding = true;
  let cancel = (): void => {};
  const put = call(client, PUT, puts, putRequest("k", "v"), {
    onCall: (how) => {
      cancel = how;
    },
  });
  const failure = failureOfCall(put);
  await until(() => replica.held === 1);
  cancel();
  assert.equal((await failure).code, 1);
  await until(() => replica.aborted === 1);
  const deadline = new Date(Date.now() + 50);
  assert.equal((await failureOfCall(call(client, RANGE, ranges, range("k"), { deadline }))).code, 4);
  await until(() => replica.aborted === 2);
});

test("what the replica refuses has etcd's codes and texts", async (t) => {
  const { client, replica, bugs } = await run(t);
  const put = () => failureOfCall(call(client, PUT, puts, putRequest("k", "v")));
  replica.failure = new Overloaded("x");
  assert.deepEqual(await put(), { code: 8, text: "etcdserver: too many requests" });
  replica.failure = new OutcomeUnknown("x");
  assert.deepEqual(await put(), { code: 14, text: "etcdserver: request timed out" });
  replica.failure = new Closed("x");
  assert.deepEqual(await put(), { code: 14, text: "etcdserver: server stopped" });
  assert.deepEqual(bugs, []);
  replica.failure = new TypeError("oops");
  assert.deepEqual(await put(), { code: 2, text: "etcdserver: internal error" });
  assert.deepEqual(bugs, [replica.failure]);
});

test("`hasleader` asks for a leader", async (t) => {
  const { client, replica } = await run(t);
  const metadata = { hasleader: "true" };
  const get = (options: { metadata?: Record<string, string> }) =>
    call(client, RANGE, ranges, range("k", { serializable: true }), options);
  await get({ metadata });
  replica.lead(0);
  assert.deepEqual(await failureOfCall(get({ metadata })), { code: 14, text: "etcdserver: no leader" });
  await get({});
});

test("unknown methods, and messages that are none", async (t) => {
  const { client, replica } = await run(t);
  for (const path of ["/etcdserverpb.KV/RangeStream", "/etcdserverpb.Watch/Watch", "/no.Such/Thing"]) {
    assert.equal((await failureOfCall(callBytes(client, path, new Uint8Array()))).code, 12, path);
  }
  for (const bytes of [
    [0x0a, 0xff],
    [0xff, 0xff, 0xff],
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
  ]) {
    const failure = await failureOfCall(callBytes(client, PUT, Uint8Array.from(bytes)));
    assert.equal(failure.code, 13);
    assert.match(failure.text, /^grpc: failed to unmarshal the received message: /);
  }
  assert.equal(replica.proposed, 0);
});

test("calls above the limit are refused, and the others end", async (t) => {
  const { client, replica, address } = await run(t, { limits: { maxCalls: 10 } });
  const other = connect(address);
  t.after(() => other.close());
  replica.isHolding = true;
  const put = (by: Client) => call(by, PUT, puts, putRequest("k", "v"));
  const first = Array.from({ length: 10 }, () => put(client));
  await until(() => replica.held === 10);
  for (let i = 0; i < 5; i += 1) {
    assert.deepEqual(await failureOfCall(put(other)), { code: 8, text: "etcdserver: too many requests" });
  }
  replica.release();
  await Promise.all(first);
  await put(other);
});

test("of a hundred large requests at once as many are held as fit", async (t) => {
  const { client, replica } = await run(t, { limits: { maxBytes: 10_000_000, maxSlowRequests: 1000 } });
  replica.isHolding = true;
  const value = new Uint8Array(1_000_000);
  let refusals = 0;
  const outcomes = Array.from({ length: 100 }, async (_, i) => {
    try {
      await call(client, PUT, puts, { ...putRequest(`k${i}`, ""), value });
    } catch (error) {
      assert.equal((error as ServiceError).code, 8);
      refusals += 1;
    }
  });
  await until(() => refusals === 91);
  assert.equal(replica.held, 9);
  replica.release();
  await Promise.all(outcomes);
  assert.equal(refusals, 91);
  await call(client, PUT, puts, { ...putRequest("k", ""), value });
});

test("requests that stay incomplete are evicted above a limit, when they may hold too much", async (t) => {
  const { address, client } = await run(t, { limits: { maxSlowRequests: 2, maxBytes: 200 } });
  const session = connectHttp2(`http://${address}`);
  session.on("error", () => {});
  let evicted = 0;
  for (let i = 0; i < 5; i += 1) {
    const stream = session.request(
      { ":method": "POST", ":path": PUT, "content-type": "application/grpc", te: "trailers" },
      { endStream: false },
    );
    stream.on("error", () => {});
    stream.on("response", (headers) => {
      assert.equal(headers["grpc-status"], "8");
      evicted += 1;
    });
    stream.write(Buffer.from([0, 0, 0, 1, 0, 0x0a]));
  }
  await until(() => evicted === 3);
  await call(client, PUT, puts, putRequest("k", "v"));
  session.destroy();
});

test("a member whose state differs from the majority's says so, and serves nothing", async (t) => {
  const { client, replica } = await run(t);
  await call(client, PUT, puts, putRequest("k", "v"));
  replica.fence = "the state differs";
  const status = await call(client, "/etcdserverpb.Maintenance/Status", [StatusRequest, StatusResponse], {});
  assert.deepEqual(status.errors, ["the state differs"]);
  assert.equal(status.header!.revision, 0);
  const check = [HealthCheckRequest, HealthCheckResponse] as const;
  const health = await call(client, "/grpc.health.v1.Health/Check", check, { service: "" });
  assert.equal(health.status, ServingStatus.NOT_SERVING);
});

test("a member whose disk is full shows etcd's alarm", async (t) => {
  const { client, replica } = await run(t);
  replica.isOutOfSpace = true;
  const status = await call(client, "/etcdserverpb.Maintenance/Status", [StatusRequest, StatusResponse], {});
  assert.deepEqual(status.errors, [`memberID:${memberIdOf(CLUSTER_ID, 1)} alarm:NOSPACE `]);
});

test("status, members and health", async (t) => {
  const { client, replica } = await run(t);
  await call(client, PUT, puts, putRequest("k", "v"));
  const ask = () => call(client, "/etcdserverpb.Maintenance/Status", [StatusRequest, StatusResponse], {});
  const status = await ask();
  assert.match(status.version, /^3\.6\.\d+$/);
  assert.deepEqual([status.leader, status.raftTerm, status.raftIndex], [memberIdOf(CLUSTER_ID, 1), 7, 1]);
  assert.equal(status.header!.revision, 2);
  assert.deepEqual(status.errors, []);
  replica.lead(0);
  assert.deepEqual((await ask()).errors, ["etcdserver: no leader"]);
  assert.equal((await ask()).leader, 0n);
  replica.lead(1);

  const list = (linearizable: boolean) =>
    call(client, "/etcdserverpb.Cluster/MemberList", [MemberListRequest, MemberListResponse], {
      linearizable,
    });
  const { members, header } = await list(true);
  assert.equal(replica.quorumReads, 1);
  assert.equal(header!.revision, 0);
  assert.deepEqual(members.map(({ name, ID, clientURLs }) => [name, ID, clientURLs]).sort(), [
    ["a", memberIdOf(CLUSTER_ID, 1), ["http://127.0.0.1:2379"]],
    ["b", memberIdOf(CLUSTER_ID, 2), []],
  ]);
  assert.ok(members[0]!.ID < members[1]!.ID);
  await list(false);
  assert.equal(replica.quorumReads, 1);

  const check = (service: string) =>
    call(client, "/grpc.health.v1.Health/Check", [HealthCheckRequest, HealthCheckResponse], { service });
  assert.equal((await check("")).status, 1);
  assert.equal((await check("etcdserverpb.KV")).status, 1);
  assert.deepEqual(await failureOfCall(check("no.Such")), { code: 5, text: "unknown service" });
});

test("closing lets calls end, ends streams, and refuses what comes after", async (t) => {
  const { client, replica, server } = await run(t);
  replica.isHolding = true;
  const put = call(client, PUT, puts, putRequest("k", "v"));
  await until(() => replica.held === 1);
  const statuses: number[] = [];
  const watch = client.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    () => Buffer.alloc(0),
    (bytes) => HealthCheckResponse.decode(bytes).status,
    {},
  );
  const watchEnd = new Promise<ServiceError>((resolve) => watch.once("error", resolve));
  watch.on("data", (status: number) => statuses.push(status));
  await until(() => statuses.length === 1);
  const closed = server.close();
  const { code, details } = await watchEnd;
  assert.deepEqual([statuses, code, details], [[1], 14, "etcdserver: server stopped"]);
  replica.release();
  assert.equal((await put).header!.revision, 2);
  await closed;
  assert.equal((await failureOfCall(call(client, PUT, puts, putRequest("k", "v")))).code, 14);
});

test("closing does not wait longer than the drain time", async (t) => {
  const { client, replica, server } = await run(t, { limits: { drainMs: 50 } });
  replica.isHolding = true;
  const put = failureOfCall(call(client, PUT, puts, putRequest("k", "v")));
  await until(() => replica.held === 1);
  await server.close();
  assert.notEqual((await put).code, 0);
  await until(() => replica.aborted === 1);
});
