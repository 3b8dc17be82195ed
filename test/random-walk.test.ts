// Random walks over three to five replicas with all invariants after each event. `WALKS=100000` runs more,
// `WALK=seed` replays one with its trace.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Reached, walk, walkOf } from "./cluster/walk.js";

const WALKS = Number(process.env.WALKS ?? 1000);
const FIRST = Number(process.env.WALK_FROM ?? 1);

function replay(seed: number): string {
  const trace: string[] = [];
  try {
    walk({ ...walkOf(seed), trace });
  } catch (error) {
    trace.push(String(error));
  }
  return trace.join("\n");
}

const one = process.env.WALK;
if (one !== undefined) {
  test(`walk ${one}`, () => {
    console.log(replay(Number(one)));
    walk(walkOf(Number(one)));
  });
} else {
  test(`${WALKS} random walks break no invariant, and after healing every one makes progress`, () => {
    const sums: Reached = { chosen: 0, ballots: 0, reads: 0, contested: 0, strikes: 0, voids: 0, fences: 0 };
    for (let seed = FIRST; seed < FIRST + WALKS; seed += 1) {
      try {
        const reached = walk(walkOf(seed));
        for (const key of Object.keys(sums) as (keyof Reached)[]) sums[key] += reached[key];
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(`walk ${seed}: ${message}\nreplay: WALK=${seed} npm test random-walk`, {
          cause: error,
        });
      }
    }
    console.log(`in ${WALKS} walks: ${JSON.stringify(sums)}`);
    const { fences, ...others } = sums;
    assert.ok(Math.min(...Object.values(others)) > WALKS / 8, "walks in which nothing happens prove nothing");
    assert.ok(fences > WALKS / 80, "nor do those in which states differ and nobody notices");
  });
}
