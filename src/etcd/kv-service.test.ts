// The KV service over gRPC, with the npm package etcd3 and with plain calls: results, headers, error texts, and
// which requests go through the log.
import assert from "node:assert/strict";
import test from "node:test";
import { Etcd3 } from "etcd3";
import {
  bytes,
  compare,
  deleteRequest,
  putRequest,
  range,
  text,
  txnRequest,
} from "../kv/requests-for-tests.js";
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from "../proto/gen/rpc.js";
import { CLUSTER_ID, call, callBytes, failureOfCall, run } from "./client-for-tests.js";
import { memberIdOf } from "./member-id.js";

const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const TXN = "/etcdserverpb.KV/Txn";
const DELETE = "/etcdserverpb.KV/DeleteRange";
const COMPACT = "/etcdserverpb.KV/Compact";
const puts = [PutRequest, PutResponse] as const;
const ranges = [RangeRequest, RangeResponse] as const;
const txns = [TxnRequest, TxnResponse] as const;
const deletes = [DeleteRangeRequest, DeleteRangeResponse] as const;
const compactions = [CompactionRequest, CompactionResponse] as const;

test("etcd3 puts, gets, lists, deletes and compares", async (t) => {
  const { address } = await run(t);
  const etcd = new Etcd3({ hosts: address });
  t.after(() => etcd.close());
  await etcd.put("foo").value("bar");
  await etcd.put("food").value("pizza");
  assert.equal(await etcd.get("foo").string(), "bar");
  assert.equal(await etcd.get("missing").string(), null);
  assert.deepEqual(await etcd.getAll().prefix("foo").strings(), { foo: "bar", food: "pizza" });
  const swap = await etcd.if("foo", "Value", "==", "bar").then(etcd.put("foo").value("baz")).commit();
  assert.equal(swap.succeeded, true);
  const again = await etcd
    .if("foo", "Value", "==", "bar")
    .then(etcd.put("foo").value("no"))
    .else(etcd.get("foo"))
    .commit();
  assert.equal(again.succeeded, false);
  assert.equal(again.responses[0]!.response_range.kvs[0]!.value.toString(), "baz");
  assert.equal((await etcd.delete().prefix("foo")).deleted, "2");
  assert.equal(await etcd.get("foo").exists(), false);
});

test("every response has cluster, member, revision and round in its header", async (t) => {
  const { client } = await run(t);
  const header = (revision: number) => ({
    clusterId: 0xdeadbeefn,
    memberId: memberIdOf(CLUSTER_ID, 1),
    revision,
    raftTerm: 7,
  });
  assert.deepEqual((await call(client, RANGE, ranges, range("a"))).header, header(1));
  assert.deepEqual((await call(client, PUT, puts, putRequest("a", "1"))).header, header(2));
  const txn = txnRequest(
    [],
    [
      { requestRange: range("a") },
      { requestPut: putRequest("b", "2") },
      { requestRange: range("b") },
      { requestTxn: txnRequest([], [{ requestRange: range("a") }]) },
    ],
  );
  const done = await call(client, TXN, txns, txn);
  assert.deepEqual(done.header, header(3));
  const inner = { clusterId: 0n, memberId: 0n, raftTerm: 0 };
  assert.deepEqual(done.responses[0]!.responseRange!.header, { ...inner, revision: 2 });
  assert.deepEqual(done.responses[1]!.responsePut!.header, { ...inner, revision: 3 });
  assert.deepEqual(done.responses[2]!.responseRange!.header, { ...inner, revision: 3 });
  assert.deepEqual(done.responses[3]!.responseTxn!.header, { ...inner, revision: 0 });
  assert.deepEqual((await call(client, DELETE, deletes, deleteRequest("x"))).header, header(3));
  assert.deepEqual((await call(client, DELETE, deletes, deleteRequest("a"))).header, header(4));
  const compaction = { revision: 3, physical: true };
  assert.deepEqual((await call(client, COMPACT, compactions, compaction)).header, header(4));
});

test("reads do not go through the log, and serializable ones ask nobody", async (t) => {
  const { client, replica } = await run(t);
  const counts = () => [replica.proposed, replica.quorumReads, replica.localReads];
  await call(client, RANGE, ranges, range("a"));
  assert.deepEqual(counts(), [0, 1, 0]);
  await call(client, RANGE, ranges, range("a", { serializable: true }));
  assert.deepEqual(counts(), [0, 1, 1]);
  const local = { requestRange: range("a", { serializable: true }) };
  const asked = { requestRange: range("a") };
  const equal = [compare("a", { version: 0 })];
  await call(client, TXN, txns, txnRequest(equal, [local], [local]));
  assert.deepEqual(counts(), [0, 1, 2]);
  await call(client, TXN, txns, txnRequest(equal, [local], [asked]));
  assert.deepEqual(counts(), [0, 2, 2]);
  await call(client, TXN, txns, txnRequest(equal, []));
  assert.deepEqual(counts(), [0, 3, 2], "a comparison alone is linearizable");
  await call(client, TXN, txns, txnRequest(equal, [], [{ requestPut: putRequest("a", "1") }]));
  assert.deepEqual(counts(), [1, 3, 2], "a put in the branch not taken");
});

