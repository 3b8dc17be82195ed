// What a workload asked for and what it was told of it, and all of that together: the truth that a recovery is held
// against. Rule: what was told is there after any failure of power; what was not asked for never is.
import type { Ballot, Slot } from "../../src/paxos/ballot.js";
import type { LogRecord } from "../../src/paxos/outbox.js";

/** What a start found, as plain data. */
export interface Found {
  readonly incarnation: number;
  readonly diskId: string;
  /** As hex digits; empty: none. */
  readonly genesis: string;
  readonly promised: Ballot;
  readonly compactedUpTo: Slot;
  /** The slot of which the state is held. */
  readonly held: Slot;
  /** As `describeLog` says it. */
  readonly log: string;
  readonly faulty: string;
  /** The state that was executed up to `chosenUpTo`; empty where there is no machine. */
  readonly state: string;
  readonly chosenUpTo: Slot;
}

export interface Turn {
  readonly promise: Ballot;
  readonly records: readonly LogRecord[];
}

export type Fact =
  | { readonly kind: "starting" }
  | { readonly kind: "started"; readonly incarnation: number; readonly diskId: string }
  | { readonly kind: "saving genesis"; readonly genesis: string }
  | { readonly kind: "saved genesis" }
  | { readonly kind: "recovered"; readonly found: Found }
  | { readonly kind: "turn"; readonly turn: Turn }
  /** So many turns of this life. */
  | { readonly kind: "proven"; readonly turns: number }
  | { readonly kind: "compacting"; readonly upTo: Slot }
  | { readonly kind: "compacted"; readonly upTo: Slot }
  /** The state after `slot` may come from elsewhere. */
  | { readonly kind: "offered"; readonly slot: Slot }
  | { readonly kind: "held"; readonly slot: Slot };

export class Facts {
  begun = 0;
  incarnation = 0;
  diskId = "";
  genesis = "";
  isGenesisSaved = false;
  turns: readonly Turn[] = [];
  /** So many of them are durable; those before `lifeFrom` were found by the present life. */
  proven = 0;
  lifeFrom = 0;
  /** Slots up to which compaction was asked for, and the highest of which it was told to be done. */
  compactions: readonly Slot[] = [];
  compactedUpTo: Slot = 0;
  heldUpTo: Slot = 0;
  offered: Slot = 0;
  /** Changes with every fact. */
  count = 0;

  copy(): Facts {
    return Object.assign(new Facts(), this);
  }

  /** `prefixOf`: after how many turns the log is as it was found; throws when after none. */
  take(fact: Fact, prefixOf: (found: Found, facts: Facts) => number): void {
    switch (fact.kind) {
      case "starting":
        this.begun += 1;
        break;
      case "started":
        this.incarnation = fact.incarnation;
        this.diskId = fact.diskId;
        break;
      case "saving genesis":
        this.genesis = fact.genesis;
        break;
      case "saved genesis":
        this.isGenesisSaved = true;
        break;
      case "recovered":
        this.#recovered(fact.found, prefixOf(fact.found, this));
        break;
      case "turn":
        this.turns = [...this.turns, fact.turn];
        break;
      case "proven":
        this.proven = this.lifeFrom + fact.turns;
        break;
      case "compacting":
        this.compactions = [...this.compactions, fact.upTo];
        break;
      case "compacted":
        this.compactedUpTo = Math.max(this.compactedUpTo, fact.upTo);
        break;
      case "offered":
        this.offered = Math.max(this.offered, fact.slot);
        break;
      case "held":
        this.heldUpTo = Math.max(this.heldUpTo, fact.slot);
        break;
    }
    this.count += 1;
  }

  /** What a life was shown at its start is durable, and all that there is. */
  #recovered(found: Found, prefix: number): void {
    this.turns = [...this.turns.slice(0, prefix), { promise: found.promised, records: [] }];
    this.proven = this.turns.length;
    this.lifeFrom = this.proven;
    this.compactions = [...this.compactions, found.compactedUpTo];
    this.compactedUpTo = found.compactedUpTo;
    this.heldUpTo = found.held;
    this.genesis = found.genesis;
    this.isGenesisSaved = found.genesis !== "";
  }
}
