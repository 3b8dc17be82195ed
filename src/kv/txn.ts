// Transactions, as etcd executes them: every comparison, also of nested transactions, is made before anything
// changes; then whatever could be refused is; then the chosen operations run in order and see each other.
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from "../proto/gen/rpc.js";
import { boundsOf } from "./bounds.js";
import type { KvRefusal } from "./commands.js";
import { allHold } from "./compare.js";
import type { MvccStore } from "./mvcc-store.js";
import { readRange } from "./range.js";

const NO_BYTES = new Uint8Array(0);

/** Which branch runs, and the same for every nested transaction in that branch, in order. */
interface Plan {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  readonly nested: readonly Plan[];
}

/** Executes a transaction that passed `checkTxn`; a refused one has changed nothing. */
export function executeTxn(store: MvccStore, request: TxnRequest): TxnResponse | KvRefusal {
  const plan = planOf(store, request);
  const refusal =
    findRefusal(plan, (op) => refusesPut(store, op)) ?? findRefusal(plan, (op) => refusesRange(store, op));
  if (refusal !== null) return refusal;
  store.beginChange();
  const response = run(store, plan);
  store.endChange();
  return response;
}

/** Answers a transaction that only reads. */
export function queryTxn(store: MvccStore, request: TxnRequest): TxnResponse | KvRefusal {
  const plan = planOf(store, request);
  return findRefusal(plan, (op) => refusesRange(store, op)) ?? run(store, plan);
}

function planOf(store: MvccStore, request: TxnRequest): Plan {
  const succeeded = allHold(store, request.compare);
  const ops = succeeded ? request.success : request.failure;
  const nested: Plan[] = [];
  for (const { requestTxn } of ops) if (requestTxn !== undefined) nested.push(planOf(store, requestTxn));
  return { succeeded, ops, nested };
}

function findRefusal(plan: Plan, refuses: (op: RequestOp) => KvRefusal | null): KvRefusal | null {
  let nested = 0;
  for (const op of plan.ops) {
    let refusal: KvRefusal | null;
    if (op.requestTxn !== undefined) {
      refusal = findRefusal(plan.nested[nested]!, refuses);
      nested += 1;
    } else {
      refusal = refuses(op);
    }
    if (refusal !== null) return refusal;
  }
  return null;
}

function refusesPut(store: MvccStore, op: RequestOp): KvRefusal | null {
  const put = op.requestPut;
  if (put === undefined) return null;
  if ((put.ignoreValue || put.ignoreLease) && !store.has(put.key)) return "keyNotFound";
  return put.lease !== 0n ? "leaseNotFound" : null;
}

/** In a transaction etcd takes only 0 for "newest": a negative revision is compared with the compacted one. */
function refusesRange(store: MvccStore, op: RequestOp): KvRefusal | null {
  const revision = op.requestRange?.revision ?? 0;
  if (revision === 0) return null;
  if (revision > store.revision) return "futureRevision";
  return revision < store.compactRevision ? "compacted" : null;
}

function run(store: MvccStore, plan: Plan): TxnResponse {
  let nested = 0;
  const responses: ResponseOp[] = [];
  for (const op of plan.ops) {
    if (op.requestTxn !== undefined) {
      const response = run(store, plan.nested[nested]!);
      response.header = headerAt(0);
      responses.push({ responseTxn: response });
      nested += 1;
    } else {
      responses.push(runOne(store, op));
    }
  }
  return { header: undefined, succeeded: plan.succeeded, responses };
}

function runOne(store: MvccStore, op: RequestOp): ResponseOp {
  if (op.requestRange !== undefined) {
    const response = readRange(store, op.requestRange);
    response.header = headerAt(store.readRevision);
    return { responseRange: response };
  }
  if (op.requestPut !== undefined) {
    const response = executePut(store, op.requestPut);
    response.header = headerAt(store.readRevision);
    return { responsePut: response };
  }
  const response = executeDelete(store, op.requestDeleteRange!);
  response.header = headerAt(store.readRevision);
  return { responseDeleteRange: response };
}

function headerAt(revision: number): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
}

/** A put as part of the change under way; what could be refused was. */
export function executePut(store: MvccStore, request: PutRequest): PutResponse {
  const needsOld = request.prevKv || request.ignoreValue || request.ignoreLease;
  const old = needsOld ? store.get(request.key) : undefined;
  const value = request.ignoreValue ? (old?.value ?? NO_BYTES) : request.value;
  const lease = request.ignoreLease ? (old?.lease ?? 0n) : request.lease;
  store.put(request.key, value, lease);
  return { header: undefined, prevKv: request.prevKv ? old : undefined };
}

/** A delete as part of the change under way. */
export function executeDelete(store: MvccStore, request: DeleteRangeRequest): DeleteRangeResponse {
  const prevKvs = request.prevKv ? readRange(store, everythingIn(request)).kvs : [];
  const deleted = store.delete(boundsOf(request.key, request.rangeEnd));
  return { header: undefined, deleted, prevKvs };
}

function everythingIn(request: DeleteRangeRequest) {
  return {
    key: request.key,
    rangeEnd: request.rangeEnd,
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
  } as const;
}
