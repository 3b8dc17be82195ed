// What replicas say to each other: the messages of the protocol, the genesis of first replicas, and snapshots.
import type { Message } from "../paxos/message.js";
import type { SnapshotMessage } from "./snapshot-messages.js";

/** What a cluster begins with, as one replica tells it to another (design 2.8). */
export interface GenesisMessage {
  readonly kind: "genesis";
  /** Encoded genesis (`paxos/genesis.ts`). */
  readonly bytes: Uint8Array;
}

export type PeerMessage = Message | GenesisMessage | SnapshotMessage;
