// What the etcd face needs of a replica: the part of `EmbeddedReplica` that it uses, so that a test can stand in.
import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../kv/commands.js";
import type { CancelSignal } from "../replica/cancel.js";
import type { StateSnapshot } from "../replica/status.js";

export interface KvReplicaStatus {
  readonly id: number;
  readonly role: "leader" | "follower" | "starting";
  /** Replica id; 0: none is known. */
  readonly leader: number;
  /** Round of the leader's ballot. */
  readonly round: number;
  readonly chosenUpTo: number;
  readonly appliedUpTo: number;
  /** Whether reads are served: it has joined its cluster, and its state is good. */
  readonly isServing: boolean;
  /** Its state differs from that of the majority: it serves nobody until it has that one. */
  readonly isFenced: boolean;
  /** No reads are served until the state holds this slot; 0: it is whole. */
  readonly rebuildingUpTo: number;
  /** Its disk is full. */
  readonly isOutOfSpace: boolean;
  /** What an operator should know now, as sentences. */
  readonly alarms: readonly string[];
  /** What the replica counts, by name in camelCase. */
  readonly counters: Readonly<Record<string, number>>;
}

export interface KvReplica {
  propose(command: KvCommand, options?: { readonly signal?: CancelSignal }): Promise<KvResult>;
  /** `local`: from the state here, no quorum asked. */
  read(
    query: KvQuery,
    options?: { readonly signal?: CancelSignal; readonly local?: boolean },
  ): Promise<KvAnswer>;
  /** The state of this moment, or a later one, as a snapshot file. */
  snapshot(): Promise<StateSnapshot>;
  status(): KvReplicaStatus;
  on(event: "leader", listener: (event: { readonly leader: number }) => void): unknown;
}
