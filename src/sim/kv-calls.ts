// Operations of a history as calls of the key-value machine, and its answers as outcomes: what a client sends and
// what it is told, without gRPC between. Texts are latin1.

import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../kv/commands.js";
import { latin1OfBytes, bytesOfLatin1 as of } from "../kv/latin1.js";
import type { KeyValue as StoredKeyValue } from "../proto/gen/kv.js";
import * as rpc from "../proto/gen/rpc.js";
import type {
  Compare,
  Delete,
  Get,
  KeyValue,
  Outcome,
  PlainRequest,
  PlainResponse,
  Put,
  Request,
  Txn,
} from "./history/operation.js";

/** Null: a request that only reads, so a query. */
export function commandOf(request: Request): KvCommand | null {
  switch (request.kind) {
    case "get":
      return null;
    case "put":
      return { kind: "put", request: putOf(request) };
    case "delete":
      return { kind: "deleteRange", request: deleteOf(request) };
    case "txn":
      return { kind: "txn", request: txnOf(request) };
  }
}

export function queryOf(request: Get): KvQuery {
  return { kind: "range", request: rangeOf(request) };
}

function rangeOf({ key, rangeEnd = "", local = false }: Get): rpc.RangeRequest {
  return rpc.RangeRequest.fromPartial({ key: of(key), rangeEnd: of(rangeEnd), serializable: local });
}

function putOf({ key, value, prevKv = false }: Put): rpc.PutRequest {
  return rpc.PutRequest.fromPartial({ key: of(key), value: of(value), prevKv });
}

function deleteOf({ key, rangeEnd = "" }: Delete): rpc.DeleteRangeRequest {
  return rpc.DeleteRangeRequest.fromPartial({ key: of(key), rangeEnd: of(rangeEnd) });
}

function txnOf({ compares, success, failure }: Txn): rpc.TxnRequest {
  return rpc.TxnRequest.fromPartial({
    compare: compares.map(compareOf),
    success: success.map(operationOf),
    failure: failure.map(operationOf),
  });
}

function operationOf(request: PlainRequest): rpc.RequestOp {
  switch (request.kind) {
    case "get":
      return rpc.RequestOp.fromPartial({ requestRange: rangeOf(request) });
    case "put":
      return rpc.RequestOp.fromPartial({ requestPut: putOf(request) });
    case "delete":
      return rpc.RequestOp.fromPartial({ requestDeleteRange: deleteOf(request) });
  }
}

const RELATIONS = {
  "=": rpc.Compare_CompareResult.EQUAL,
  "!=": rpc.Compare_CompareResult.NOT_EQUAL,
  ">": rpc.Compare_CompareResult.GREATER,
  "<": rpc.Compare_CompareResult.LESS,
} as const;

function compareOf({ key, target, relation, operand }: Compare): rpc.Compare {
  const compare = rpc.Compare.fromPartial({ key: of(key), result: RELATIONS[relation] });
  switch (target) {
    case "value":
      compare.target = rpc.Compare_CompareTarget.VALUE;
      compare.value = of(String(operand));
      break;
    case "version":
      compare.target = rpc.Compare_CompareTarget.VERSION;
      compare.version = Number(operand);
      break;
    case "create":
      compare.target = rpc.Compare_CompareTarget.CREATE;
      compare.createRevision = Number(operand);
      break;
    case "mod":
      compare.target = rpc.Compare_CompareTarget.MOD;
      compare.modRevision = Number(operand);
      break;
  }
  return compare;
}

/** What a client is told; null: an answer that no request of a history has. */
export function outcomeOf(told: KvResult | KvAnswer): Outcome | null {
  switch (told.kind) {
    case "range":
      return ok(told.revision, { kind: "get", kvs: told.response.kvs.map(keyValueOf) });
    case "put":
      return ok(told.revision, { kind: "put", prevKv: prevOf(told.response) });
    case "deleteRange":
      return ok(told.revision, { kind: "delete", deleted: told.response.deleted });
    case "txn": {
      const responses = told.response.responses.map(responseOf);
      return ok(told.revision, { kind: "txn", succeeded: told.response.succeeded, responses });
    }
    default:
      return null;
  }
}

function ok(revision: number, response: Extract<Outcome, { kind: "ok" }>["response"]): Outcome {
  return { kind: "ok", revision, response };
}

function responseOf({ responsePut, responseRange, responseDeleteRange }: rpc.ResponseOp): PlainResponse {
  if (responsePut !== undefined) return { kind: "put", prevKv: prevOf(responsePut) };
  if (responseRange !== undefined) return { kind: "get", kvs: responseRange.kvs.map(keyValueOf) };
  return { kind: "delete", deleted: responseDeleteRange?.deleted ?? 0 };
}

function prevOf({ prevKv }: rpc.PutResponse): KeyValue | null {
  return prevKv === undefined ? null : keyValueOf(prevKv);
}

function keyValueOf({ key, value, createRevision, modRevision, version }: StoredKeyValue): KeyValue {
  return { key: latin1OfBytes(key), value: latin1OfBytes(value), createRevision, modRevision, version };
}
