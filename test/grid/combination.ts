// Three replicas with four parts each, every part good or damaged: 4,096 combinations (PAR, FAST 2018, section 5).
// A part is recoverable when one replica has a good copy of it.
import type { ReplicaId } from "../../src/paxos/ballot.js";

export const REPLICAS: readonly ReplicaId[] = [1, 2, 3];
export const PARTS: readonly number[] = [0, 1, 2, 3];
export const COMBINATIONS = 2 ** (REPLICAS.length * PARTS.length);

function bitOf(replica: ReplicaId, part: number): number {
  return 1 << ((replica - 1) * PARTS.length + part);
}

export function isDamaged(combination: number, replica: ReplicaId, part: number): boolean {
  return (combination & bitOf(replica, part)) !== 0;
}

/** The parts of which no replica has a good copy. */
export function lostParts(combination: number): number[] {
  return PARTS.filter((part) => REPLICAS.every((replica) => isDamaged(combination, replica, part)));
}

/** Such as `1:.x.. 2:.... 3:xx..`, a cross for what is damaged. */
export function mapOf(combination: number): string {
  const rows = REPLICAS.map((replica) => {
    const marks = PARTS.map((part) => (isDamaged(combination, replica, part) ? "x" : "."));
    return `${replica}:${marks.join("")}`;
  });
  return rows.join(" ");
}

/** Where a replica has damage, all of its parts are damaged. */
export function spread(combination: number): number {
  let all = 0;
  for (const replica of REPLICAS) {
    const isHit = PARTS.some((part) => isDamaged(combination, replica, part));
    for (const part of PARTS) if (isHit) all |= bitOf(replica, part);
  }
  return all;
}
