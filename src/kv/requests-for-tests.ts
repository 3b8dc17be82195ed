// Short ways of writing requests, for tests and the benchmark; keys and values are latin1 text.
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../proto/gen/rpc.js";
import type { KvCommand } from "./commands.js";
import { bytesOfLatin1, latin1OfBytes } from "./latin1.js";

export function bytes(latin1: string): Uint8Array {
  return bytesOfLatin1(latin1);
}

export function text(latin1: Uint8Array): string {
  return latin1OfBytes(latin1);
}

export function range(
  key: string,
  more: Partial<Omit<RangeRequest, "rangeEnd">> & { rangeEnd?: string } = {},
) {
  return {
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    ...more,
    key: bytes(key),
    rangeEnd: bytes(more.rangeEnd ?? ""),
  } satisfies RangeRequest;
}

export function putRequest(key: string, value: string, more: Partial<PutRequest> = {}): PutRequest {
  const plain = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { key: bytes(key), value: bytes(value), ...plain, ...more };
}

export function deleteRequest(key: string, rangeEnd = "", prevKv = false): DeleteRangeRequest {
  return { key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv };
}

export function compare(key: string, more: Partial<Compare>): Compare {
  return { result: 0, target: 0, rangeEnd: bytes(""), ...more, key: bytes(key) };
}

export function txnRequest(compares: Compare[], success: RequestOp[], failure: RequestOp[] = []): TxnRequest {
  return { compare: compares, success, failure };
}

export function put(key: string, value: string, more: Partial<PutRequest> = {}): KvCommand {
  return { kind: "put", request: putRequest(key, value, more) };
}

export function del(key: string, rangeEnd = "", prevKv = false): KvCommand {
  return { kind: "deleteRange", request: deleteRequest(key, rangeEnd, prevKv) };
}

export function txn(compares: Compare[], success: RequestOp[], failure: RequestOp[] = []): KvCommand {
  return { kind: "txn", request: txnRequest(compares, success, failure) };
}

export function compact(revision: number): KvCommand {
  return { kind: "compact", request: { revision, physical: false } };
}
