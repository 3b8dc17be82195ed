// The three decisions that make Paxos safe, as pure functions: when an acceptor may promise, when it may
// accept, and which value a proposer must take from the promises. Single-decree and Multi-Paxos share them.
// Source: Lamport, "Paxos Made Simple", section 2.2 (P1a, P2c, and the two phases).
import type { Ballot } from "./ballot.js";
import { NO_BALLOT } from "./ballot.js";
import type { Value } from "./value.js";

/** A vote as a promise reports it. */
export interface Vote {
  readonly ballot: Ballot;
  readonly value: Value;
}

/**
 * What `prepare` of `ballot` deserves from one who promised `promised`: a new promise (durable before the
 * answer leaves), the old promise once more, or a reject (A1).
 */
export function mayPromise(promised: Ballot, ballot: Ballot): "promise" | "again" | "reject" {
  if (ballot > promised) return "promise";
  return ballot === promised && ballot !== NO_BALLOT ? "again" : "reject";
}

/** Whether one who promised `promised` may accept at `ballot`; accepting is also a promise of `ballot` (A2, A3). */
export function mayAccept(promised: Ballot, ballot: Ballot): boolean {
  return ballot !== NO_BALLOT && ballot >= promised;
}

/** The vote of the highest ballot among the reports of one slot: its value may be chosen (P2c). Null: no vote. */
export function highestVote<V extends Vote>(reports: Iterable<V>): V | null {
  let highest: V | null = null;
  for (const report of reports) if (highest === null || report.ballot > highest.ballot) highest = report;
  return highest;
}
