// What goes wrong and what clients ask in a run, as data: a run does what its schedule says, and nothing else is
// drawn but by generators that the schedule seeds, one for each fault. So one line can be left out and the others stay.
import type { ReplicaId } from "../paxos/ballot.js";
import type { Request } from "./history/operation.js";

/** Times are whole virtual milliseconds since the world began. */
export interface FaultLine {
  readonly at: number;
  /** A name of `ALL_FAULTS`. */
  readonly fault: string;
  readonly duration: number;
  /** Of what the fault draws. */
  readonly seed: number;
}

export interface OperationLine {
  readonly at: number;
  /** From 1. One that still waits for an answer does not ask. */
  readonly client: number;
  /** Where it asks; while that one is down, at the next one that is up. */
  readonly replica: ReplicaId;
  readonly request: Request;
}

export interface Schedule {
  /** Of what network, disks and clocks draw. */
  readonly seed: number;
  readonly replicas: number;
  /** Replicas whose disk may be damaged. The atlas: on all others there is a good copy of everything. */
  readonly damageable: readonly ReplicaId[];
  /** When faults and clients end, unless `goesOn`. */
  readonly end: number;
  /** Up to so long after `end`, until there was enough of everything for a run to count. */
  readonly goesOn: number;
  /** Of the core that heals and what it is asked; null: the run is over when faults and clients end. */
  readonly healing: number | null;
  /** Both in the order of their times. */
  readonly faults: readonly FaultLine[];
  readonly operations: readonly OperationLine[];
}
