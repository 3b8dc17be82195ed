// Service Maintenance: the status of the member that is asked, from what it holds itself.
import { StatusRequest, StatusResponse } from "../proto/gen/rpc.js";
import type { Headers } from "./header.js";
import type { KvReplica } from "./kv-replica.js";
import { type Method, unary } from "./service.js";
import { API_CLUSTER_VERSION, API_VERSION } from "./version.js";

export function maintenanceMethods(replica: KvReplica, headers: Headers): Method[] {
  const status = async (): Promise<StatusResponse> => {
    const store = await replica.read({ kind: "status" }, { local: true });
    if (store.kind !== "status") throw new TypeError(`the machine answered status with ${store.kind}`);
    const { leader, round, chosenUpTo, appliedUpTo } = replica.status();
    return {
      header: headers.at(store.revision),
      version: API_VERSION,
      dbSize: store.size,
      leader: headers.memberId(leader),
      raftIndex: chosenUpTo,
      raftTerm: round,
      raftAppliedIndex: appliedUpTo,
      errors: leader === 0 ? ["etcdserver: no leader"] : [],
      dbSizeInUse: store.sizeInUse,
      isLearner: false,
      storageVersion: API_CLUSTER_VERSION,
      dbSizeQuota: 0,
      downgradeInfo: undefined,
    };
  };
  return [unary("/etcdserverpb.Maintenance/Status", StatusRequest, StatusResponse, status)];
}
