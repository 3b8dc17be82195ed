// Service Maintenance: the status of the member that is asked, and its state as a backup, from what it holds itself.
import { createHash } from "node:crypto";
import { backupBytes, encodeTrailer, fillOf } from "../kv/backup-format.js";
import { SnapshotRequest, StatusRequest, StatusResponse } from "../proto/gen/rpc.js";
import { Unavailable } from "../replica/errors.js";
import { CallFailed, Code } from "./errors.js";
import type { Headers } from "./header.js";
import type { KvReplica } from "./kv-replica.js";
import { type Call, type Method, serverStream, unary } from "./service.js";
import { ENCODED, SnapshotResponses } from "./snapshot-responses.js";
import { NO_STORE_STATUS, storeStatusOf } from "./store-status.js";
import { API_CLUSTER_VERSION, API_VERSION } from "./version.js";

export function maintenanceMethods(replica: KvReplica, headers: Headers, clusterId: string): Method[] {
  const status = async (): Promise<StatusResponse> => {
    const store = (await storeStatusOf(replica)) ?? NO_STORE_STATUS;
    const { id, leader, round, chosenUpTo, appliedUpTo, alarms, isOutOfSpace } = replica.status();
    // As etcd writes an alarm, down to the blank at the end.
    const noSpace = isOutOfSpace ? [`memberID:${headers.memberId(id)} alarm:NOSPACE `] : [];
    return {
      header: headers.at(store.revision),
      version: API_VERSION,
      dbSize: store.size,
      leader: headers.memberId(leader),
      raftIndex: chosenUpTo,
      raftTerm: round,
      raftAppliedIndex: appliedUpTo,
      errors: [...(leader === 0 ? ["etcdserver: no leader"] : []), ...noSpace, ...alarms],
      dbSizeInUse: store.sizeInUse,
      isLearner: false,
      storageVersion: API_CLUSTER_VERSION,
      dbSizeQuota: 0,
      downgradeInfo: undefined,
    };
  };
  const snapshot = (_: SnapshotRequest, { signal }: Call) => backupOf(replica, clusterId, signal);
  return [
    unary("/etcdserverpb.Maintenance/Status", StatusRequest, StatusResponse, status),
    serverStream("/etcdserverpb.Maintenance/Snapshot", SnapshotRequest, ENCODED, snapshot),
  ];
}

/** The bytes of a backup, piece by piece, each in an encoded response; ends early when the call does. */
async function* backupOf(
  replica: KvReplica,
  clusterId: string,
  signal: Call["signal"],
): AsyncGenerator<Uint8Array> {
  const { slot, bytes, lentPieces } = await replica.snapshot().catch((error: unknown) => {
    // At once, and for a reason that an operator can do something about: no timeout.
    if (!(error instanceof Unavailable)) throw error;
    throw new CallFailed(Code.unavailable, `etcdserver: no snapshot: ${error.message}`);
  });
  const hash = createHash("sha256");
  const responses = new SnapshotResponses(backupBytes(bytes));
  for await (const piece of lentPieces) {
    if (signal.aborted) return;
    hash.update(piece);
    yield responses.next(piece);
  }
  const trailer = encodeTrailer({ clusterId, slot, snapshotBytes: bytes });
  for (const piece of [new Uint8Array(fillOf(bytes)), trailer]) {
    hash.update(piece);
    if (piece.length > 0) yield responses.next(piece);
  }
  yield responses.next(hash.digest());
}
