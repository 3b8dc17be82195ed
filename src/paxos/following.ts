// Steps of a replica that answers a leader: promise, accept, heartbeat. What they rest on is on disk
// before they leave (S13): the outbox sees to it.
import { type ReplicaId, replicaOf, type Slot } from "./ballot.js";
import { onVoices } from "./diverging.js";
import { onWatermark } from "./learning.js";
import type { AcceptMessage, HeartbeatMessage, PrepareMessage, StateDigest } from "./message.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";
import { stopLeading } from "./stepping-down.js";
import { voidsByHeartbeat } from "./voiding.js";

export function onPrepare(p: PaxosState, from: ReplicaId, m: PrepareMessage, now: number, out: Outbox): void {
  if (replicaOf(m.ballot) !== from) return;
  p.election.see(m.ballot);
  const before = p.acceptor.promised;
  if (!p.acceptor.prepare(m.ballot)) {
    out.send([from], { kind: "reject", ballot: m.ballot, promised: p.acceptor.promised });
    return;
  }
  if (p.acceptor.promised !== before) {
    promiseElsewhere(p, now, out);
    p.election.support(now);
  }
  const { chosenUpTo, compactedUpTo, above } = p.learner;
  for (const part of p.acceptor.promiseParts(m.ballot, m.fromSlot, chosenUpTo, compactedUpTo, above)) {
    out.sendAfterSync([from], part);
  }
}

/** The own promise now is another's ballot: make it durable, and lead no more (P6). */
function promiseElsewhere(p: PaxosState, now: number, out: Outbox): void {
  out.promise = p.acceptor.promised;
  if (p.proposer.phase !== "idle") stopLeading(p, now, false);
}

export function onAccept(p: PaxosState, from: ReplicaId, m: AcceptMessage, now: number, out: Outbox): void {
  if (replicaOf(m.ballot) !== from) return;
  const before = p.acceptor.promised;
  if (!p.acceptor.admits(m.ballot)) {
    out.send([from], { kind: "reject", ballot: m.ballot, promised: p.acceptor.promised });
    return;
  }
  // The log's record alone would do where a vote is stored; where all is known chosen there is none (A3).
  if (p.acceptor.promised !== before) promiseElsewhere(p, now, out);
  p.election.hear(from, m.ballot);
  for (let i = 0; i < m.values.length; i += 1) {
    const slot = m.firstSlot + i;
    const value = m.values[i]!;
    if (p.learner.isChosen(slot)) continue;
    if (p.acceptor.vote(slot, m.ballot, value)) {
      out.records.push({ kind: "accepted", slot, ballot: m.ballot, value });
    }
  }
  onWatermark(p, from, m.ballot, m.chosenUpTo, now + p.heartbeatMs, out);
  const upTo = p.contiguousAt(m.ballot);
  const slots: Slot[] = [];
  for (let slot = Math.max(upTo + 1, m.firstSlot); slot < m.firstSlot + m.values.length; slot += 1) {
    slots.push(slot);
  }
  out.sendAfterSync([from], { kind: "accepted", ballot: m.ballot, upTo, slots });
  p.unsyncedUpTo.push({ turn: out.turn, ballot: m.ballot, upTo });
}

/** Of what `replica` says of its state; undefined: nothing is said. */
function slotOfVoice(voices: readonly StateDigest[], replica: ReplicaId): Slot | undefined {
  for (const voice of voices) if (voice.replica === replica) return voice.slot;
  return undefined;
}

export function onHeartbeat(
  p: PaxosState,
  from: ReplicaId,
  m: HeartbeatMessage,
  now: number,
  out: Outbox,
): void {
  if (replicaOf(m.ballot) !== from) return;
  if (m.ballot < p.acceptor.promised) {
    out.send([from], { kind: "reject", ballot: m.ballot, promised: p.acceptor.promised });
    return;
  }
  if (p.proposer.phase !== "idle") {
    if (m.ballot <= p.proposer.ballot) return;
    stopLeading(p, now, false);
  }
  p.election.hear(from, m.ballot);
  if (m.quorumConnected && m.ballot === p.election.leaderBallot) p.election.hearConnected(now);
  onWatermark(p, from, m.ballot, m.chosenUpTo, now + p.heartbeatMs, out);
  onVoices(p, m.digests, now, out);
  p.isQuorumFull = m.full;
  const damaged = voidsByHeartbeat(p, m, out);
  const own = p.digests.of(p.self, slotOfVoice(m.digests, from));
  out.send([from], {
    kind: "heartbeatAck",
    ballot: m.ballot,
    round: m.round,
    syncedUpTo: p.syncedBallot === m.ballot ? p.syncedUpTo : 0,
    digestSlot: own?.slot ?? 0,
    digest: own?.digest ?? 0,
    lease: false,
    damaged,
    full: p.isFull,
  });
}
