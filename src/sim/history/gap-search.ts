// Finds which write of unknown outcome stands at each revision that nobody was told, by replay with backtracking.
// Rule: it gives up only with `undecided`; what GapCandidates leaves out is impossible, so an exhausted search proves.
// An error is about some keys: a choice is taken back only for one that puts or deletes another of them, or fewer.
// Source: Prosser, "Hybrid algorithms for the constraint satisfaction problem", 1993: conflict-directed backjumping.
import { describeKv, describeOperation, sameKv } from "./describe.js";
import { GapCandidates } from "./gap-candidates.js";
import type { HistoryOperation, Result } from "./operation.js";
import type { Replay } from "./replay.js";
import type { RevisionOrder } from "./revision-order.js";
import type { Mark } from "./store-model.js";

type Keys = ReadonlySet<number>;

interface Choice {
  readonly revision: number;
  readonly mark: Mark;
  /** The best is last. */
  left: number[];
  /** What the errors of those that were tried were about. */
  readonly blamed: Set<number>;
  /** One that was tried had nothing to do with its error: no other such one would have done better. */
  hasIndifferent: boolean;
  taken: number;
}

interface Failure {
  readonly what: string;
  readonly keys: Keys;
}

export class GapSearch {
  readonly #operations: readonly HistoryOperation[];
  readonly #order: RevisionOrder;
  readonly #replay: Replay;
  readonly #unknown: readonly number[];
  readonly #taken = new Set<number>();
  readonly #keys = new Map<number, Keys>();
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
    let left = highest + maxReplayed;
    let failure = this.#failureOf(this.#replay.checkReaders());
    let revision = 2;
    while (failure === null ? revision <= highest : this.#choices.length > 0) {
      left -= 1;
      if (left < 0) return this.#undecided(highest + maxReplayed);
      if (failure !== null) {
        const choice = this.#goBack(failure);
        if (choice === null) break;
        revision = choice.revision;
        failure = this.#replayFrom(choice.taken, revision);
      } else if (writes[revision] === -1) {
        failure = this.#open(revision);
      } else {
        failure = this.#replayFrom(writes[revision]!, revision);
      }
      if (failure === null) revision += 1;
      else this.#note(revision, failure.what);
    }
    if (failure !== null) return { verdict: "violation", evidence: this.#evidence || failure.what };
    return { verdict: "linearizable", evidence: `${this.#operations.length} operations, ${this.#said()}` };
  }

  #replayFrom(write: number, revision: number): Failure | null {
    const wrong = this.#failureOf(this.#replay.write(write, revision));
    return wrong ?? this.#unlikeSeen(revision) ?? this.#failureOf(this.#replay.checkReaders());
  }

  #failureOf(what: string | null): Failure | null {
    return what === null ? null : { what, keys: this.#keysOf(this.#replay.last) };
  }

  /** The earliest notice of a wrong choice: what was written here is not what will be seen of it. */
  #unlikeSeen(revision: number): Failure | null {
    for (const { key, kv, operation } of this.#candidates?.sights.writtenAt(revision) ?? []) {
      const now = this.#replay.model.kvOf(key);
      if (kv === null || sameKv(now, kv)) continue;
      const right = now === null ? "that it is missing" : describeKv(now);
      const what = `${describeOperation(this.#operations[operation]!, operation)} was told ${describeKv(kv)}; right is ${right}`;
      return { what, keys: new Set([this.#replay.table.idOf(key)]) };
    }
    return null;
  }

  #open(revision: number): Failure | null {
    this.#candidates ??= new GapCandidates(this.#operations, this.#order, this.#unknown);
    const { model } = this.#replay;
    model.remember();
    const left = this.#candidates.of(revision, model, this.#taken);
    const taken = left.pop();
    if (taken === undefined) {
      const what = `no write of unknown outcome can stand at revision ${revision}`;
      return { what: what + this.#candidates.toldOf(revision), keys: this.#possibleKeys(revision, null) };
    }
    const mark = model.mark();
    this.#choices.push({ revision, mark, left, blamed: new Set(), hasIndifferent: false, taken });
    this.#taken.add(taken);
    return this.#replayFrom(taken, revision);
  }

  /** Undoes all back to the last choice that has another candidate that may mend the failure, and takes that. */
  #goBack(failure: Failure): Choice | null {
    let blamed = failure.keys;
    for (let choice = this.#choices.at(-1); choice !== undefined; choice = this.#choices.at(-1)) {
      this.#taken.delete(choice.taken);
      this.#replay.model.goBack(choice.mark);
      this.#blame(choice, blamed);
      const next = choice.left.pop();
      if (next !== undefined) {
        choice.taken = next;
        this.#taken.add(next);
        return choice;
      }
      this.#choices.pop();
      const about = choice.hasIndifferent ? choice.blamed : null;
      for (const id of this.#possibleKeys(choice.revision, about)) choice.blamed.add(id);
      blamed = choice.blamed;
    }
    return null;
  }

  #blame(choice: Choice, blamed: Keys): void {
    for (const id of blamed) choice.blamed.add(id);
    const own = this.#keysOf(choice.taken);
    if (intersects(own, blamed)) {
      // What it did to the blamed keys may rest on the others that it names.
      for (const id of own) choice.blamed.add(id);
      return;
    }
    choice.hasIndifferent = true;
    choice.left = choice.left.filter((index) => intersects(this.#keysOf(index), blamed));
  }

  /** What it rests on that nothing else may stand here; `about`: nothing else that names one of these keys. */
  #possibleKeys(revision: number, about: Keys | null): Keys {
    const keys = new Set<number>();
    for (const index of this.#candidates!.possible(revision)) {
      const named = this.#keysOf(index);
      if (about === null || intersects(named, about)) for (const id of named) keys.add(id);
    }
    return keys;
  }

  #keysOf(index: number): Keys {
    let keys = this.#keys.get(index);
    if (keys === undefined) {
      keys = this.#replay.table.idsOf(this.#operations[index]!.request);
      this.#keys.set(index, keys);
    }
    return keys;
  }

  /** Keeps what went wrong latest: nothing got further. */
  #note(revision: number, wrong: string): void {
    if (revision <= this.#deepest) return;
    this.#deepest = revision;
    const where = this.#choices.slice(-3).map(({ revision: at, taken }) => {
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

function intersects(a: Keys, b: Keys): boolean {
  const [few, many] = a.size < b.size ? [a, b] : [b, a];
  for (const id of few) if (many.has(id)) return true;
  return false;
}