test("any bytes are keys and values", async (t) => {
  const { client } = await run(t);
  const odd = "\x00\xff\xfe\x80" as const;
  await call(client, PUT, puts, putRequest(odd, odd));
  const everything = range("\x00", { rangeEnd: "\x00" });
  const { kvs, count } = await call(client, RANGE, ranges, everything);
  assert.deepEqual([count, text(kvs[0]!.key), text(kvs[0]!.value)], [1, odd, odd]);
});

test("bad requests get etcd's codes and texts, and nothing is proposed", async (t) => {
  const { client, replica } = await run(t);
  const put = (request: PutRequest) => failureOfCall(call(client, PUT, puts, request));
  const get = (request: RangeRequest) => failureOfCall(call(client, RANGE, ranges, request));
  const txn = (request: TxnRequest) => failureOfCall(call(client, TXN, txns, request));
  const table = [
    [put(putRequest("", "v")), 3, "etcdserver: key is not provided"],
    [put(putRequest("k", "v", { ignoreValue: true })), 3, "etcdserver: value is provided"],
    [put(putRequest("k", "v", { ignoreLease: true, lease: 1n })), 3, "etcdserver: lease is provided"],
    [get(range("")), 3, "etcdserver: key is not provided"],
    [get(range("k", { sortOrder: 9 as 0 })), 3, "etcdserver: invalid sort option"],
    [get(range("k", { revision: 99 })), 11, "etcdserver: mvcc: required revision is a future revision"],
    [
      get({ ...range("k"), revision: Number.MAX_SAFE_INTEGER }),
      11,
      "etcdserver: mvcc: required revision is a future revision",
    ],
    [failureOfCall(call(client, DELETE, deletes, deleteRequest(""))), 3, "etcdserver: key is not provided"],
    [
      txn(txnRequest([], Array(129).fill({ requestRange: range("k") }))),
      3,
      "etcdserver: too many operations in txn request",
    ],
    [
      txn(txnRequest([], [{ requestPut: putRequest("k", "1") }, { requestPut: putRequest("k", "2") }])),
      3,
      "etcdserver: duplicate key given in txn request",
    ],
  ] as const;
  for (const [failure, code, expected] of table) assert.deepEqual(await failure, { code, text: expected });
  assert.equal(replica.proposed, 0);
  assert.deepEqual(await put(putRequest("k", "", { ignoreValue: true })), {
    code: 3,
    text: "etcdserver: key not found",
  });
  assert.deepEqual(await put(putRequest("k", "v", { lease: 5n })), {
    code: 5,
    text: "etcdserver: requested lease not found",
  });
});

test("compacted revisions, and compactions out of range", async (t) => {
  const { client } = await run(t);
  for (const value of ["1", "2", "3"]) await call(client, PUT, puts, putRequest("k", value));
  const compact = (revision: number) => call(client, COMPACT, compactions, { revision, physical: false });
  assert.equal(
    (await failureOfCall(compact(99))).text,
    "etcdserver: mvcc: required revision is a future revision",
  );
  await compact(3);
  const compacted = { code: 11, text: "etcdserver: mvcc: required revision has been compacted" };
  assert.deepEqual(await failureOfCall(compact(3)), compacted);
  assert.deepEqual(await failureOfCall(call(client, RANGE, ranges, range("k", { revision: 2 }))), compacted);
  assert.equal((await call(client, RANGE, ranges, range("k", { revision: 3 }))).kvs.length, 1);
});

test("a request over 1.5 MiB is too large, one over 2 MiB is not read, more may be answered", async (t) => {
  const { client, replica } = await run(t);
  const put = (size: number) =>
    call(client, PUT, puts, { ...putRequest("k", ""), value: new Uint8Array(size) });
  assert.deepEqual(await failureOfCall(put(1.5 * 1024 * 1024)), {
    code: 3,
    text: "etcdserver: request is too large",
  });
  const over = await failureOfCall(put(2 * 1024 * 1024));
  assert.equal(over.code, 8);
  assert.match(over.text, /^Received message larger than max \(2097\d+ vs 2097152\)$/);
  assert.equal(replica.proposed, 0);
  for (const key of ["a", "b", "c"]) {
    await call(client, PUT, puts, { ...putRequest(key, ""), value: new Uint8Array(1_500_000) });
  }
  const { kvs } = await call(client, RANGE, ranges, range("a", { rangeEnd: "z" }));
  assert.equal(
    kvs.reduce((sum, { value }) => sum + value.length, 0),
    4_500_000,
  );
});

test("the largest int64 is a very large number, not an error", async (t) => {
  const { client } = await run(t);
  await call(client, PUT, puts, putRequest("k", "v"));
  const most = [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
  const request = Uint8Array.from([0x0a, 1, ...bytes("k"), ...most]);
  assert.equal(RangeResponse.decode(await callBytes(client, RANGE, request)).count, 1);
});
