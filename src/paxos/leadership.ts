// Steps on the way to leadership and out of it: canvass, prepare, promises, heartbeats, hand-over (P1, P2, P6).
import { assert } from "../base/assert.js";
import { ballotAbove, LAST_SLOT, type ReplicaId, replicaOf } from "./ballot.js";
import type {
  CanvassMessage,
  CanvassReplyMessage,
  PromiseMessage,
  RejectMessage,
  TransferMessage,
} from "./message.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";
import { stopLeading } from "./stepping-down.js";
import { voidHidden } from "./voiding.js";

export function onCanvass(p: PaxosState, from: ReplicaId, m: CanvassMessage, now: number, out: Outbox): void {
  const leads = p.isLeading && p.isQuorumConnected(now);
  const willing = !leads && p.election.isWilling(from, now, p.membership);
  const hears = p.election.hearsLeader(now);
  out.send([from], {
    kind: "canvassReply",
    round: m.round,
    willing,
    promised: p.acceptor.promised,
    chosenUpTo: p.learner.chosenUpTo,
    leader: leads ? p.self : hears ? p.election.leader : 0,
  });
  if (willing && p.proposer.phase === "idle") p.election.yield(now);
  p.catchUp.hear(from, m.chosenUpTo, p.learner.chosenUpTo, now + p.heartbeatMs);
}

export function onCanvassReply(p: PaxosState, from: ReplicaId, m: CanvassReplyMessage, now: number): void {
  p.catchUp.hear(from, m.chosenUpTo, p.learner.chosenUpTo, now);
  if (p.proposer.phase === "idle") p.election.answer(from, m, now, p.membership);
}

export function onTransfer(
  p: PaxosState,
  from: ReplicaId,
  m: TransferMessage,
  now: number,
  out: Outbox,
): void {
  if (m.to !== p.self || replicaOf(m.ballot) !== from || p.proposer.phase !== "idle") return;
  if (p.digests.isFenced) return;
  // An older leader's word, or one overtaken by another candidate, is out of date (P1).
  if (m.ballot < p.election.leaderBallot || m.ballot < p.acceptor.promised) return;
  p.election.see(m.ballot);
  startPrepare(p, now, out);
}

/** Phase 1 of a new ballot, once for all slots (P2); the own promise is durable before `prepare` leaves (P1). */
export function startPrepare(p: PaxosState, now: number, out: Outbox): void {
  if (p.proposer.phase !== "idle") stopLeading(p, now, false);
  const highest = Math.max(p.election.highestSeen, p.acceptor.promised, p.proposer.ballot);
  const ballot = ballotAbove(highest, p.self);
  assert(p.acceptor.prepare(ballot), "the own ballot is above every promise");
  p.election.see(ballot);
  p.election.canvass = null;
  p.election.candidacyAt = Number.POSITIVE_INFINITY;
  p.catchUpUntil = 0;
  out.promise = ballot;
  p.proposer.prepare(ballot, p.learner.chosenUpTo + 1, out.turn, now);
  sendPrepare(p, p.others, now, out);
}

export function sendPrepare(p: PaxosState, to: readonly ReplicaId[], now: number, out: Outbox): void {
  const { ballot, firstSlot } = p.proposer;
  p.proposer.preparedAt = now;
  if (to.length > 0) out.sendAfterSync(to, { kind: "prepare", ballot, fromSlot: firstSlot });
}

export function onPromise(p: PaxosState, from: ReplicaId, m: PromiseMessage, now: number, out: Outbox): void {
  if (p.proposer.phase === "idle" || m.ballot !== p.proposer.ballot) return;
  p.proposer.phaseOne.add(from, m);
  p.catchUp.hear(from, m.chosenUpTo, p.learner.chosenUpTo, now);
  tryLead(p, now, out);
}

/** The own promise is on disk: it counts. */
export function onOwnPromiseSynced(p: PaxosState, now: number, out: Outbox): void {
  const { ballot, firstSlot, phaseOne } = p.proposer;
  if (p.acceptor.promised !== ballot) return;
  const { chosenUpTo, compactedUpTo, above } = p.learner;
  for (const part of p.acceptor.promiseParts(ballot, firstSlot, chosenUpTo, compactedUpTo, above)) {
    phaseOne.add(p.self, part);
  }
  tryLead(p, now, out);
}

