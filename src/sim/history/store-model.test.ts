// The model against the key-value store that Synod serves, which was written without it; and its own going back.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KvMachine } from "../../kv/machine.js";
import { MemoryRecordStore } from "../../kv/memory-record-store.js";
import * as kv from "../../kv/requests-for-tests.js";
import type * as mvcc from "../../proto/gen/kv.js";
import type { RequestOp, ResponseOp, Compare as StoreCompare } from "../../proto/gen/rpc.js";
import { KeyTable } from "./key-table.js";
import type { Compare, KeyValue, PlainRequest, PlainResponse, Request, Response } from "./operation.js";
import { mayWrite } from "./operation.js";
import { compareTexts } from "./order.js";
import { StoreModel } from "./store-model.js";

const KEYS = ["a", "ab", "b", "b\0", "\xff"];
const someKey = fc.constantFrom(...KEYS);
const endOf = fc.constantFrom(undefined, "", "\0", "ab", "b\0", "zz");
const someValue = fc.constantFrom("", "1", "22", "\xff");
const rangeOf = fc
  .tuple(someKey, endOf)
  .map(([key, rangeEnd]) => (rangeEnd === undefined ? { key } : { key, rangeEnd }));
const getOf = rangeOf.map((range): PlainRequest => ({ kind: "get", ...range }));
const putOf = fc
  .tuple(someKey, someValue, fc.boolean())
  .map(([key, value, prevKv]): PlainRequest => ({ kind: "put", key, value, prevKv }));
const deleteOf = rangeOf.map((range): PlainRequest => ({ kind: "delete", ...range }));
const compareOf: fc.Arbitrary<Compare> = fc
  .record({
    key: someKey,
    target: fc.constantFrom("value", "version", "create", "mod"),
    relation: fc.constantFrom("=", "!=", ">", "<"),
    value: someValue,
    number: fc.integer({ min: 0, max: 6 }),
  })
  .map(
    ({ value, number, ...rest }): Compare => ({ ...rest, operand: rest.target === "value" ? value : number }),
  );
/** A branch never writes a key twice, for the store refuses that. */
const branchOf: fc.Arbitrary<PlainRequest[]> = fc.oneof(
  fc.array(fc.oneof(getOf, deleteOf), { maxLength: 3 }),
  fc
    .tuple(getOf, someKey, someValue, getOf)
    .map(([first, key, value, last]): PlainRequest[] => [
      first,
      { kind: "put", key, value, prevKv: true },
      last,
    ]),
);
const txnOf = fc.record({
  kind: fc.constant("txn" as const),
  compares: fc.array(compareOf, { maxLength: 2 }),
  success: branchOf,
  failure: branchOf,
});
const requestOf: fc.Arbitrary<Request> = fc.oneof(putOf, putOf, deleteOf, getOf, txnOf);

const RELATIONS = { "=": 0, ">": 1, "<": 2, "!=": 3 } as const;

function compareFor({ key, target, relation, operand }: Compare): StoreCompare {
  const result = RELATIONS[relation];
  switch (target) {
    case "version":
      return kv.compare(key, { result, target: 0, version: Number(operand) });
    case "create":
      return kv.compare(key, { result, target: 1, createRevision: Number(operand) });
    case "mod":
      return kv.compare(key, { result, target: 2, modRevision: Number(operand) });
    case "value":
      return kv.compare(key, { result, target: 3, value: kv.bytes(String(operand)) });
  }
}

function opFor(request: PlainRequest): RequestOp {
  switch (request.kind) {
    case "get":
      return { requestRange: kv.range(request.key, { rangeEnd: request.rangeEnd ?? "" }) };
    case "put":
      return { requestPut: kv.putRequest(request.key, request.value, { prevKv: request.prevKv === true }) };
    case "delete":
      return { requestDeleteRange: kv.deleteRequest(request.key, request.rangeEnd ?? "") };
  }
}

const kvFrom = ({ key, value, createRevision, modRevision, version }: mvcc.KeyValue): KeyValue => ({
  key: kv.text(key),
  value: kv.text(value),
  createRevision,
  modRevision,
  version,
});

function responseFrom({ responseRange, responsePut, responseDeleteRange }: ResponseOp): PlainResponse {
  if (responseRange !== undefined) return { kind: "get", kvs: responseRange.kvs.map(kvFrom) };
  if (responsePut !== undefined) {
    return { kind: "put", prevKv: responsePut.prevKv === undefined ? null : kvFrom(responsePut.prevKv) };
  }
  return { kind: "delete", deleted: responseDeleteRange!.deleted };
}

/** Everything goes as a transaction: what is told does not differ, and a get may stand among commands. */
async function execute(
  machine: KvMachine,
  request: Request,
): Promise<{ revision: number; response: Response }> {
  const { compares, success, failure }: Omit<Request & { kind: "txn" }, "kind"> =
    request.kind === "txn" ? request : { compares: [], success: [request], failure: [] };
  const txn = { compare: compares.map(compareFor), success: success.map(opFor), failure: failure.map(opFor) };
  const told = mayWrite(request)
    ? machine.apply({ kind: "txn", request: txn })
    : await machine.query({ kind: "txn", request: txn });
  assert.equal(told.kind, "txn");
  if (told.kind !== "txn") throw new Error("not reached");
  const responses = told.response.responses.map(responseFrom);
  const response: Response =
    request.kind === "txn" ? { kind: "txn", succeeded: told.response.succeeded, responses } : responses[0]!;
  return { revision: told.revision, response };
}

test("the model says what the store says", async () => {
  const property = fc.asyncProperty(
    fc.array(requestOf, { minLength: 1, maxLength: 40, size: "max" }),
    async (requests) => {
      const machine = await KvMachine.open(new MemoryRecordStore());
      const model = new StoreModel(new KeyTable(requests));
      for (const request of requests) {
        const expected = await execute(machine, request);
        assert.deepEqual(model.apply(request), expected.response);
        assert.equal(model.revision, expected.revision);
      }
    },
  );
  await fc.assert(property, { numRuns: 300, seed: 20261123 });
});

test("going back undoes everything since the mark, and a copy stays as it is", () => {
  const property = fc.property(
    fc.array(requestOf, { maxLength: 8 }),
    fc.array(requestOf, { maxLength: 8 }),
    (first, then) => {
      const model = new StoreModel(new KeyTable([...first, ...then]));
      for (const request of first) model.apply(request);
      const copy = model.copy();
      const identity = model.identity();
      model.remember();
      const mark = model.mark();
      for (const request of then) model.apply(request);
      model.goBack(mark);
      assert.equal(model.identity(), identity);
      assert.equal(copy.identity(), identity);
    },
  );
  fc.assert(property, { numRuns: 300, seed: 20261123 });
});

test("keys are in the order of their bytes, also those of four", () => {
  const texts = ["\u{1f600}", "\u{ffff}", "b", "a\0", "a", "\x7f", "\x80", "\u{d7ff}", "\u{e000}"];
  const sorted = [...texts].sort(compareTexts);
  assert.deepEqual(
    sorted,
    [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
});
