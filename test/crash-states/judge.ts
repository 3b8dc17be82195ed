// Holds what a start found against the facts. Rule: everything that was told is there, nothing that was never asked
// for is, and the log is as it was after some number of turns, exactly (2.10, A3-A7, L5).
import type { Slot } from "../../src/paxos/ballot.js";
import { ExpectedLog } from "./expected-log.js";
import type { Facts, Found, Turn } from "./fact.js";

/** What is wrong, as a sentence; null: nothing. */
export type Verdict = string | null;

/** The state after a slot, as text. */
export type StateAfter = (slot: Slot) => string;

export class Judge {
  readonly #stateAfter: StateAfter;
  /** Of the turns that were last asked about, by their number. */
  #logs: Map<number, ExpectedLog>;
  #turns: readonly Turn[];

  constructor(stateAfter: StateAfter) {
    this.#stateAfter = stateAfter;
    this.#logs = new Map();
    this.#turns = [];
  }

  verdict(found: Found, facts: Facts): Verdict {
    return (
      identityVerdict(found, facts) ??
      this.#stateVerdict(found, facts) ??
      (this.prefixOf(found, facts) < 0 ? this.#logVerdict(found, facts) : null)
    );
  }

  #stateVerdict({ held, chosenUpTo, state, compactedUpTo }: Found, facts: Facts): Verdict {
    if (held < facts.heldUpTo) return `the state of slot ${held} is held, that of ${facts.heldUpTo} was`;
    const log = this.#log(facts, facts.turns.length);
    const from = [facts.compactedUpTo, facts.heldUpTo, facts.offered];
    const most = Math.max(...from.map((slot) => log.chosenAfter(slot)));
    if (held > most) return `the state of slot ${held} is held, though only ${most} slots were chosen`;
    if (compactedUpTo > held)
      return `the log is compacted up to ${compactedUpTo}, beyond the state of ${held}`;
    if (state !== "" && state !== this.#stateAfter(chosenUpTo)) {
      return `the state is not the one after slot ${chosenUpTo}, from that of ${held} on`;
    }
    return null;
  }

  #log(facts: Facts, turns: number): ExpectedLog {
    if (this.#turns !== facts.turns) {
      this.#logs = new Map();
      this.#turns = facts.turns;
    }
    let log = this.#logs.get(turns);
    if (log === undefined) {
      log = new ExpectedLog(facts.turns.slice(0, turns));
      this.#logs.set(turns, log);
    }
    return log;
  }

  /** The least number of turns, of those proven and more, after which the log is as it was found; -1: there is none. */
  prefixOf(found: Found, facts: Facts): number {
    for (let turns = facts.proven; turns <= facts.turns.length; turns += 1) {
      if (this.#isAsAfter(turns, found, facts)) return turns;
    }
    return -1;
  }

  #isAsAfter(turns: number, found: Found, facts: Facts): boolean {
    const log = this.#log(facts, turns);
    const { compactedUpTo, held, promised } = found;
    if (promised < log.promised || promised > this.#log(facts, facts.turns.length).promised) return false;
    if (!this.#mayBeCompacted(log, found, facts)) return false;
    return log.chosenAfter(held) === found.chosenUpTo && log.describe(compactedUpTo) === found.log;
  }

  /** Up to a slot that was asked for; where a state came from elsewhere, also up to where the log does not show it. */
  #mayBeCompacted(log: ExpectedLog, { compactedUpTo, held }: Found, facts: Facts): boolean {
    if (compactedUpTo < facts.compactedUpTo) return false;
    const asked = [facts.compactedUpTo, ...facts.compactions].filter((upTo) => upTo <= compactedUpTo);
    for (const upTo of asked) {
      const hidden = log.hiddenUpTo(upTo, held);
      if (hidden === compactedUpTo && (hidden === upTo || hidden <= facts.offered)) return true;
    }
    return false;
  }

  #logVerdict({ log, promised, compactedUpTo }: Found, facts: Facts): Verdict {
    const proven = this.#log(facts, facts.proven);
    return (
      `no number of turns from ${facts.proven} to ${facts.turns.length} leaves promise ${promised}, compacted up to ` +
      `${compactedUpTo} and the log [${log}]; proven are promise ${proven.promised}, compacted up to ` +
      `${facts.compactedUpTo} and [${proven.describe(compactedUpTo)}]`
    );
  }
}

function identityVerdict(found: Found, facts: Facts): Verdict {
  const { incarnation, diskId, genesis, faulty } = found;
  if (incarnation <= facts.incarnation || incarnation > facts.begun + 1) {
    return `incarnation ${incarnation} after ${facts.incarnation}, when ${facts.begun} were begun`;
  }
  if (facts.diskId !== "" && diskId !== facts.diskId) return `disk id ${diskId} after ${facts.diskId}`;
  if (genesis !== facts.genesis && (genesis !== "" || facts.isGenesisSaved)) {
    return `the genesis is ${genesis === "" ? "lost" : "another"}`;
  }
  return faulty === "" ? null : `faulty on a disk that is not damaged: ${faulty}`;
}
