// The header of every response: cluster, the member that answers, revision, and as raft_term the round of the
// leader's ballot, which never goes down.
import type { ResponseHeader } from "../proto/gen/rpc.js";
import type { KvReplica } from "./kv-replica.js";
import { clusterIdOf, memberIdOf } from "./member-id.js";

export class Headers {
  readonly #replica: KvReplica;
  readonly #clusterId: string;
  readonly #shownClusterId: bigint;
  readonly #memberIds: Map<number, bigint>;
  #term: number;

  /** `clusterId`: 16 hex digits. */
  constructor(replica: KvReplica, clusterId: string) {
    this.#replica = replica;
    this.#clusterId = clusterId;
    this.#shownClusterId = clusterIdOf(clusterId);
    this.#memberIds = new Map();
    this.#term = 0;
  }

  memberId(replica: number): bigint {
    let id = this.#memberIds.get(replica);
    if (id === undefined) {
      id = memberIdOf(this.#clusterId, replica);
      this.#memberIds.set(replica, id);
    }
    return id;
  }

  /** `revision` 0: left out, as in the Cluster service. */
  at(revision: number): ResponseHeader {
    const { id, round } = this.#replica.status();
    this.#term = Math.max(this.#term, round);
    return { clusterId: this.#shownClusterId, memberId: this.memberId(id), revision, raftTerm: this.#term };
  }
}
