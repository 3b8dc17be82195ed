// Which slots hold up a leader because their records are damaged: nobody who has promised can say what may be chosen
// there (P3, A4). Rule: they are told, never filled; where every voter has spoken for one, it is lost for good. Where
// that is so of all slots that are still free, nobody may lead, and those who stand in vain tell it.
import { LAST_SLOT, type ReplicaId, type Slot } from "./ballot.js";
import { type LostSlots, NONE_LOST } from "./lost-slots.js";
import { isPhase1Quorum } from "./membership.js";
import type { Outbox } from "./outbox.js";
import type { PhaseOne } from "./phase-one.js";
import type { PaxosState } from "./state.js";

export function watchLost(p: PaxosState, now: number, out: Outbox): void {
  const before = p.noticedLost;
  const found = p.isLeading ? lostSlots(p, now) : lostEnds(p, now);
  // In nearly every turn nothing is lost, and nothing was.
  if (found === before) return;
  const isAsBefore = isSame(found.slots, before.slots) && isSame(found.unheard, before.unheard);
  if (isAsBefore && found.from === before.from) return;
  p.noticedLost = found;
  out.notices.push({ kind: "lost", ...found });
}

/** What was found by one who led or stood is told until it hears a leader. */
function lostEnds(p: PaxosState, now: number): LostSlots {
  const { proposer } = p;
  const told = p.election.hearsLeader(now) ? NONE_LOST : p.noticedLost;
  // Promises may be on their way.
  if (proposer.phase !== "preparing" || now < proposer.startedAt + p.electionMs / 2) return told;
  const { phaseOne } = proposer;
  const { voters } = p.membership;
  const spoken = voters.filter((voter) => phaseOne.hasSpoken(voter, LAST_SLOT));
  // Had a quorum covered the last slot it would lead.
  if (!isPhase1Quorum(p.membership, spoken)) return told;
  const unheard = voters.filter((voter) => !spoken.includes(voter));
  const covering = spoken.filter((voter) => phaseOne.hasCovered(voter, LAST_SLOT));
  const canHelp = isPhase1Quorum(p.membership, [...covering, ...unheard]);
  return { slots: [], from: firstUncovered(p, phaseOne), unheard: canHelp ? unheard : [] };
}

function firstUncovered(p: PaxosState, phaseOne: PhaseOne): Slot {
  let slot = Math.max(p.learner.chosenUpTo, phaseOne.chosenUpTo) + 1;
  while (slot <= phaseOne.uniformAbove && phaseOne.isCovered(slot, p.membership)) slot += 1;
  return slot;
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
  return slots.length === 0 ? NONE_LOST : { slots, from: 0, unheard: [...unheard].sort((a, b) => a - b) };
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
