// Steps by which a replica comes to know chosen values: watermarks (L2), catching up (L4), and handing out in
// slot order (L3). What it learns against a proposal of its own ends its leadership (P6).
import { assert } from "../base/assert.js";
import type { Ballot, ReplicaId, Slot } from "./ballot.js";
import { recentEntries } from "./catch-up.js";
import type { LearnedMessage, LearnMessage } from "./message.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";
import { stopLeading } from "./stepping-down.js";
import { commandsOf, sameValue, type Value } from "./value.js";

/**
 * L2: "chosen up to `upTo` at `ballot`" makes every slot chosen in which the own vote is of exactly that
 * ballot; anything else is asked for at `askAt`, for it may be on its way.
 */
export function onWatermark(
  p: PaxosState,
  from: ReplicaId,
  ballot: Ballot,
  upTo: Slot,
  askAt: number,
  out: Outbox,
): void {
  if (upTo <= p.learner.chosenUpTo) return;
  if (upTo - p.learner.chosenUpTo <= p.acceptor.votes.size) {
    for (let slot = p.learner.chosenUpTo + 1; slot <= upTo; slot += 1) {
      const vote = p.acceptor.votes.get(slot);
      if (vote?.ballot === ballot) p.learner.mark(slot, vote.value);
    }
  } else {
    for (const vote of p.acceptor.votes.values()) {
      if (vote.slot <= upTo && vote.ballot === ballot) p.learner.mark(vote.slot, vote.value);
    }
  }
  advance(p, out);
  p.catchUp.hear(from, upTo, p.learner.chosenUpTo, askAt);
}

/** Hands out what can be executed, in slot order (L3). */
export function advance(p: PaxosState, out: Outbox): void {
  const before = p.learner.chosenUpTo;
  for (;;) {
    const entry = p.learner.next();
    if (entry === undefined) break;
    p.acceptor.settle(entry.slot);
    out.chosen.push(entry);
    dropOwn(p, entry.value);
  }
  if (p.learner.chosenUpTo > before) p.catchUp.settle(p.learner.chosenUpTo);
}

function dropOwn(p: PaxosState, value: Value): void {
  if (p.forwarding.pending.size === 0) return;
  for (const command of commandsOf(value)) {
    if (command.origin === p.self && command.incarnation === p.forwarding.incarnation) {
      p.forwarding.drop(command.number);
    }
  }
}

export function onLearn(p: PaxosState, from: ReplicaId, m: LearnMessage, out: Outbox): void {
  const { chosenUpTo, compactedUpTo, recentFrom } = p.learner;
  if (m.fromSlot > chosenUpTo) return;
  if (m.fromSlot >= recentFrom) {
    out.send([from], { kind: "learned", entries: recentEntries(p.learner, m.fromSlot) });
  } else if (m.fromSlot > compactedUpTo) {
    out.notices.push({ kind: "serveLog", to: from, fromSlot: m.fromSlot });
  } else {
    out.notices.push({ kind: "serveSnapshot", to: from });
  }
}

export function onLearned(p: PaxosState, m: LearnedMessage, now: number, out: Outbox): void {
  const before = p.learner.chosenUpTo;
  for (const { slot, value } of m.entries) {
    if (p.learner.isChosen(slot)) continue;
    const proposal = p.proposer.inFlight.get(slot);
    if (proposal !== undefined && !sameValue(proposal.value, value)) stopLeading(p, now, true);
    const vote = p.acceptor.votes.get(slot);
    if (vote === undefined || !sameValue(vote.value, value)) {
      out.records.push({ kind: "learned", slot, value });
    }
    p.acceptor.heal(slot);
    markChosen(p, slot, value);
  }
  advance(p, out);
  if (p.learner.chosenUpTo > before && p.catchUp.isBehind(p.learner.chosenUpTo)) p.catchUp.askAt = now;
}

/** Notes a chosen value, also with the proposal of it that is under way. */
export function markChosen(p: PaxosState, slot: Slot, value: Value): void {
  p.learner.mark(slot, value);
  const proposal = p.proposer.inFlight.get(slot);
  if (proposal === undefined) return;
  assert(sameValue(proposal.value, value), "a leader that learns another value leads no more (P6)");
  p.proposer.remove(proposal);
  if (proposal.callers.length > 0) p.told.push({ slot, callers: proposal.callers });
}
