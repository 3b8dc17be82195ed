// What the engine of a replica is made of, and what it tells its owner.
import type { Ballot, ReplicaId } from "../paxos/ballot.js";
import type { ClusterConfig } from "../paxos/genesis.js";
import type { PaxosOptions } from "../paxos/state.js";
import type { OpenStorage } from "./opening.js";
import type { Clock, Network } from "./ports.js";
import type { Core } from "./turns.js";

export interface DriverOptions<C, R, Q, A> {
  readonly id: ReplicaId;
  readonly cluster: ClusterConfig;
  /** Called at the start. */
  readonly openStorage: OpenStorage<C, R, Q, A>;
  readonly network: Network;
  readonly clock: Clock;
  /** Random bytes as hex digits, two for each. */
  readonly randomHex: (bytes: number) => string;
  readonly makeCore: (options: PaxosOptions) => Core;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /** Size of a file of the log; 16 MiB. */
  readonly segmentBytes?: number;
  /** Bytes of log that stay when it is compacted, for replicas that were away for a while; four of its files. */
  readonly tailBytes?: number;
  /** A volatile machine is written to a snapshot after so many bytes of commands, or as many as it has; 32 MiB. */
  readonly snapshotBytes?: number;
}

export interface DriverEvents {
  onLeader(leader: ReplicaId, ballot: Ballot): void;
  onFault(text: string): void;
  /** What a fault told of is over, as `text` says. */
  onWell(text: string): void;
  /** A failed write, read or assertion: the replica must stop. */
  onBroken(error: Error): void;
}
