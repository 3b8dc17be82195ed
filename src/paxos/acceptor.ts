// The acceptor: one promise for all slots, and the vote of the highest ballot in each slot not known chosen.
// It never lowers its promise and never hides a vote (A1-A4). Source: Lamport, "Paxos Made Simple", section 2.2.
import { mayAccept, mayPromise } from "./acceptor-rules.js";
import { type Ballot, LAST_SLOT, type Slot } from "./ballot.js";
import type { Accepted, Faulty, PromiseMessage } from "./message.js";
import type { Value } from "./value.js";

/** Bytes of values in one part of a promise. */
const PART_BYTES = 1 << 20;

export class Acceptor {
  /** No prepare or accept below it is answered but by a reject; never falls, in this life or the next. */
  promised: Ballot;
  /** The promise that this life began with: no vote that damage hides is of a higher ballot (A3, A6). */
  readonly foundPromise: Ballot;
  /** Votes in slots above `chosenUpTo`; those at or below it are settled and forgotten here. */
  votes: Map<Slot, Accepted>;
  /** Slots whose records cannot be read: neither "accepted" nor "not accepted" (A4). Disjoint, ascending. */
  faulty: Faulty[];

  constructor(
    promised: Ballot,
    accepted: readonly Accepted[],
    faulty: readonly Faulty[],
    foundPromise: Ballot = promised,
  ) {
    this.promised = promised;
    this.foundPromise = foundPromise;
    this.votes = new Map();
    for (const vote of accepted) this.votes.set(vote.slot, vote);
    this.faulty = [...faulty];
  }

  /** A1. True: answer with a promise; the caller makes a changed `promised` durable first. */
  prepare(ballot: Ballot): boolean {
    const verdict = mayPromise(this.promised, ballot);
    if (verdict === "promise") this.promised = ballot;
    return verdict !== "reject";
  }

  /** A2 and A3: whether accepts of `ballot` are taken; an accept is also a promise. */
  admits(ballot: Ballot): boolean {
    if (!mayAccept(this.promised, ballot)) return false;
    this.promised = ballot;
    return true;
  }

  /** The vote for a slot not known chosen; true when it is new, and so must go to disk. */
  vote(slot: Slot, ballot: Ballot, value: Value): boolean {
    const before = this.votes.get(slot);
    if (before !== undefined && before.ballot === ballot && !this.isFaulty(slot)) return false;
    this.votes.set(slot, { slot, ballot, value });
    this.heal(slot);
    return true;
  }

  /** Forgets what is settled: `slot` is known chosen and counted in `chosenUpTo`. */
  settle(slot: Slot): void {
    this.votes.delete(slot);
    if (this.faulty.length > 0) this.heal(slot);
  }

  /** Forgets all slots up to `upTo`: they are known chosen. */
  settleUpTo(upTo: Slot): void {
    for (const slot of this.votes.keys()) if (slot <= upTo) this.votes.delete(slot);
    const left: Faulty[] = [];
    for (const { from, to, ballot } of this.faulty) {
      if (to > upTo) left.push({ from: Math.max(from, upTo + 1), to, ballot });
    }
    this.faulty = left;
  }

  /** A slot is healed by its chosen value or by a new accept (A4). */
  heal(slot: Slot): void {
    for (let i = 0; i < this.faulty.length; i += 1) {
      const range = this.faulty[i]!;
      if (slot < range.from || slot > range.to) continue;
      const rest: Faulty[] = [];
      if (range.from < slot) rest.push({ from: range.from, to: slot - 1, ballot: range.ballot });
      if (slot < range.to) rest.push({ from: slot + 1, to: range.to, ballot: range.ballot });
      this.faulty.splice(i, 1, ...rest);
      return;
    }
  }

  /** A slot that nobody has used yet may hold a vote that damage hides: no promise of this replica covers it. */
  get isFreeFaulty(): boolean {
    return this.isFaulty(LAST_SLOT);
  }

  /** A8: what damage hides in slots above `above` is void. */
  voidAbove(above: Slot): void {
    const left: Faulty[] = [];
    for (const { from, to, ballot } of this.faulty) {
      if (from <= above) left.push({ from, to: Math.min(to, above), ballot });
    }
    this.faulty = left;
  }

  /**
   * The promise for `ballot`, in parts of bounded size; each says which slots it speaks for, so that parts of
   * several sendings may be mixed (F8). Nothing at or below `chosenUpTo` is in it (S9). `above`: known chosen above the
   * first gap.
   */
  promiseParts(
    ballot: Ballot,
    fromSlot: Slot,
    chosenUpTo: Slot,
    compactedUpTo: Slot,
    above: ReadonlyMap<Slot, Value> = new Map(),
  ): PromiseMessage[] {
    const first = Math.max(fromSlot, chosenUpTo + 1);
    const votes = [...this.votes.values()].filter((vote) => !this.isFaulty(vote.slot));
    // The vote may be gone: damage hid it, and a learned value healed the slot, or the log showed it as chosen after a
    // hole. To say nothing would be to say that nothing was accepted here (A4); at this ballot nothing else may be.
    for (const [slot, value] of above) if (!this.votes.has(slot)) votes.push({ slot, ballot, value });
    const told = votes.filter(({ slot }) => slot >= first).sort((a, b) => a.slot - b.slot);
    const parts: PromiseMessage[] = [];
    let from = fromSlot;
    let accepted: Accepted[] = [];
    let bytes = 0;
    const part = (to: Slot): void => {
      const faulty: Faulty[] = [];
      for (const range of this.faulty) {
        if (range.to < Math.max(from, first) || range.from > to) continue;
        faulty.push({
          from: Math.max(range.from, from, first),
          to: Math.min(range.to, to),
          ballot: range.ballot,
        });
      }
      parts.push({ kind: "promise", ballot, from, to, accepted, faulty, chosenUpTo, compactedUpTo });
      from = to + 1;
      accepted = [];
      bytes = 0;
    };
    for (const vote of told) {
      if (bytes > 0 && bytes + vote.value.length > PART_BYTES) part(vote.slot - 1);
      accepted.push(vote);
      bytes += vote.value.length;
    }
    part(LAST_SLOT);
    return parts;
  }

  isFaulty(slot: Slot): boolean {
    for (const range of this.faulty) if (slot >= range.from && slot <= range.to) return true;
    return false;
  }

  copy(): Acceptor {
    return new Acceptor(this.promised, [...this.votes.values()], this.faulty, this.foundPromise);
  }
}
