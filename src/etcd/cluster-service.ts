// Service Cluster: the members as they are known here, under etcd's ids. Its headers carry no revision.
import { MemberListRequest, MemberListResponse } from "../proto/gen/rpc.js";
import type { Headers } from "./header.js";
import type { KvReplica } from "./kv-replica.js";
import { type Method, unary } from "./service.js";

export interface MemberInfo {
  /** Replica id. */
  readonly id: number;
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** Empty when the member has not told them. */
  readonly clientUrls: readonly string[];
}

export function clusterMethods(
  replica: KvReplica,
  headers: Headers,
  members: () => readonly MemberInfo[],
): Method[] {
  return [
    unary(
      "/etcdserverpb.Cluster/MemberList",
      MemberListRequest,
      MemberListResponse,
      async ({ linearizable }, { signal }) => {
        // A quorum read of anything shows that this member is not behind.
        if (linearizable) await replica.read({ kind: "status" }, { signal });
        const list = members().map((member) => ({
          ID: headers.memberId(member.id),
          name: member.name,
          peerURLs: [...member.peerUrls],
          clientURLs: [...member.clientUrls],
          isLearner: false,
        }));
        list.sort((a, b) => (a.ID < b.ID ? -1 : 1));
        return { header: headers.at(0), members: list };
      },
    ),
  ];
}
