// A leader takes a new ballot for a damaged replica that its present one cannot help (A8): the replica may have voted
// at it before the damage. Rule: never so that the leader could be left without a quorum that covers the free slots.
import { startPrepare } from "./leadership.js";
import { isPhase1Quorum } from "./membership.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";

/** Of T: at most once in so many, for a replica that starts and fails again and again must not stop the others. */
const PACE = 4;

export function renewBallot(p: PaxosState, now: number, out: Outbox): void {
  const { heartbeats, electionMs } = p;
  if (!p.isLeading || heartbeats.asking.size === 0 || now < p.renewAt) return;
  const covering = [p.self, ...heartbeats.content(now - electionMs)];
  if (!isPhase1Quorum(p.membership, covering)) return;
  p.renewAt = now + PACE * electionMs;
  startPrepare(p, now, out);
}
