// Steps of a leader: recover slot by slot (P3), propose new commands (P4, P5), count (L1), re-send (P7).
import type { ReplicaId, Slot } from "./ballot.js";
import { onOwnPromiseSynced, sendPrepare, startPrepare, transfer } from "./leadership.js";
import { advance, markChosen } from "./learning.js";
import type { AcceptedMessage } from "./message.js";
import type { Outbox } from "./outbox.js";
import type { Caller, Proposal } from "./proposer.js";
import type { PaxosState } from "./state.js";
import type { Value } from "./value.js";

/** Bytes of values in one `accept`. */
const ACCEPT_BYTES = 4 << 20;

/** Proposes all that may be proposed now, and sends it: one `accept` for neighbouring slots. */
export function proposeWaiting(p: PaxosState, now: number, out: Outbox): void {
  if (!p.isLeading) return;
  if (!p.proposer.isWaiting && p.proposer.phaseOne.recoverUpTo <= p.learner.chosenUpTo) return;
  const fresh: Proposal[] = [];
  recover(p, now, out, fresh);
  while (p.proposer.isWaiting) {
    const slot = freeSlot(p);
    if (slot === 0) break;
    const { value, callers } = p.proposer.takeBatch(p.self);
    fresh.push(propose(p, slot, value, callers, now, out));
  }
  sendAccepts(p, p.others, fresh, out);
}

/**
 * The next slot for a new command; 0: none may be proposed yet (P4, P5). Slots known chosen are passed over: a
 * leader that proposed in one would later tell "chosen" for it at its own ballot, the trap of L2.
 */
function freeSlot(p: PaxosState): Slot {
  const { learner, proposer, memberships } = p;
  let slot = proposer.freeFrom(learner.chosenUpTo);
  while (learner.isChosen(slot)) slot += 1;
  return proposer.mayProposeNew(slot, memberships, learner.chosenUpTo) ? slot : 0;
}

/** Asks those again whose promise does not cover `slot`: it was lost, or they were away (P3: later ones count). */
function prepareAgain(p: PaxosState, slot: Slot, now: number, out: Outbox): void {
  const { proposer, election } = p;
  if (now - proposer.preparedAt < 4 * p.heartbeatMs) return;
  const missing = p.others.filter(
    (peer) => election.linked.has(peer) && !proposer.phaseOne.hasCovered(peer, slot),
  );
  if (missing.length > 0) sendPrepare(p, missing, now, out);
}

/** P3, for the slots reported in promises: what may be chosen is proposed again, gaps get a no-op (S7). */
function recover(p: PaxosState, now: number, out: Outbox, fresh: Proposal[]): void {
  const { learner, proposer, memberships } = p;
  const { phaseOne } = proposer;
  const askUntil = proposer.startedAt + p.electionMs;
  let stuckAt = 0;
  for (let slot = learner.chosenUpTo + 1; slot <= phaseOne.recoverUpTo; slot += 1) {
    if (!memberships.mayPropose(slot, learner.chosenUpTo)) break;
    if (proposer.inFlight.has(slot) || learner.isChosen(slot)) continue;
    // Known chosen by another: asked for first, proposed only when no one who answers has it (F21).
    if (slot <= phaseOne.chosenUpTo && now < askUntil && p.election.linked.has(phaseOne.chosenBy)) continue;
    const value = proposer.recovered(slot, memberships, learner.chosenUpTo);
    if (value !== undefined) fresh.push(propose(p, slot, value, [], now, out));
    else if (stuckAt === 0) stuckAt = slot;
  }
  if (stuckAt !== 0) prepareAgain(p, stuckAt, now, out);
}

function propose(
  p: PaxosState,
  slot: Slot,
  value: Value,
  callers: readonly Caller[],
  now: number,
  out: Outbox,
): Proposal {
  const { ballot } = p.proposer;
  p.proposer.propose(slot, value, callers, out.turn, now);
  p.acceptor.vote(slot, ballot, value);
  out.records.push({ kind: "accepted", slot, ballot, value });
  return p.proposer.inFlight.get(slot)!;
}

function sendAccepts(
  p: PaxosState,
  to: readonly ReplicaId[],
  proposals: readonly Proposal[],
  out: Outbox,
): void {
  if (to.length === 0) return;
  let values: Value[] = [];
  let firstSlot = 0;
  let bytes = 0;
  const flush = (): void => {
    if (values.length === 0) return;
    const { ballot } = p.proposer;
    out.send(to, { kind: "accept", ballot, firstSlot, values, chosenUpTo: p.learner.chosenUpTo });
    values = [];
    bytes = 0;
  };
  for (const { slot, value } of proposals) {
    if (slot !== firstSlot + values.length || bytes + value.length > ACCEPT_BYTES) flush();
    if (values.length === 0) firstSlot = slot;
    values.push(value);
    bytes += value.length;
  }
  flush();
}

