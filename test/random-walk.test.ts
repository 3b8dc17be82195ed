// Random walks over three and five replicas with all invariants after each event. `WALKS=100000` runs more,
// `WALK=seed` replays one with its trace.
import assert from "node:assert/strict";
import { test } from "node:test";
import { walk } from "./cluster/walk.js";

const WALKS = Number(process.env.WALKS ?? 800);
const FIRST = Number(process.env.WALK_FROM ?? 1);

function optionsOf(seed: number) {
  return { seed, replicas: seed % 3 === 0 ? 5 : 3, steps: 100 + (seed % 5) * 100 };
}

function replay(seed: number): string {
  const trace: string[] = [];
  try {
    walk({ ...optionsOf(seed), trace });
  } catch (error) {
    trace.push(String(error));
  }
  return trace.join("\n");
}

const one = process.env.WALK;
if (one !== undefined) {
  test(`walk ${one}`, () => {
    console.log(replay(Number(one)));
    walk(optionsOf(Number(one)));
  });
} else {
  test(`${WALKS} random walks break no invariant, and after healing every one makes progress`, () => {
    const sums = { chosen: 0, ballots: 0, reads: 0 };
    for (let seed = FIRST; seed < FIRST + WALKS; seed += 1) {
      try {
        const { chosen, ballots, reads } = walk(optionsOf(seed));
        sums.chosen += chosen;
        sums.ballots += ballots;
        sums.reads += reads;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(`walk ${seed}: ${message}\nreplay: WALK=${seed} npm test random-walk`, {
          cause: error,
        });
      }
    }
    // Walks that choose nothing prove nothing.
    assert.ok(sums.chosen > WALKS && sums.ballots > WALKS, JSON.stringify(sums));
  });
}
