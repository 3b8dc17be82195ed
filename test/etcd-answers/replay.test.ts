// Operations that a real etcd (3.4.23) has answered, answered by the store: the same responses, revisions and
// errors. `answers.jsonl` is written by record.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { KvRefusal } from "../../src/kv/commands.js";
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import * as rpc from "../../src/proto/gen/rpc.js";
import { type Answered, type Plain, plain, withoutTopHeader } from "./answers.js";
import type { Operation } from "./operations.js";

const ERRORS: Record<KvRefusal, string> = {
  emptyKey: "etcdserver: key is not provided",
  keyNotFound: "etcdserver: key not found",
  valueProvided: "etcdserver: value is provided",
  leaseProvided: "etcdserver: lease is provided",
  leaseNotFound: "etcdserver: requested lease not found",
  tooManyOps: "etcdserver: too many operations in txn request",
  duplicateKey: "etcdserver: duplicate key given in txn request",
  compacted: "etcdserver: mvcc: required revision has been compacted",
  futureRevision: "etcdserver: mvcc: required revision is a future revision",
  invalidSortOption: "etcdserver: invalid sort option",
  malformed: "(etcd has no such answer)",
};

/** Checkpoints of the index that take several commits. */
const PACE = { records: 50, keys: 3, keysPerRecord: 0, chunkKeys: 3 };

const BYTES = new Set(["key", "rangeEnd", "value"]);

/** Bytes and leases back from text, at any depth. */
function revive(value: Plain, name = ""): unknown {
  if (Array.isArray(value)) return value.map((one) => revive(one));
  if (typeof value === "string") return BYTES.has(name) ? Buffer.from(value, "latin1") : BigInt(value);
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([field, one]) => [field, revive(one, field)]));
}

function operationOf(answered: Answered): Operation {
  const request = revive(answered.request) as never;
  switch (answered.operation) {
    case "range":
      return { kind: "range", request: rpc.RangeRequest.fromPartial(request) };
    case "put":
      return { kind: "put", request: rpc.PutRequest.fromPartial(request) };
    case "deleteRange":
      return { kind: "deleteRange", request: rpc.DeleteRangeRequest.fromPartial(request) };
    case "txn":
      return { kind: "txn", request: rpc.TxnRequest.fromPartial(request) };
    case "compact":
      return { kind: "compact", request: rpc.CompactionRequest.fromPartial(request) };
  }
}

const lines = readFileSync(join("test", "etcd-answers", "answers.jsonl"), "utf8")
  .trim()
  .split("\n");
const expected = lines.map((line) => JSON.parse(line) as Answered);

async function replay(restartEvery: number): Promise<void> {
  const medium = new MemoryMedium();
  let machine = await KvMachine.open(new MemoryRecordStore(medium), PACE);
  for (const [i, answered] of expected.entries()) {
    const operation = operationOf(answered);
    const result = await (operation.kind === "range"
      ? machine.query(operation)
      : machine.apply(machine.decode(machine.encode(operation))));
    assert.ok(result.kind !== "status" && result.kind !== "hash");
    const { operation: kind, request } = answered;
    const found =
      result.kind === "refused"
        ? { operation: kind, request, error: ERRORS[result.refusal] }
        : {
            operation: kind,
            request,
            revision: result.revision,
            response: plain(withoutTopHeader(result.response)),
          };
    assert.deepEqual(found, answered, `operation ${i + 1} of answers.jsonl`);
    if (i % restartEvery !== restartEvery - 1) continue;
    await machine.commit(i, Buffer.from("meta"));
    await machine.close();
    machine = await KvMachine.open(new MemoryRecordStore(medium), PACE);
  }
}

describe("answers of etcd", () => {
  test("are the store's", () => replay(Number.POSITIVE_INFINITY));
  test("are the store's with a restart after every operation", () => replay(1));
  test("are the store's with a restart now and then", () => replay(17));
});
