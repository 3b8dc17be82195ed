// What an offline look at a data directory finds: facts, and what is wrong with them. Nothing is changed by it.
import type { Ballot, Slot } from "../../paxos/ballot.js";
import type { Genesis } from "../../paxos/genesis.js";
import type { NotedDigest } from "../../replica/state-meta.js";
import type { IdentityFile } from "../../wal/identity.js";

/** Something that is wrong, or worth knowing: where, and what it means for the replica. */
export interface Finding {
  readonly file: string;
  /** In the file; null: it is about the whole, or lmdb's to know. */
  readonly offset: number | null;
  readonly text: string;
}

export interface SegmentFacts {
  readonly name: string;
  readonly bytes: number;
}

export interface LogFacts {
  readonly promised: Ballot;
  readonly segments: readonly SegmentFacts[];
  readonly compactedUpTo: Slot;
  /** Every slot up to it is known chosen here. */
  readonly chosenUpTo: Slot;
  /** The highest slot that has a record; 0: none has. */
  readonly lastSlot: Slot;
  readonly closedInOrder: boolean;
}

export interface SnapshotFacts {
  readonly name: string;
  readonly slot: Slot;
  readonly bytes: number;
  /** As far as it was looked at. */
  readonly isWhole: boolean;
}

/** The state of the machine, as a start begins with it. */
export type StateFacts =
  | {
      readonly kind: "store";
      readonly slot: Slot;
      readonly revision: number;
      readonly compactRevision: number;
      readonly noted: NotedDigest | null;
      readonly keys: number;
      readonly bytes: number;
    }
  | { readonly kind: "snapshots"; readonly slot: Slot };

export class Inspection {
  identity: IdentityFile | null = null;
  genesis: Genesis | null = null;
  log: LogFacts | null = null;
  /** Null: it cannot be told. */
  state: StateFacts | null = null;
  /** The log begins with the first slot: what of the state is lost can be made of it. */
  reachesBack = false;
  snapshots: readonly SnapshotFacts[] = [];
  /** Files that no start reads. */
  readonly leftOver: Finding[] = [];
  /** What must not be so. */
  readonly findings: Finding[] = [];
  /** What a stop at a bad moment leaves, and the next start puts in order. */
  readonly notes: Finding[] = [];

  find(file: string, offset: number | null, text: string): void {
    this.findings.push({ file, offset, text });
  }

  note(file: string, offset: number | null, text: string): void {
    this.notes.push({ file, offset, text });
  }

  /** Where what is lost here can be had again. */
  get source(): string {
    return this.genesis !== null && this.genesis.members.length > 1
      ? "it is taken from the other members"
      : "there is no other member to take it from; restore a snapshot of the cluster";
  }

  /** The same, of what the log shows as well. */
  get sourceOfState(): string {
    return this.reachesBack ? "it is made anew of the log" : this.source;
  }
}