/** A phase-1 quorum has promised, up to the last slot: leads. Slots are proposed as each is covered (P3). */
function tryLead(p: PaxosState, now: number, out: Outbox): void {
  const { proposer } = p;
  if (proposer.phase !== "preparing" || p.acceptor.promised !== proposer.ballot) return;
  if (!proposer.phaseOne.isCovered(LAST_SLOT, p.membership)) return;
  // A8 speaks for all slots: while there is one membership for all of them.
  assert(p.membership === p.memberships.first, "the membership of one slot is that of every slot");
  proposer.emptyAbove = proposer.phaseOne.uniformAbove;
  proposer.phase = "leading";
  proposer.startedAt = now;
  p.election.lead(proposer.ballot);
  const promised = proposer.phaseOne.reports.map((report) => report.replica);
  p.heartbeats.start(promised, now);
  voidHidden(p, proposer.ballot, proposer.emptyAbove, out);
  sendHeartbeat(p, now, out);
}

export function onReject(p: PaxosState, m: RejectMessage, now: number): void {
  p.election.see(m.promised);
  if (p.proposer.phase === "idle" || m.ballot !== p.proposer.ballot || m.promised <= m.ballot) return;
  stopLeading(p, now, p.proposer.phase === "leading");
}

export function sendHeartbeat(p: PaxosState, now: number, out: Outbox): void {
  const round = p.heartbeats.begin(now, p.heartbeatMs);
  const to = p.others;
  if (to.length === 0) return;
  out.send(to, {
    kind: "heartbeat",
    ballot: p.proposer.ballot,
    chosenUpTo: p.learner.chosenUpTo,
    round,
    quorumConnected: p.isQuorumConnected(now),
    emptyAbove: p.proposer.emptyAbove,
    full: p.isQuorumFull,
    digests: p.digests.newest(p.membership.voters),
  });
}

/** Hands leadership over to `to`, or to the voter heard last; true when there was someone to hand it to. */
export function transfer(p: PaxosState, to: ReplicaId, now: number, out: Outbox): boolean {
  if (!p.isLeading) return false;
  let target: ReplicaId = 0;
  let heard = Number.NEGATIVE_INFINITY;
  for (const voter of p.others) {
    if (!p.election.linked.has(voter) || (to !== 0 && voter !== to)) continue;
    const at = p.heartbeats.ackedSentAt.get(voter) ?? Number.NEGATIVE_INFINITY;
    if (target === 0 || at > heard) {
      target = voter;
      heard = at;
    }
  }
  if (target === 0) return false;
  const { ballot } = p.proposer;
  stopLeading(p, now, false);
  p.election.postpone(now, p.electionMs, 2 * p.electionMs);
  out.send([target], { kind: "transfer", ballot, to: target });
  return true;
}

/** Before an orderly stop. One that could not hand over must not be elected once more, only to go then. */
export function leave(p: PaxosState, now: number, out: Outbox): void {
  p.election.isLeaving = true;
  if (p.proposer.phase === "preparing") stopLeading(p, now, false);
  transfer(p, 0, now, out);
}

/** What time alone brings about: heartbeats, stepping down, repeated prepares, candidacy. */
export function elapse(p: PaxosState, now: number, out: Outbox): void {
  switch (p.proposer.phase) {
    case "leading":
      // A phase-1 quorum made it the leader; a larger phase-2 quorum has T to acknowledge.
      if (now - p.proposer.startedAt >= p.electionMs && !p.isQuorumConnected(now)) stopLeading(p, now, false);
      else if (now >= p.heartbeats.nextAt) sendHeartbeat(p, now, out);
      return;
    case "preparing":
      if (now - p.proposer.startedAt >= p.electionMs) stopLeading(p, now, false);
      else if (now - p.proposer.preparedAt >= p.heartbeatMs) sendPrepare(p, p.others, now, out);
      return;
    case "idle":
      elapseIdle(p, now, out);
  }
}

function elapseIdle(p: PaxosState, now: number, out: Outbox): void {
  const { election, membership } = p;
  if (!membership.voters.includes(p.self)) return;
  if ((election.isLeaving || p.digests.isFenced) && p.others.length > 0) {
    election.candidacyAt = Number.POSITIVE_INFINITY;
    return;
  }
  if (now >= election.candidacyAt) {
    // It could not go on from where it is (F27).
    if (now < p.offeredUntil) election.postpone(p.offeredUntil, 0, p.electionMs / 4);
    else if (election.hearsLeader(now)) {
      election.postpone(election.heardAt, p.electionMs, 2 * p.electionMs);
    } else {
      const round = election.begin(now);
      const chosenUpTo = p.learner.chosenUpTo;
      if (p.others.length > 0) out.send(p.others, { kind: "canvass", round, chosenUpTo });
    }
  }
  if (!election.isElectable(membership)) return;
  // One that could not propose for lack of values catches up first, for T at most (2.6).
  const missing = p.catchUp.heardUpTo - p.learner.chosenUpTo;
  if (missing > p.memberships.alpha) {
    if (p.catchUpUntil === 0) p.catchUpUntil = now + p.electionMs;
    if (now < p.catchUpUntil) return;
  }
  startPrepare(p, now, out);
}
