// Goes through a recording step by step: what the disk may hold, and what is true, whenever the power ends.
import { DiskModel } from "./disk-model.js";
import { Facts } from "./fact.js";
import { Judge, type StateAfter } from "./judge.js";
import type { Recording, Step } from "./recording.js";
import type { Sectors } from "./sectors.js";

/** Where a workload itself was shown something wrong. */
export class FoundWrong extends Error {
  override readonly name = "FoundWrong";
}

export class Walk {
  readonly #steps: readonly Step[];
  readonly judge: Judge;
  readonly model: DiskModel;
  readonly facts: Facts;
  /** Steps taken. */
  at: number;

  constructor(recording: Recording, beginning: WalkBeginning, sectors: Sectors) {
    this.#steps = recording.steps;
    this.judge = new Judge(beginning.stateAfter);
    this.model = new DiskModel(sectors, recording.image, beginning.version);
    this.facts = beginning.facts.copy();
    this.at = 0;
  }

  /** The next step changes the disk, or there is none: all that could be told by now was. */
  get isAtPoint(): boolean {
    return this.at === this.#steps.length || this.#steps[this.at]!.kind !== "told";
  }

  /** Throws `FoundWrong`. */
  next(): void {
    const step = this.#steps[this.at]!;
    if (step.kind === "told") takeFact(this.facts, step, this.judge);
    this.model.take(step);
    this.at += 1;
  }
}

export interface WalkBeginning {
  readonly version: number;
  readonly facts: Facts;
  readonly stateAfter: StateAfter;
}

function takeFact(facts: Facts, { fact }: Extract<Step, { kind: "told" }>, judge: Judge): void {
  if (fact.kind === "recovered") {
    // Of the start that it is: its own incarnation is told already.
    const before = Object.assign(facts.copy(), { incarnation: fact.found.incarnation - 1 });
    const verdict = judge.verdict(fact.found, before);
    if (verdict !== null) throw new FoundWrong(verdict);
  }
  facts.take(fact, (found, known) => judge.prefixOf(found, known));
}

/** What is true at the end of a recording that began with an empty disk. */
export function factsAfter({ steps }: Recording): Facts {
  const facts = new Facts();
  const judge = new Judge(() => "");
  for (const step of steps) if (step.kind === "told") takeFact(facts, step, judge);
  return facts;
}
