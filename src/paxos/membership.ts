// Memberships and quorums. Every quorum of the protocol is counted here, over the membership of its slot.
// Source: Lamport, "Paxos Made Simple", section 3 (the window of alpha); Howard et al., "Flexible Paxos".
import { assert } from "../base/assert.js";
import type { ReplicaId, Slot } from "./ballot.js";

/** Who votes, and how many make a quorum of each phase; `phase1 + phase2 > voters.length` always. */
export interface Membership {
  /** Sorted. */
  readonly voters: readonly ReplicaId[];
  readonly phase1: number;
  readonly phase2: number;
}

export function majorityOf(voters: readonly ReplicaId[]): Membership {
  assert(voters.length > 0, "a membership has a voter");
  const sorted = [...voters].sort((a, b) => a - b);
  for (let i = 1; i < sorted.length; i += 1) assert(sorted[i] !== sorted[i - 1], "a voter is named once");
  const majority = Math.floor(sorted.length / 2) + 1;
  return { voters: sorted, phase1: majority, phase2: majority };
}

/** How many of `voters` are in `membership`; duplicates and outsiders do not count. */
function countVoters(membership: Membership, replicas: readonly ReplicaId[]): number {
  let count = 0;
  for (const voter of membership.voters) if (replicas.includes(voter)) count += 1;
  return count;
}

export function isPhase1Quorum(membership: Membership, replicas: readonly ReplicaId[]): boolean {
  return countVoters(membership, replicas) >= membership.phase1;
}

export function isPhase2Quorum(membership: Membership, replicas: readonly ReplicaId[]): boolean {
  return makesPhase2Quorum(membership, countVoters(membership, replicas));
}

/** The same for so many voters, each counted once by the caller. */
export function makesPhase2Quorum(membership: Membership, voters: number): boolean {
  return voters >= membership.phase2;
}

/** The memberships of all slots that are known. Fixed at genesis until membership changes are built. */
export class Memberships {
  readonly first: Membership;
  readonly alpha: number;

  constructor(first: Membership, alpha: number) {
    assert(Number.isInteger(alpha) && alpha > 0, "alpha is a positive integer");
    assert(first.phase1 + first.phase2 > first.voters.length, "phase-1 and phase-2 quorums meet");
    this.first = first;
    this.alpha = alpha;
  }

  /** The membership that governs `slot`, known to a replica that knows every value up to `slot - alpha`. */
  of(slot: Slot, chosenUpTo: Slot): Membership {
    assert(
      slot - this.alpha <= chosenUpTo,
      "the membership of a slot is known from the values up to alpha before it",
    );
    return this.first;
  }

  /** P5: whether `slot` may be proposed, and a quorum for it counted, by one that knows all up to `chosenUpTo`. */
  mayPropose(slot: Slot, chosenUpTo: Slot): boolean {
    return slot - this.alpha <= chosenUpTo;
  }
}