export function onAccepted(p: PaxosState, from: ReplicaId, m: AcceptedMessage, out: Outbox): void {
  if (!p.isLeading || m.ballot !== p.proposer.ballot) return;
  for (const proposal of p.proposer.inFlight.values()) {
    if (proposal.slot <= m.upTo || m.slots.includes(proposal.slot)) count(p, proposal, from);
  }
  advance(p, out);
}

function count(p: PaxosState, proposal: Proposal, voter: ReplicaId): void {
  if (p.proposer.count(proposal, voter, p.memberships, p.learner.chosenUpTo)) {
    markChosen(p, proposal.slot, proposal.value);
  }
}

/** Everything up to `turn` is on disk: own votes and the own promise count from now on (P1, P8). */
export function onSynced(p: PaxosState, turn: number, now: number, out: Outbox): void {
  while (p.unsyncedUpTo.length > 0 && p.unsyncedUpTo[0]!.turn <= turn) {
    const { ballot, upTo } = p.unsyncedUpTo.shift()!;
    p.syncedBallot = ballot;
    p.syncedUpTo = upTo;
  }
  if (p.proposer.phase === "preparing" && p.proposer.promiseTurn <= turn) onOwnPromiseSynced(p, now, out);
  if (!p.isLeading) return;
  for (const proposal of p.proposer.inFlight.values()) {
    if (proposal.turn <= turn) count(p, proposal, p.self);
  }
  advance(p, out);
}

/** P7: sends `peer` again what it has not acknowledged. */
export function resend(p: PaxosState, peer: ReplicaId, out: Outbox): void {
  const missing: Proposal[] = [];
  let bytes = 0;
  const slots = [...p.proposer.inFlight.keys()].sort((a, b) => a - b);
  for (const slot of slots) {
    const proposal = p.proposer.inFlight.get(slot)!;
    if (proposal.votes.includes(peer)) continue;
    bytes += proposal.value.length;
    if (missing.length > 0 && bytes > ACCEPT_BYTES) break;
    missing.push(proposal);
  }
  sendAccepts(p, [peer], missing, out);
}

/** Re-sends what is late; a proposal that stays unchosen is prepared anew, then another may try (P7). */
export function resendLate(p: PaxosState, now: number, out: Outbox): void {
  if (!p.isLeading || p.proposer.inFlight.size === 0) return;
  let oldest: Proposal | undefined;
  let isLate = false;
  for (const proposal of p.proposer.inFlight.values()) {
    if (oldest === undefined || proposal.proposedAt < oldest.proposedAt) oldest = proposal;
    if (now - proposal.sentAt < 4 * p.heartbeatMs) continue;
    proposal.sentAt = now;
    isLate = true;
  }
  if (isLate) for (const peer of p.others) if (p.election.linked.has(peer)) resend(p, peer, out);
  if (oldest === undefined) return;
  const age = now - oldest.proposedAt;
  const isOwnDiskSlow = !oldest.votes.includes(p.self);
  if (isOwnDiskSlow && age > p.electionMs && transfer(p, 0, now, out)) {
    out.notices.push({
      kind: "alarm",
      text: `the own disk holds up slot ${oldest.slot}: leadership is handed over`,
    });
  } else if (age > 4 * p.electionMs) {
    giveUpOn(p, oldest, now, out);
  }
}

function giveUpOn(p: PaxosState, oldest: Proposal, now: number, out: Outbox): void {
  const acknowledged = oldest.votes.length === 0 ? "no replica" : `replicas ${oldest.votes.join(", ")} only`;
  const text = `slot ${oldest.slot} is not chosen for long: acknowledged by ${acknowledged}`;
  if (p.preparedAnewAt !== p.learner.chosenUpTo) {
    p.preparedAnewAt = p.learner.chosenUpTo;
    out.notices.push({ kind: "alarm", text: `${text}; preparing anew` });
    startPrepare(p, now, out);
    return;
  }
  p.preparedAnewAt = -1;
  out.notices.push({ kind: "alarm", text: `${text}; handing over` });
  if (!transfer(p, 0, now, out)) startPrepare(p, now, out);
}
