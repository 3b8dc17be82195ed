// Steps of a replica that is behind what others still have in their logs: it takes the state from a snapshot (A5, L4).
// Rule: an installed snapshot never lowers anything, keeps the votes above it, and is void at or below `chosenUpTo`.
import type { ReplicaId, Slot } from "./ballot.js";
import { transfer } from "./leadership.js";
import { advance } from "./learning.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";
import { stopLeading } from "./stepping-down.js";

/**
 * One that needs a snapshot to go on hands over to the one who has it, and stands no more until it has not been offered
 * one for T (F27): it could propose nothing beyond its window (P5).
 */
export function onOffered(p: PaxosState, from: ReplicaId, upTo: Slot, now: number, out: Outbox): void {
  if (upTo <= p.learner.chosenUpTo) return;
  p.offeredUntil = now + p.electionMs;
  if (p.proposer.phase === "preparing") stopLeading(p, now, false);
  else transfer(p, from, now, out);
}

/** The machine holds the state after `upTo` durably, and the log shows nothing up to it. */
export function onInstalled(p: PaxosState, upTo: Slot, now: number, out: Outbox): void {
  // What was said of the state before is not said of this one; its own digest follows.
  p.digests.forget(p.self);
  if (upTo <= p.learner.chosenUpTo) {
    p.learner.compact(upTo);
    return;
  }
  // P6: nobody here knows whether it is what was proposed that was chosen; L2 rests on that.
  for (const slot of p.proposer.inFlight.keys()) {
    if (slot > upTo) continue;
    stopLeading(p, now, true);
    break;
  }
  p.learner.install(upTo);
  p.acceptor.settleUpTo(upTo);
  p.recordedUpTo = Math.max(p.recordedUpTo, upTo);
  p.offeredUntil = 0;
  p.catchUp.settle(upTo);
  advance(p, out);
  if (p.catchUp.isBehind(p.learner.chosenUpTo)) p.catchUp.askAt = now;
}
