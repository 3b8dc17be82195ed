// What can be said against a request without looking at the state, in etcd's order, so that the answer is etcd's.
// It is asked before a command is proposed, and again when it is applied.
import { unreachable } from "../base/assert.js";
import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
} from "../proto/gen/rpc.js";
import type { KvCommand, KvQuery, KvRefusal } from "./commands.js";
import { KeyRanges } from "./key-ranges.js";
import { latin1OfBytes } from "./latin1.js";

/** Comparisons, or operations of a branch, in a transaction; what is nested has what is left. */
export const MAX_TXN_OPS = 128;

const SORT_ORDERS: ReadonlySet<number> = new Set(Object.values(SortOrder));
const SORT_TARGETS: ReadonlySet<number> = new Set(Object.values(SortTarget));

/** Null when nothing can be said against the command before it is executed. */
export function checkCommand(command: KvCommand): KvRefusal | null {
  switch (command.kind) {
    case "put":
      return checkPut(command.request);
    case "deleteRange":
      return checkDeleteRange(command.request);
    case "txn":
      return checkTxn(command.request);
    case "compact":
      return null;
    default:
      return unreachable(command);
  }
}

export function checkQuery(query: KvQuery): KvRefusal | null {
  switch (query.kind) {
    case "range":
      return checkRange(query.request);
    case "txn":
      return isReadOnly(query.request) ? checkTxn(query.request) : "malformed";
    case "status":
    case "hash":
      return null;
    default:
      return unreachable(query);
  }
}

/** Whether it may put something. */
export function growsState(command: KvCommand): boolean {
  if (command.kind === "put") return true;
  return command.kind === "txn" && hasPut(command.request);
}

function hasPut(txn: TxnRequest): boolean {
  const puts = (op: RequestOp): boolean =>
    op.requestPut !== undefined || (op.requestTxn !== undefined && hasPut(op.requestTxn));
  return txn.success.some(puts) || txn.failure.some(puts);
}

/** Whether nothing in it, in whichever branch, changes the state. */
export function isReadOnly(txn: TxnRequest): boolean {
  const isRead = (op: RequestOp): boolean =>
    op.requestPut === undefined &&
    op.requestDeleteRange === undefined &&
    (op.requestTxn === undefined || isReadOnly(op.requestTxn));
  return txn.success.every(isRead) && txn.failure.every(isRead);
}

function checkRange(request: RangeRequest): KvRefusal | null {
  if (request.key.length === 0) return "emptyKey";
  const isKnown = SORT_ORDERS.has(request.sortOrder) && SORT_TARGETS.has(request.sortTarget);
  return isKnown ? null : "invalidSortOption";
}

function checkPut(request: PutRequest): KvRefusal | null {
  if (request.key.length === 0) return "emptyKey";
  if (request.ignoreValue && request.value.length !== 0) return "valueProvided";
  if (request.ignoreLease && request.lease !== 0n) return "leaseProvided";
  return null;
}

function checkDeleteRange(request: DeleteRangeRequest): KvRefusal | null {
  return request.key.length === 0 ? "emptyKey" : null;
}

function checkTxn(request: TxnRequest): KvRefusal | null {
  const refusal = checkOperations(request, MAX_TXN_OPS);
  if (refusal !== null) return refusal;
  return changesOf(request.success) === null || changesOf(request.failure) === null ? "duplicateKey" : null;
}

function checkOperations(request: TxnRequest, budget: number): KvRefusal | null {
  const count = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (count > budget) return "tooManyOps";
  for (const compare of request.compare) if (compare.key.length === 0) return "emptyKey";
  for (const op of request.success) {
    const refusal = checkOperation(op, budget - count);
    if (refusal !== null) return refusal;
  }
  for (const op of request.failure) {
    const refusal = checkOperation(op, budget - count);
    if (refusal !== null) return refusal;
  }
  return null;
}

function checkOperation(op: RequestOp, budget: number): KvRefusal | null {
  const { requestRange, requestPut, requestDeleteRange, requestTxn } = op;
  let kinds = 0;
  for (const one of [requestRange, requestPut, requestDeleteRange, requestTxn]) {
    if (one !== undefined) kinds += 1;
  }
  if (kinds > 1) return "malformed";
  if (requestRange !== undefined) return checkRange(requestRange);
  if (requestPut !== undefined) return checkPut(requestPut);
  if (requestDeleteRange !== undefined) return checkDeleteRange(requestDeleteRange);
  if (requestTxn !== undefined) return checkOperations(requestTxn, budget);
  return "keyNotFound";
}

interface Changes {
  readonly puts: Set<string>;
  readonly deletes: KeyRanges;
}

/**
 * The keys that a branch may change, or null when one would be put twice or put and deleted. The branches of one
 * nested transaction may put the same key. An end of one zero byte is taken as it stands, as in etcd: a
 * delete of everything from a key on is not noticed.
 */
function changesOf(ops: readonly RequestOp[]): Changes | null {
  const deletes = new KeyRanges();
  for (const { requestDeleteRange: request } of ops) {
    if (request === undefined) continue;
    const start = latin1OfBytes(request.key);
    deletes.add(start, request.rangeEnd.length === 0 ? `${start}\0` : latin1OfBytes(request.rangeEnd));
  }
  const puts = new Set<string>();
  for (const { requestTxn } of ops) {
    if (requestTxn !== undefined && !addNested(requestTxn, puts, deletes)) return null;
  }
  for (const { requestPut } of ops) {
    if (requestPut === undefined) continue;
    const key = latin1OfBytes(requestPut.key);
    if (puts.has(key) || deletes.has(key)) return null;
    puts.add(key);
  }
  return { puts, deletes };
}

function addNested(txn: TxnRequest, puts: Set<string>, deletes: KeyRanges): boolean {
  const success = changesOf(txn.success);
  const failure = changesOf(txn.failure);
  if (success === null || failure === null) return false;
  for (const key of success.puts) if (puts.has(key) || deletes.has(key)) return false;
  for (const key of failure.puts) if (puts.has(key) || deletes.has(key)) return false;
  for (const key of success.puts) puts.add(key);
  for (const key of failure.puts) puts.add(key);
  deletes.addAll(success.deletes);
  deletes.addAll(failure.deletes);
  return true;
}
