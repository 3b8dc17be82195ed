// Whether a core that makes no progress cannot: proved slot by slot from what its disks still show, by the rules of
// recovery (P3, A4, L5), and counted here, not by the code that is under test. Only damage is an excuse.
import { LAST_SLOT, type ReplicaId, type Slot } from "../paxos/ballot.js";
import type { PaxosState } from "../paxos/state.js";
import type { World } from "./world.js";

/** Why progress of `core` is impossible, as a sentence; null: nothing excuses it. */
export function beyondRepair(world: World, core: readonly ReplicaId[]): string | null {
  const { phase1 } = world.ghost.memberships.first;
  const sound = core.filter((id) => !world.host(id).isLost);
  if (sound.length < phase1 && sound.length < core.length) {
    return `${core.length - sound.length} disks of the core are lost, ${sound.length} replicas are no quorum`;
  }
  if (!sound.some((id) => world.host(id).isDamaged)) return null;
  const states: PaxosState[] = [];
  for (const id of sound) {
    const state = world.host(id).core?.paxos.state;
    if (state !== undefined) states.push(state);
  }
  if (states.length < sound.length) return null;
  return blockedSlot(states, phase1);
}

/** The first slot in which replicas with these states cannot go on, with the evidence; null: there is none. */
export function blockedSlot(states: readonly PaxosState[], phase1: number): string | null {
  for (const slot of doubtful(states)) {
    if (states.some((state) => serves(state, slot)) || isRecoverable(states, slot, phase1)) continue;
    return `slot ${slot === LAST_SLOT ? "of any new command" : slot}: ${evidence(states, slot)}`;
  }
  return null;
}

/** Slots that somebody lacks, in order, up to the highest of which there is a trace; then one that is still free. */
function doubtful(states: readonly PaxosState[]): Slot[] {
  const first = Math.min(...states.map(({ learner }) => learner.chosenUpTo)) + 1;
  let last = first - 1;
  for (const { learner, acceptor } of states) {
    last = Math.max(last, learner.chosenUpTo, ...learner.above.keys(), ...acceptor.votes.keys());
    for (const { to } of acceptor.faulty) if (to !== LAST_SLOT) last = Math.max(last, to);
  }
  const slots = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return [...slots, LAST_SLOT];
}

/** It knows the chosen value of the slot, and its log shows it to others (L4, L5). */
function serves({ learner }: PaxosState, slot: Slot): boolean {
  return learner.above.has(slot) || (slot <= learner.chosenUpTo && slot > learner.compactedUpTo);
}

function faultOf({ acceptor }: PaxosState, slot: Slot): number | null {
  const range = acceptor.faulty.find(({ from, to }) => from <= slot && slot <= to);
  return range === undefined ? null : range.ballot;
}

/** P3: a phase-1 quorum can cover the slot, the damaged among it where a vote in hand is not below what they lost. */
function isRecoverable(states: readonly PaxosState[], slot: Slot, phase1: number): boolean {
  const asked = states.filter(({ learner }) => learner.chosenUpTo < slot);
  let highest = 0;
  for (const state of asked) {
    const vote = state.acceptor.votes.get(slot);
    if (vote !== undefined && faultOf(state, slot) === null) highest = Math.max(highest, vote.ballot);
  }
  const covering = asked.filter((state) => {
    const fault = faultOf(state, slot);
    return fault === null || (fault > 0 && fault <= highest);
  });
  return covering.length >= phase1;
}

function evidence(states: readonly PaxosState[], slot: Slot): string {
  const shown = states.map((state) => {
    const { self, learner, acceptor } = state;
    const fault = faultOf(state, slot);
    if (slot <= learner.chosenUpTo) return `${self} knows it chosen, its log does not show it`;
    if (fault !== null) return `${self}'s record is damaged, of ballot ${fault} at most (0: any)`;
    return `${self} has ${acceptor.votes.has(slot) ? `a vote of ballot ${acceptor.votes.get(slot)!.ballot}` : "none"}`;
  });
  return shown.join("; ");
}
