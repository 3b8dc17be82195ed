// HTTP/1.1 on the client port: probes, version and metrics.
import assert from "node:assert/strict";
import test from "node:test";
import { putRequest } from "../kv/requests-for-tests.js";
import { PutRequest, PutResponse } from "../proto/gen/rpc.js";
import { call, failureOfCall, run } from "./client-for-tests.js";
import { packageVersion } from "./version.js";

async function get(address: string, path: string, method = "GET") {
  const response = await fetch(`http://${address}${path}`, { method, headers: { connection: "close" } });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

test("/health", async (t) => {
  const { address, replica } = await run(t, { requestTimeoutMs: 50 });
  const healthy = { status: 200, type: "application/json", text: '{"health":"true"}' };
  assert.deepEqual(await get(address, "/health"), healthy);
  replica.lead(0);
  assert.deepEqual(await get(address, "/health"), {
    ...healthy,
    status: 503,
    text: '{"health":"false","reason":"RAFT NO LEADER"}',
  });
  assert.deepEqual(await get(address, "/health?serializable=true"), healthy);
  replica.lead(1);
  replica.isHolding = true;
  const stuck = await get(address, "/health");
  assert.equal(stuck.status, 503);
  assert.match(stuck.text, /^\{"health":"false","reason":"QGET ERROR:/);
  assert.deepEqual(await get(address, "/health?serializable=true"), healthy);
  assert.equal((await get(address, "/health", "POST")).status, 405);
});

test("/version names etcd's version and Synod's own", async (t) => {
  const { address } = await run(t);
  const { text } = await get(address, "/version");
  const { etcdserver, etcdcluster, synod } = JSON.parse(text);
  assert.match(etcdserver, /^3\.6\.\d+$/);
  assert.deepEqual([etcdcluster, synod], ["3.6.0", packageVersion()]);
});

test("a member whose state differs from the majority's is unhealthy, and its metrics say so", async (t) => {
  const { address, replica } = await run(t);
  replica.fence = "the state differs";
  for (const path of ["/health", "/health?serializable=true"]) {
    assert.match((await get(address, path)).text, /"health":"false".*the state differs/, path);
  }
  const { text } = await get(address, "/metrics");
  for (const line of ["synod_fenced 1", "synod_alarms 1"]) assert.ok(text.split("\n").includes(line), line);
});

test("a member whose disk is full says so in its metrics, and is healthy, for it serves", async (t) => {
  const { address, replica } = await run(t);
  const isTold = async () =>
    (await get(address, "/metrics")).text.split("\n").includes("synod_out_of_space 1");
  assert.equal(await isTold(), false);
  replica.isOutOfSpace = true;
  assert.equal(await isTold(), true);
  assert.match((await get(address, "/health")).text, /"health":"true"/);
});

test("anything else is not found", async (t) => {
  const { address } = await run(t);
  for (const path of ["/", "/v3/kv/range", "/health/x", "//"]) {
    assert.equal((await get(address, path)).status, 404, path);
  }
});

test("/metrics has etcd's names, the process, calls and Synod's own", async (t) => {
  const { address, client, replica } = await run(t);
  const put = (key: string) =>
    call(client, "/etcdserverpb.KV/Put", [PutRequest, PutResponse], putRequest(key, "v"));
  await put("a");
  await put("b");
  await failureOfCall(put(""));
  replica.lead(0);
  replica.lead(2);
  const { text, type } = await get(address, "/metrics");
  assert.match(type!, /^text\/plain/);
  const calls = 'grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put"';
  for (const line of [
    "etcd_server_has_leader 1",
    "etcd_server_is_leader 0",
    "etcd_server_leader_changes_seen_total 1",
    "etcd_server_proposals_committed_total 2",
    "etcd_server_proposals_applied_total 2",
    "etcd_server_proposals_pending 0",
    "etcd_server_proposals_failed_total 0",
    "etcd_debugging_mvcc_keys_total 2",
    "etcd_debugging_mvcc_current_revision 3",
    "synod_replica_bad_frames_total 3",
    "synod_round 7",
    "# TYPE nodejs_eventloop_lag_p999_seconds gauge",
    "# TYPE nodejs_eventloop_lag_max_seconds gauge",
    "synod_calls 0",
    "synod_call_bytes 0",
    `grpc_server_started_total{${calls}} 3`,
    `grpc_server_handled_total{${calls},grpc_code="OK"} 2`,
    `grpc_server_handled_total{${calls},grpc_code="InvalidArgument"} 1`,
  ]) {
    assert.ok(text.split("\n").includes(line), `${line}\n${text}`);
  }
  for (const name of [
    "process_resident_memory_bytes",
    "etcd_mvcc_db_total_size_in_bytes",
    "process_cpu_seconds_total",
  ]) {
    assert.match(text, new RegExp(`^${name} \\d`, "m"));
  }
});
