// The driver's ports to the world: time, and the other replicas. `io/` has them for Node.js, a simulator its own.
import type { ReplicaId } from "../paxos/ballot.js";
import type { PeerMessage } from "../wire/peer-message.js";

export interface Clock {
  /** Monotonic, in milliseconds. */
  now(): number;
  /** Runs `task` once, at `at` or soon after; returns a handle for `cancel`. */
  at(at: number, task: () => void): unknown;
  cancel(handle: unknown): void;
  /** Runs `task` after everything that already waits: the end of a turn. */
  soon(task: () => void): void;
}

/** Who a replica is, told in every handshake. */
export interface Identity {
  /** Hash of token, members and the settings that must agree: 16 hex digits. */
  readonly clusterId: string;
  readonly replica: ReplicaId;
  /** Random, made with the data directory: 32 hex digits. */
  readonly diskId: string;
  /** Counts the starts of this directory, durable before the first frame. */
  readonly incarnation: number;
  /** Random number of this run: tells two runs with one counter (a copied directory) apart. */
  readonly run: number;
}

/** Why a link was refused or closed for good, for logs and the `fault` event. */
export interface LinkFault {
  readonly peer: ReplicaId;
  readonly text: string;
}

export interface NetworkHandlers {
  /** A peer has shaken hands; its identity was checked for cluster and replica id. False: refuse it. */
  onLinkUp(peer: Identity): boolean;
  /** The connection closed, and one reconnect at once was refused or took over 30 ms; or the first attempt failed. */
  onLinkDown(peer: ReplicaId): void;
  onMessage(from: ReplicaId, message: PeerMessage): void;
  onFault(fault: LinkFault): void;
}

export interface Network {
  /** Listens and dials; resolves when listening, rejects when the address cannot be used. */
  start(identity: Identity, handlers: NetworkHandlers): Promise<void>;
  /** Sends to each of `to` that has a link; never blocks. What does not fit the bounded queue of a peer is dropped. */
  send(to: readonly ReplicaId[], message: PeerMessage): void;
  close(): Promise<void>;
}
