// Finds which write of unknown outcome stands at each revision that nobody was told, by replay with backtracking.
// Rule: it gives up only with `undecided`; what GapCandidates leaves out is impossible, so an exhausted search proves.
import { describeOperation } from "./describe.js";
import { GapCandidates } from "./gap-candidates.js";
import type { HistoryOperation, Result } from "./operation.js";
import type { Replay } from "./replay.js";
import type { RevisionOrder } from "./revision-order.js";
import type { Mark } from "./store-model.js";

interface Choice {
  readonly revision: number;
  readonly mark: Mark;
  /** The best is last. */
  readonly left: number[];
  taken: number;
}

export class GapSearch {
  readonly #operations: readonly HistoryOperation[];
  readonly #order: RevisionOrder;
  readonly #replay: Replay;
  readonly #unknown: readonly number[];
  readonly #taken = new Set<number>();
  readonly #choices: Choice[] = [];
  #candidates: GapCandidates | null = null;
  #deepest = 0;
  #evidence = "";

  constructor(
    operations: readonly HistoryOperation[],
    order: RevisionOrder,
    replay: Replay,
    unknown: readonly number[],
  ) {
    this.#operations = operations;
    this.#order = order;
    this.#replay = replay;
    this.#unknown = unknown;
  }

  /** Replays at most `maxReplayed` revisions more than there are. */
  run(maxReplayed: number): Result {
    const { highest, writes } = this.#order;
    let replayed = 0;
    let wrong = this.#replay.checkReaders();
    let revision = 2;
    while (wrong === null ? revision <= highest : this.#choices.length > 0) {
      replayed += 1;
      if (replayed > highest + maxReplayed) return this.#undecided(replayed);
      if (wrong !== null) {
        const choice = this.#choices.at(-1)!;
        revision = choice.revision;
        wrong = this.#choose(choice);
      } else if (writes[revision] === -1) {
        wrong = this.#open(revision);
      } else {
        wrong = this.#replay.write(writes[revision]!, revision) ?? this.#replay.checkReaders();
      }
      if (wrong === null) revision += 1;
      else this.#note(revision, wrong);
    }
    if (wrong !== null) return { verdict: "violation", evidence: this.#evidence || wrong };
    return { verdict: "linearizable", evidence: `${this.#operations.length} operations, ${this.#said()}` };
  }

  #open(revision: number): string | null {
    this.#candidates ??= new GapCandidates(this.#operations, this.#order, this.#unknown);
    this.#replay.model.remember();
    const left = this.#candidates.of(revision, this.#replay.model, this.#taken);
    const choice = { revision, mark: this.#replay.model.mark(), left, taken: -1 };
    this.#choices.push(choice);
    return this.#choose(choice);
  }

  /** Undoes what this choice and all after it did, and takes its next candidate; without one the choice is gone. */
  #choose(choice: Choice): string | null {
    this.#replay.model.goBack(choice.mark);
    this.#taken.delete(choice.taken);
    const next = choice.left.pop();
    if (next === undefined) {
      this.#choices.pop();
      const told = this.#candidates!.toldOf(choice.revision);
      return `no write of unknown outcome can stand at revision ${choice.revision}${told}`;
    }
    choice.taken = next;
    this.#taken.add(next);
    return this.#replay.write(next, choice.revision) ?? this.#replay.checkReaders();
  }

  /** Keeps what went wrong latest: nothing got further. */
  #note(revision: number, wrong: string): void {
    if (revision <= this.#deepest) return;
    this.#deepest = revision;
    const placed = this.#choices.filter(({ taken }) => taken !== -1).slice(-3);
    const where = placed.map(({ revision: at, taken }) => {
      return `${describeOperation(this.#operations[taken]!, taken)} at revision ${at}`;
    });
    this.#evidence = where.length === 0 ? wrong : `${wrong} (if one puts ${where.join(" and ")})`;
  }

  #undecided(replayed: number): Result {
    const evidence = `gave up after ${replayed} revisions, ${this.#said()}; the furthest: ${this.#evidence}`;
    return { verdict: "undecided", evidence };
  }

  #said(): string {
    if (this.#choices.length === 0) return "replayed by revision";
    return `replayed by revision with ${this.#choices.length} of ${this.#unknown.length} unknown writes placed`;
  }
}
