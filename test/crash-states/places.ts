// Where chance decides what a failure of power leaves, and which outcomes are tried: all of them where they are few,
// else those that stand out, and of the rest what the seed draws, none of them twice.
import type { Random } from "../../src/base/random.js";

/** Outcomes are counted from 0: as if nothing had happened since the last sync. The last: as if all of it had. */
export type Place = { readonly outcomes: number } & (
  | { readonly kind: "name"; readonly step: number }
  | { readonly kind: "store" }
  | { readonly kind: "sector"; readonly file: number; readonly sector: number }
  | { readonly kind: "length"; readonly file: number }
);

/** An outcome for every place. */
export type Choice = readonly number[];

/** Draws of which nothing new comes, in a row, until no more are made. */
const PATIENCE = 50;

/** How many choices there are. */
export function choicesAt(places: readonly Place[]): number {
  return places.reduce((product, { outcomes }) => product * outcomes, 1);
}

/** At most `most` choices of all that there are; all of them, if they are no more. */
export function* choicesOf(places: readonly Place[], most: number, random: Random): Generator<Choice> {
  const all = choicesAt(places);
  if (all <= most) {
    for (let number = 0; number < all; number += 1) yield choiceOf(places, number);
    return;
  }
  const seen = new Set<string>();
  const isNew = (choice: Choice) => {
    const { size } = seen;
    return seen.add(choice.join()).size > size;
  };
  for (const choice of outstanding(places)) {
    if (seen.size >= most) return;
    if (isNew(choice)) yield choice;
  }
  for (let misses = 0; seen.size < most && misses < PATIENCE; ) {
    const choice = drawChoice(places, random);
    if (isNew(choice)) {
      misses = 0;
      yield choice;
    } else misses += 1;
  }
}

function choiceOf(places: readonly Place[], number: number): Choice {
  let rest = number;
  return places.map(({ outcomes }) => {
    const outcome = rest % outcomes;
    rest = (rest - outcome) / outcomes;
    return outcome;
  });
}

/** Nothing, everything, one thing alone, and all but one. */
function* outstanding(places: readonly Place[]): Generator<Choice> {
  const nothing = places.map(() => 0);
  const everything = places.map(({ outcomes }) => outcomes - 1);
  yield nothing;
  yield everything;
  for (const [at, { outcomes }] of places.entries()) {
    yield everything.with(at, 0);
    for (let outcome = 1; outcome < outcomes; outcome += 1) yield nothing.with(at, outcome);
  }
}

export function drawChoice(places: readonly Place[], random: Random): Choice {
  const kept = [0.15, 0.5, 0.85][random.below(3)]!;
  return places.map(({ outcomes }) => (random.next() < kept ? 1 + random.below(outcomes - 1) : 0));
}
