// What replicas say to each other: the messages of the protocol, and the genesis that first replicas compare.
import type { Message } from "../paxos/message.js";

/** What a cluster begins with, as one replica tells it to another (design 2.8). */
export interface GenesisMessage {
  readonly kind: "genesis";
  /** Encoded genesis (`paxos/genesis.ts`). */
  readonly bytes: Uint8Array;
}

export type PeerMessage = Message | GenesisMessage;
