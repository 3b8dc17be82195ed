// Service Maintenance: the status of the member that is asked, from what it holds itself.
import { StatusRequest, StatusResponse } from "../proto/gen/rpc.js";
import type { Headers } from "./header.js";
import type { KvReplica } from "./kv-replica.js";
import { type Method, unary } from "./service.js";
import { NO_STORE_STATUS, storeStatusOf } from "./store-status.js";
import { API_CLUSTER_VERSION, API_VERSION } from "./version.js";

export function maintenanceMethods(replica: KvReplica, headers: Headers): Method[] {
  const status = async (): Promise<StatusResponse> => {
    const store = (await storeStatusOf(replica)) ?? NO_STORE_STATUS;
    const { leader, round, chosenUpTo, appliedUpTo, alarms } = replica.status();
    return {
      header: headers.at(store.revision),
      version: API_VERSION,
      dbSize: store.size,
      leader: headers.memberId(leader),
      raftIndex: chosenUpTo,
      raftTerm: round,
      raftAppliedIndex: appliedUpTo,
      errors: [...(leader === 0 ? ["etcdserver: no leader"] : []), ...alarms],
      dbSizeInUse: store.sizeInUse,
      isLearner: false,
      storageVersion: API_CLUSTER_VERSION,
      dbSizeQuota: 0,
      downgradeInfo: undefined,
    };
  };
  return [unary("/etcdserverpb.Maintenance/Status", StatusRequest, StatusResponse, status)];
}
