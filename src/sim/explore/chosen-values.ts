// What is chosen when the replicas' durable votes are these: judged by the ghost, once for each combination of votes.
import { encodeUtf8 } from "../../base/utf8.js";
import type { Memberships } from "../../paxos/membership.js";
import type { Value } from "../../paxos/value.js";
import type { BySlot } from "../by-slot.js";
import { Ghost, payloadKey } from "../ghost.js";
import { agreement, nonTriviality } from "../invariants.js";
import { Interner, PairMap } from "./interner.js";
import { describeDurableVotes, type Surroundings } from "./replica-ghost.js";
import type { ReplicaLife } from "./replica-life.js";

export interface Chosen {
  /** Equal where the values are equal. */
  readonly number: number;
  readonly values: BySlot<Value>;
  readonly voters: Surroundings["voters"];
}

/** Of the votes of several replicas together, numbered from where those of single replicas cannot reach. */
const TOGETHER = 2 ** 24;

export class ChosenValues {
  readonly #memberships: Memberships;
  /** The payloads of all commands that anyone may propose. */
  readonly submitted: ReadonlySet<string>;
  readonly #votes = new Interner<ReplicaLife>();
  readonly #numbers = new Interner<null>();
  readonly #found: Chosen[] = [];
  /** From the votes of the first replicas and those of the next one on; at the last to the place in `#found`. */
  readonly #next = new PairMap();
  #together = TOGETHER;

  constructor(memberships: Memberships, commands: readonly string[]) {
    this.#memberships = memberships;
    this.submitted = new Set(commands.map((command) => payloadKey(encodeUtf8(command))));
  }

  /** The number of the votes of `life`: equal for one replica with equal votes. */
  votesOf(life: ReplicaLife): number {
    return this.#votes.id(`${life.id} ${describeDurableVotes(life.ghost)}`, () => life);
  }

  /** What is chosen by the votes with these numbers, one for each replica. Throws `InvariantBroken`. */
  of(votes: Int32Array): Chosen {
    const last = votes.length - 1;
    let key = votes[0]!;
    for (let at = 1; at <= last; at += 1) {
      let next = this.#next.get(key, votes[at]!);
      if (next < 0) {
        next = at === last ? this.#judge(votes) : this.#together;
        this.#together += 1;
        this.#next.set(key, votes[at]!, next);
      }
      key = next;
    }
    return this.#found[key]!;
  }

  #judge(votes: Int32Array): number {
    const ghost = new Ghost(this.#memberships);
    for (const key of this.submitted) ghost.submitted.add(key);
    for (const [at, number] of votes.entries()) {
      for (const [slot, ballots] of this.#votes.values[number]!.ghost.replica.durableVotes) {
        for (const [ballot, voted] of ballots) {
          const value = ghost.countVote(at + 1, slot, ballot, voted);
          if (value === null) continue;
          agreement(ghost, slot, value);
          nonTriviality(ghost, slot, value);
        }
      }
    }
    const texts = [...ghost.chosen].map(([slot, value]) => `${slot}:${payloadKey(value)}`).sort();
    const number = this.#numbers.id(texts.join(), () => null);
    this.#found.push({ number, values: ghost.chosen, voters: ghost.voters });
    return this.#found.length - 1;
  }
}
