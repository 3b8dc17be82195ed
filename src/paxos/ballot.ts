// Ballots: one safe integer, `round * 65536 + replicaId`, so that order is `<` and no two replicas share one.
// Source: Lamport, "Paxos Made Simple", section 2.2 (proposal numbers).
import { assert } from "../base/assert.js";

/** A replica's id, 1 to 65535, never used twice in a cluster. */
export type ReplicaId = number;
/** Number of an instance of Paxos, from 1. */
export type Slot = number;
/** `round * 65536 + replicaId`; 0 means none. */
export type Ballot = number;

const REPLICAS = 65536;
export const NO_BALLOT: Ballot = 0;
/** Stands for "and every slot after" at the end of a range of slots. */
export const LAST_SLOT: Slot = Number.MAX_SAFE_INTEGER;

export function ballotOf(round: number, replica: ReplicaId): Ballot {
  assert(Number.isSafeInteger(round) && round > 0, "a round is a positive integer");
  assert(Number.isInteger(replica) && replica > 0 && replica < REPLICAS, "a replica id is 1 to 65535");
  const ballot = round * REPLICAS + replica;
  assert(Number.isSafeInteger(ballot), "a ballot is a safe integer");
  return ballot;
}

export function roundOf(ballot: Ballot): number {
  return Math.floor(ballot / REPLICAS);
}

export function replicaOf(ballot: Ballot): ReplicaId {
  return ballot % REPLICAS;
}

/** The lowest ballot of `replica` that is above `ballot`. */
export function ballotAbove(ballot: Ballot, replica: ReplicaId): Ballot {
  return ballotOf(roundOf(ballot) + 1, replica);
}

/** `b7.2`: round 7, replica 2. */
export function describeBallot(ballot: Ballot): string {
  return ballot === NO_BALLOT ? "b0" : `b${roundOf(ballot)}.${replicaOf(ballot)}`;
}
