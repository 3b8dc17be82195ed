// What each replica said of its state after every k-th slot (2.10). Rule: each counts the voices for itself, and the
// leader's is one of them: a corrupt leader must not fence the healthy (F14).
import type { ReplicaId, Slot } from "./ballot.js";
import type { StateDigest } from "./message.js";

/** Voices kept of each replica, so that one that is behind still meets those of the others. */
const KEPT = 16;
const NONE: readonly StateDigest[] = [];

export type Verdict =
  /** Too few have spoken, and none of them differs. */
  | { readonly kind: "open" }
  /** A majority has the own digest. */
  | { readonly kind: "sound" }
  /** A majority, `members`, has another one. */
  | { readonly kind: "diverged"; readonly slot: Slot; readonly members: readonly ReplicaId[] }
  /** Some differ, and no majority agrees; `isFinal`: nor will, whatever the silent ones say. */
  | { readonly kind: "divided"; readonly slot: Slot; readonly isFinal: boolean };

const OPEN: Verdict = { kind: "open" };
const SOUND: Verdict = { kind: "sound" };

/** What `self` can tell from the digests `at` one slot. */
export function judgeSlot(
  self: ReplicaId,
  voters: readonly ReplicaId[],
  slot: Slot,
  at: (replica: ReplicaId) => number | undefined,
): Verdict {
  const own = at(self);
  if (own === undefined) return OPEN;
  const camps = new Map<number, ReplicaId[]>();
  let silent = 0;
  for (const voter of voters) {
    const digest = at(voter);
    if (digest === undefined) silent += 1;
    else if (camps.has(digest)) camps.get(digest)!.push(voter);
    else camps.set(digest, [voter]);
  }
  const majority = Math.floor(voters.length / 2) + 1;
  let largest = 0;
  for (const [digest, members] of camps) {
    if (members.length >= majority) return digest === own ? SOUND : { kind: "diverged", slot, members };
    largest = Math.max(largest, members.length);
  }
  return camps.size > 1 ? { kind: "divided", slot, isFinal: largest + silent < majority } : OPEN;
}

/** Mostly the newest slots are asked for. */
function voiceAt(voices: readonly StateDigest[], slot: Slot): StateDigest | undefined {
  for (let i = voices.length - 1; i >= 0; i -= 1) if (voices[i]!.slot === slot) return voices[i];
  return undefined;
}

export class Digests {
  /** Of each replica the newest, ascending by slot. */
  voices: Map<ReplicaId, readonly StateDigest[]>;
  /** What `newest` last found, until somebody says something new. */
  newestVoices: { readonly voters: readonly ReplicaId[]; readonly all: readonly StateDigest[] } | null;
  /** The own state is not that of the majority: it is not shown to anyone, and this replica does not lead. */
  isFenced: boolean;
  /** Since when some differ and no majority agrees; Infinity: they do not. */
  dividedSince: number;
  /** The slot of which it was told that nobody will decide; 0: it was not. */
  dividedAt: Slot;

  constructor() {
    this.voices = new Map();
    this.newestVoices = null;
    this.isFenced = false;
    this.dividedSince = Number.POSITIVE_INFINITY;
    this.dividedAt = 0;
  }

  /** Takes a voice down; whether it is news. What a replica said last of a slot counts. */
  note(voice: StateDigest): boolean {
    const { replica, slot, digest } = voice;
    if (slot < 1) return false;
    const before = this.voices.get(replica) ?? NONE;
    // With every heartbeat all say again what they said last.
    if (voiceAt(before, slot)?.digest === digest) return false;
    const isNewest = before.length === 0 || before[before.length - 1]!.slot < slot;
    const others = isNewest ? before : before.filter((other) => other.slot !== slot);
    const after = [...others, voice];
    if (!isNewest) after.sort((a, b) => a.slot - b.slot);
    if (after.length > KEPT) after.shift();
    this.voices.set(replica, after);
    this.newestVoices = null;
    return after.includes(voice);
  }

  get isDivided(): boolean {
    return this.dividedSince < Number.POSITIVE_INFINITY;
  }

  forget(replica: ReplicaId): void {
    this.voices.delete(replica);
    this.newestVoices = null;
  }

  /** The newest voice of `replica` up to `upTo`. */
  of(replica: ReplicaId, upTo: Slot = Number.POSITIVE_INFINITY): StateDigest | undefined {
    const voices = this.voices.get(replica) ?? NONE;
    for (let i = voices.length - 1; i >= 0; i -= 1) if (voices[i]!.slot <= upTo) return voices[i];
    return undefined;
  }

  /** The newest voice of each. */
  newest(voters: readonly ReplicaId[]): readonly StateDigest[] {
    if (this.voices.size === 0) return NONE;
    if (this.newestVoices?.voters === voters) return this.newestVoices.all;
    const all: StateDigest[] = [];
    for (const voter of voters) {
      const voice = this.of(voter);
      if (voice !== undefined) all.push(voice);
    }
    this.newestVoices = { voters, all };
    return all;
  }

  /** By the newest slot that tells anything, for a state that differs once differs for good. */
  judge(self: ReplicaId, voters: readonly ReplicaId[]): Verdict {
    const own = this.voices.get(self) ?? NONE;
    let divided: Verdict = OPEN;
    for (let i = own.length - 1; i >= 0; i -= 1) {
      const { slot } = own[i]!;
      const verdict = judgeSlot(self, voters, slot, (replica) => this.#at(replica, slot));
      if (verdict.kind === "diverged") return verdict;
      // What was agreed on before says nothing of a later difference.
      if (verdict.kind === "sound") return divided.kind === "divided" ? divided : verdict;
      if (divided.kind === "open") divided = verdict;
    }
    return divided;
  }

  #at(replica: ReplicaId, slot: Slot): number | undefined {
    return voiceAt(this.voices.get(replica) ?? NONE, slot)?.digest;
  }

  copy(): Digests {
    const copy = Object.assign(new Digests(), this);
    copy.voices = new Map(this.voices);
    return copy;
  }
}
