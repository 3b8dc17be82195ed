// etcd's 64-bit ids, which only this face shows: the cluster's is its hash, a member's a hash of cluster and
// replica id. Replica ids are never used twice in a cluster, so neither are these.
import { createHash } from "node:crypto";

/** `clusterId`: 16 hex digits. */
export function clusterIdOf(clusterId: string): bigint {
  if (!/^[0-9a-f]{16}$/.test(clusterId))
    throw new TypeError(`a cluster id is 16 hex digits, not ${clusterId}`);
  return BigInt(`0x${clusterId}`);
}

/** 0, etcd's "none", for replica 0. */
export function memberIdOf(clusterId: string, replica: number): bigint {
  if (replica === 0) return 0n;
  return createHash("sha256").update(`${clusterId}/${replica}`).digest().readBigUInt64BE();
}
