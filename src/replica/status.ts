// What a replica tells its embedder: its status, its events, and where its log lines go.

import type { Ballot, ReplicaId, Slot } from "../paxos/ballot.js";
import type { Clock } from "./ports.js";

export interface ReplicaStatus {
  readonly id: ReplicaId;
  /** `starting`: it has not joined its cluster yet, and does not vote. */
  readonly role: "leader" | "follower" | "starting";
  /** 0: none is known. */
  readonly leader: ReplicaId;
  /** Of `leader`. */
  readonly ballot: Ballot;
  readonly round: number;
  readonly promised: Ballot;
  readonly chosenUpTo: Slot;
  readonly appliedUpTo: Slot;
  /** 16 hex digits. */
  readonly clusterId: string;
  readonly members: readonly { readonly id: ReplicaId; readonly address: string }[];
  /** Bytes of the log on disk. */
  readonly logBytes: number;
  /** Whether reads are served here: it has joined its cluster, and is neither fenced nor being rebuilt. */
  readonly isServing: boolean;
  /** Its state is not that of the majority: it serves nobody, and takes the state of one of them. */
  readonly isFenced: boolean;
  /** The state was lost and is taken from peers: no reads are served until it holds this slot; 0: it is whole. */
  readonly rebuildingUpTo: Slot;
  /** Its disk is full: it takes no command that makes the state larger, and goes on by itself when there is room. */
  readonly isOutOfSpace: boolean;
  /** What an operator should know now, as sentences. */
  readonly alarms: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
}

/** The state after a slot, as a snapshot file. */
export interface StateSnapshot {
  readonly slot: Slot;
  /** Length of the file. */
  readonly bytes: number;
  /** Its bytes in order; to be read within a minute of each other. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** The same in memory that is used again: a piece is good until the next one is asked for. Take one of the two. */
  readonly lentPieces: AsyncIterable<Uint8Array>;
}

export interface ReplicaEvents {
  readonly leader: { readonly leader: ReplicaId; readonly ballot: Ballot };
  /** Something an operator should know, as a sentence. */
  readonly fault: { readonly text: string };
}

/** A pino logger fits. */
export interface Logger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Listeners of the events of one replica, each called on its own: what one throws does not stop a turn. */
export class Listeners {
  readonly #clock: Pick<Clock, "soon">;
  readonly #lists: { [Name in keyof ReplicaEvents]: ((event: ReplicaEvents[Name]) => void)[] };

  constructor(clock: Pick<Clock, "soon">) {
    this.#clock = clock;
    this.#lists = { leader: [], fault: [] };
  }

  add<Name extends keyof ReplicaEvents>(name: Name, listener: (event: ReplicaEvents[Name]) => void): void {
    this.#lists[name].push(listener);
  }

  emit<Name extends keyof ReplicaEvents>(name: Name, event: ReplicaEvents[Name]): void {
    for (const listener of this.#lists[name]) this.#clock.soon(() => listener(event));
  }
}
