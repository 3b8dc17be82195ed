// Steps that serve callers, here or at other replicas: commands forwarded to the leader, and read indexes (2.7, 2.9).
import type { ReplicaId } from "./ballot.js";
import { onVoice } from "./diverging.js";
import { sendHeartbeat } from "./leadership.js";
import { onWatermark } from "./learning.js";
import type {
  ForwardedMessage,
  ForwardMessage,
  HeartbeatAckMessage,
  ReadIndexMessage,
  ReadIndexReplyMessage,
} from "./message.js";
import type { Outbox } from "./outbox.js";
import type { ReadRequest } from "./reads.js";
import { renewBallot } from "./renewing.js";
import type { PaxosState } from "./state.js";

/** Replicas that a request passes at most on its way to the leader. */
const HOPS = 4;

/** Hands the callers' commands and reads to whoever leads. */
export function handOver(p: PaxosState, now: number, out: Outbox): void {
  const { forwarding, reads, proposer, election } = p;
  if (forwarding.pending.size > 0 && now - forwarding.handedAt > p.electionMs) forwarding.handAgain();
  if (reads.attempts.length > 0) reads.retry(now - p.electionMs / 4);
  if (p.isLeading) {
    for (const part of forwarding.take(proposer.ballot, p.self, now)) {
      for (const command of part) proposer.enqueue(command, p.self, true);
    }
    const id = reads.begin(proposer.ballot, p.self, now);
    if (id !== 0) reads.enqueue({ via: p.self, origin: p.self, id });
    return;
  }
  const way = election.way;
  if (way === 0 || proposer.phase !== "idle") return;
  for (const commands of forwarding.take(election.leaderBallot, way, now)) {
    out.send([way], { kind: "forward", commands, hops: 1 });
  }
  const id = reads.begin(election.leaderBallot, way, now);
  if (id !== 0) out.send([way], { kind: "readIndex", origin: p.self, id, hops: 1 });
}

export function onForward(p: PaxosState, from: ReplicaId, m: ForwardMessage, out: Outbox): void {
  if (p.isLeading) {
    for (const command of m.commands) p.proposer.enqueue(command, from, false);
    return;
  }
  const way = p.election.way;
  if (way === 0 || way === from || m.hops >= HOPS) return;
  out.send([way], { kind: "forward", commands: m.commands, hops: m.hops + 1 });
}

export function onForwarded(
  p: PaxosState,
  from: ReplicaId,
  m: ForwardedMessage,
  now: number,
  out: Outbox,
): void {
  if (m.origin === p.self) onWatermark(p, from, m.ballot, m.chosenUpTo, now + p.heartbeatMs, out);
  else if (p.election.linked.has(m.origin)) out.send([m.origin], m);
}

/** Tells other replicas which of their commands are chosen; also a watermark for them. */
export function tellCallers(p: PaxosState, out: Outbox): void {
  if (p.told.length === 0) return;
  const later: typeof p.told = [];
  const messages = new Map<string, { via: ReplicaId; message: ForwardedMessage; numbers: number[] }>();
  for (const told of p.told) {
    if (told.slot > p.learner.chosenUpTo) {
      later.push(told);
      continue;
    }
    for (const { via, origin, incarnation, numbers } of told.callers) {
      const key = `${via} ${origin} ${incarnation}`;
      let entry = messages.get(key);
      if (entry === undefined) {
        const all: number[] = [];
        const { ballot } = p.proposer;
        const { chosenUpTo } = p.learner;
        const message: ForwardedMessage = {
          kind: "forwarded",
          origin,
          incarnation,
          numbers: all,
          ballot,
          chosenUpTo,
        };
        entry = { via, message, numbers: all };
        messages.set(key, entry);
      }
      entry.numbers.push(...numbers);
    }
  }
  p.told = later;
  for (const { via, message } of messages.values()) out.send([via], message);
}

export function onReadIndex(p: PaxosState, from: ReplicaId, m: ReadIndexMessage, out: Outbox): void {
  if (p.isLeading) {
    p.reads.enqueue({ via: from, origin: m.origin, id: m.id });
    return;
  }
  const way = p.election.way;
  if (way === 0 || way === from || m.hops >= HOPS) return;
  out.send([way], { kind: "readIndex", origin: m.origin, id: m.id, hops: m.hops + 1 });
}

export function onReadIndexReply(
  p: PaxosState,
  from: ReplicaId,
  m: ReadIndexReplyMessage,
  now: number,
  out: Outbox,
): void {
  if (m.origin !== p.self) {
    if (p.election.linked.has(m.origin)) out.send([m.origin], m);
    return;
  }
  onWatermark(p, from, m.ballot, m.chosenUpTo, now + p.heartbeatMs, out);
  for (const id of p.reads.finish(m.id)) out.notices.push({ kind: "readReady", id, slot: m.slot });
}

/**
 * Starts a heartbeat round for the reads that wait, where the recovery allows it: a phase-1 quorum covers the
 * slot after `chosenUpTo`, and nothing that any promise reports is above it. One round is under way at a time.
 */
export function startReadRound(p: PaxosState, now: number, out: Outbox): void {
  const { reads, learner, proposer } = p;
  if (!p.isLeading || reads.waiting.length === 0 || reads.rounds.length > 0) return;
  const slot = learner.chosenUpTo;
  if (proposer.phaseOne.recoverUpTo > slot) return;
  if (!proposer.phaseOne.isCovered(slot + 1, p.membership)) return;
  sendHeartbeat(p, now, out);
  reads.ride(p.heartbeats.round, slot);
  confirmReads(p, out);
}

export function onHeartbeatAck(
  p: PaxosState,
  from: ReplicaId,
  m: HeartbeatAckMessage,
  now: number,
  out: Outbox,
): void {
  if (!p.isLeading || m.ballot !== p.proposer.ballot) return;
  // First, for the state here may turn out to be one that nobody must read.
  onVoice(p, { replica: from, slot: m.digestSlot, digest: m.digest }, now, out);
  p.heartbeats.acknowledge(from, m.round, m);
  confirmReads(p, out);
  renewBallot(p, now, out);
}

/** Answers the reads whose round a phase-2 quorum of the membership of the slot after theirs has acknowledged. */
export function confirmReads(p: PaxosState, out: Outbox): void {
  while (p.reads.rounds.length > 0) {
    const { round, slot, requests } = p.reads.rounds[0]!;
    const membership = p.memberships.of(slot + 1, p.learner.chosenUpTo);
    if (!p.heartbeats.isConfirmed(round, membership, p.self)) return;
    p.reads.rounds.shift();
    for (const request of requests) answerRead(p, request, slot, out);
  }
}

function answerRead(p: PaxosState, request: ReadRequest, slot: number, out: Outbox): void {
  const { via, origin, id } = request;
  if (origin === p.self) {
    for (const read of p.reads.finish(id)) out.notices.push({ kind: "readReady", id: read, slot });
    return;
  }
  const { ballot } = p.proposer;
  const { chosenUpTo } = p.learner;
  out.send([via], { kind: "readIndexReply", origin, id, slot, ballot, chosenUpTo });
}
