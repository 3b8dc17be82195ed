// Which slots hold up a leader because their records are damaged: nobody who has promised can say what may be chosen
// there (P3, A4). Rule: they are told, never filled; where every voter has spoken for one, it is lost for good.
import type { ReplicaId, Slot } from "./ballot.js";
import { type LostSlots, NONE_LOST } from "./lost-slots.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";

export function watchLost(p: PaxosState, now: number, out: Outbox): void {
  const found = lostSlots(p, now);
  const { slots, unheard } = p.noticedLost;
  // In nearly every turn nothing is lost, and nothing was.
  if (found.slots.length + slots.length === 0) return;
  if (isSame(found.slots, slots) && isSame(found.unheard, unheard)) return;
  p.noticedLost = found;
  out.notices.push({ kind: "lost", ...found });
}

function lostSlots(p: PaxosState, now: number): LostSlots {
  const { learner, proposer, memberships } = p;
  const { phaseOne } = proposer;
  if (!p.isLeading || phaseOne.recoverUpTo <= learner.chosenUpTo) return NONE_LOST;
  // Promises may be on their way, and so may what others know chosen.
  if (now < proposer.startedAt + p.electionMs) return NONE_LOST;
  const slots: Slot[] = [];
  const unheard = new Set<ReplicaId>();
  for (let slot = learner.chosenUpTo + 1; slot <= phaseOne.recoverUpTo; slot += 1) {
    if (!memberships.mayPropose(slot, learner.chosenUpTo)) break;
    const membership = memberships.of(slot, learner.chosenUpTo);
    if (learner.isChosen(slot) || proposer.inFlight.has(slot)) continue;
    // Too few promises, or a value that is on its way, is no loss where nothing is damaged.
    if (!phaseOne.isFaultyAt(slot) || phaseOne.isCovered(slot, membership)) continue;
    slots.push(slot);
    for (const voter of membership.voters) if (!phaseOne.hasSpoken(voter, slot)) unheard.add(voter);
  }
  return slots.length === 0 ? NONE_LOST : { slots, unheard: [...unheard].sort((a, b) => a - b) };
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
