// What the promises for one ballot say, slot by slot: which slots a quorum covers, and which value must be
// proposed there (P3). Source: Lamport, "Paxos Made Simple", section 3 (phase 1 for infinitely many instances).
import { highestVote } from "./acceptor-rules.js";
import { type Ballot, LAST_SLOT, type ReplicaId, type Slot } from "./ballot.js";
import { isPhase1Quorum, type Membership } from "./membership.js";
import type { Accepted, Faulty, PromiseMessage } from "./message.js";
import type { Value } from "./value.js";

/** What one replica has promised so far; parts of several sendings may be mixed (F8). */
interface Report {
  readonly replica: ReplicaId;
  /** Slots spoken for, above the `chosenUpTo` of the part that spoke. */
  readonly spoken: { readonly from: Slot; readonly to: Slot }[];
  readonly accepted: Map<Slot, Accepted>;
  readonly faulty: Faulty[];
}

export class PhaseOne {
  readonly ballot: Ballot;
  reports: Report[];
  /** The highest slot in which any promise reports a vote or a bounded fault; 0: none. */
  highestReported: Slot;
  /** The largest `chosenUpTo` of any promise, and who said it: slots up to it are chosen. */
  chosenUpTo: Slot;
  chosenBy: ReplicaId;

  constructor(ballot: Ballot) {
    this.ballot = ballot;
    this.reports = [];
    this.highestReported = 0;
    this.chosenUpTo = 0;
    this.chosenBy = 0;
  }

  /** Slots that recovery is about: everything reported in any promise, accepted or chosen, is at or below it. */
  get recoverUpTo(): Slot {
    return Math.max(this.highestReported, this.chosenUpTo);
  }

  /**
   * Above it every promise says the same of each slot as of the last one: no vote, no chosen value, covered or not. So
   * where a quorum covers the last slot, it covers all of these, and they are empty below this ballot (A8).
   */
  get uniformAbove(): Slot {
    let above = this.recoverUpTo;
    for (const { spoken, faulty } of this.reports) {
      for (const { from, to } of [...spoken, ...faulty]) {
        above = Math.max(above, from - 1, to === LAST_SLOT ? 0 : to);
      }
    }
    return above;
  }

  add(replica: ReplicaId, part: PromiseMessage): void {
    let report = this.reports.find((candidate) => candidate.replica === replica);
    if (report === undefined) {
      report = { replica, spoken: [], accepted: new Map(), faulty: [] };
      this.reports.push(report);
    }
    const from = Math.max(part.from, part.chosenUpTo + 1);
    const known = report.spoken.some((range) => range.from <= from && range.to >= part.to);
    if (!known && from <= part.to) report.spoken.push({ from, to: part.to });
    for (const vote of part.accepted) {
      const before = report.accepted.get(vote.slot);
      if (before === undefined || before.ballot < vote.ballot) report.accepted.set(vote.slot, vote);
      this.highestReported = Math.max(this.highestReported, vote.slot);
    }
    if (!known) {
      for (const range of part.faulty) {
        report.faulty.push(range);
        if (range.to !== LAST_SLOT) this.highestReported = Math.max(this.highestReported, range.to);
      }
    }
    if (part.chosenUpTo > this.chosenUpTo) {
      this.chosenUpTo = part.chosenUpTo;
      this.chosenBy = replica;
    }
  }

  /** The value of the highest ballot that any promise reports for `slot`; undefined: none reports one. */
  valueAt(slot: Slot): Value | undefined {
    return this.#voteAt(slot)?.value;
  }

  #voteAt(slot: Slot): Accepted | null {
    if (slot > this.highestReported) return null;
    const votes: Accepted[] = [];
    for (const report of this.reports) {
      const vote = report.accepted.get(slot);
      if (vote !== undefined) votes.push(vote);
    }
    return highestVote(votes);
  }

  /** P3: whether a phase-1 quorum of `membership`, the one that governs `slot`, covers `slot`. */
  isCovered(slot: Slot, membership: Membership): boolean {
    const covering: ReplicaId[] = [];
    for (const report of this.reports) if (this.#covers(report, slot)) covering.push(report.replica);
    return isPhase1Quorum(membership, covering);
  }

  /** Whether the promise of `replica` covers `slot`. */
  hasCovered(replica: ReplicaId, slot: Slot): boolean {
    const report = this.reports.find((candidate) => candidate.replica === replica);
    return report !== undefined && this.#covers(report, slot);
  }

  /** Whether the promise of `replica` says anything of `slot`. */
  hasSpoken(replica: ReplicaId, slot: Slot): boolean {
    const report = this.reports.find((candidate) => candidate.replica === replica);
    return report !== undefined && speaksFor(report, slot);
  }

  /** Whether any promise says that its record of `slot` is damaged. */
  isFaultyAt(slot: Slot): boolean {
    return this.reports.some(({ faulty }) => faulty.some(({ from, to }) => from <= slot && slot <= to));
  }

  #covers(report: Report, slot: Slot): boolean {
    if (!speaksFor(report, slot)) return false;
    for (const range of report.faulty) {
      if (slot < range.from || slot > range.to) continue;
      // The lost vote cannot be higher than one in hand only where its ballot is known (F22).
      if (range.ballot === 0) return false;
      const vote = this.#voteAt(slot);
      if (vote === null || vote.ballot < range.ballot) return false;
    }
    return true;
  }

  copy(): PhaseOne {
    const copy = new PhaseOne(this.ballot);
    copy.reports = this.reports.map((report) => ({
      replica: report.replica,
      spoken: [...report.spoken],
      accepted: new Map(report.accepted),
      faulty: [...report.faulty],
    }));
    copy.highestReported = this.highestReported;
    copy.chosenUpTo = this.chosenUpTo;
    copy.chosenBy = this.chosenBy;
    return copy;
  }
}

function speaksFor(report: Report, slot: Slot): boolean {
  for (const range of report.spoken) if (slot >= range.from && slot <= range.to) return true;
  return false;
}
