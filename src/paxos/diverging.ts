// Steps by which a replica finds that its state is not that of the others, and what it does then (2.10): it leads no
// more and shows its state to nobody, but goes on promising, accepting and acknowledging, for its votes are good.
import type { ReplicaId, Slot } from "./ballot.js";
import { transfer } from "./leadership.js";
import type { StateDigest } from "./message.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";
import { stopLeading } from "./stepping-down.js";

/** Of T: how long silent replicas may make a majority yet, before those who differ are called divided. */
const PATIENCE = 4;

/** The state here after `slot`. */
export function onDigest(p: PaxosState, slot: Slot, digest: number, now: number, out: Outbox): void {
  if (p.digests.note({ replica: p.self, slot, digest })) judge(p, now, out);
}

/** What others said of theirs. Nobody else speaks for this replica. */
export function onVoices(p: PaxosState, voices: readonly StateDigest[], now: number, out: Outbox): void {
  let isNews = false;
  for (let i = 0; i < voices.length; i += 1) if (isNewsOf(p, voices[i]!)) isNews = true;
  if (isNews) judge(p, now, out);
}

/** As `onVoices`, of one. */
export function onVoice(p: PaxosState, voice: StateDigest, now: number, out: Outbox): void {
  if (isNewsOf(p, voice)) judge(p, now, out);
}

function isNewsOf(p: PaxosState, voice: StateDigest): boolean {
  return voice.replica !== p.self && p.membership.voters.includes(voice.replica) && p.digests.note(voice);
}

/** Time may have made those who differ divided. */
export function watchDigests(p: PaxosState, now: number, out: Outbox): void {
  const { dividedSince, dividedAt } = p.digests;
  if (now < dividedSince + PATIENCE * p.electionMs || dividedAt > 0) return;
  judge(p, now, out);
}

function judge(p: PaxosState, now: number, out: Outbox): void {
  const { digests } = p;
  if (digests.isFenced) return;
  const verdict = digests.judge(p.self, p.membership.voters);
  switch (verdict.kind) {
    case "open":
      return;
    case "sound":
      calm(p, out);
      return;
    case "diverged":
      calm(p, out);
      out.notices.push(verdict);
      onFenced(p, verdict.members, now, out);
      return;
    case "divided": {
      const { slot } = verdict;
      const isNew = !digests.isDivided;
      digests.dividedSince = Math.min(digests.dividedSince, now);
      const isOpen = !verdict.isFinal && now < digests.dividedSince + PATIENCE * p.electionMs;
      if (digests.dividedAt > 0 || (isOpen && !isNew)) return;
      if (!isOpen) digests.dividedAt = slot;
      out.notices.push({ kind: "divided", slot, isOpen });
      return;
    }
  }
}

function calm(p: PaxosState, out: Outbox): void {
  const { digests } = p;
  if (!digests.isDivided) return;
  digests.dividedSince = Number.POSITIVE_INFINITY;
  digests.dividedAt = 0;
  out.notices.push({ kind: "divided", slot: 0, isOpen: false });
}

/** The state here is not to be used: one of `members` takes the leadership, if it is here. */
export function onFenced(p: PaxosState, members: readonly ReplicaId[], now: number, out: Outbox): void {
  p.digests.isFenced = true;
  if (members.some((member) => member !== p.self && transfer(p, member, now, out))) return;
  if (p.proposer.phase !== "idle") stopLeading(p, now, false);
}

/** The state came anew from one of the majority: what was said of the old one is void. */
export function onResynced(p: PaxosState, now: number): void {
  p.digests.isFenced = false;
  p.digests.forget(p.self);
  if (p.proposer.phase === "idle") p.election.postpone(now, p.electionMs, 2 * p.electionMs);
}
