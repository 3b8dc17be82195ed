// States that rot, in runs without any other fault: those outside of the majority are fenced, also where that is the
// rotten ones, nobody else is, and in the end all have the state of the majority.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawSchedule } from "./draw-schedule.js";
import { simulate } from "./run.js";

const drain = () => new Promise<void>((resolve) => setImmediate(resolve));
const END_MS = 6000;

async function runOf(seed: number, replicas: number) {
  const drawn = drawSchedule(seed, END_MS);
  const faults = [{ at: 1200, fault: "states rot", duration: 0, seed }];
  const schedule = { ...drawn, replicas, damageable: [], end: END_MS, goesOn: 0, faults };
  const lines: string[] = [];
  const trace = (_at: number, _id: number, text: string) => lines.push(text);
  const { violation, reached } = await simulate({ schedule, drain, trace });
  assert.equal(violation, null, `seed ${seed}`);
  const [, who, alike] = /^the states of ([\d, ]+) rot( alike)?$/m.exec(lines.join("\n"))!;
  return { rotten: who!.split(", ").length, areAlike: alike !== undefined, reached };
}

for (const replicas of [3, 5]) {
  test(`of ${replicas} those outside of the majority are fenced, and take its state`, async () => {
    const manners = new Set<string>();
    for (let seed = 1; seed <= 10; seed += 1) {
      const { rotten, areAlike, reached } = await runOf(seed, replicas);
      const sound = replicas - rotten;
      manners.add(`${rotten}${areAlike && rotten > 1 ? " alike" : ""}`);
      const outside = Math.min(rotten, sound);
      const what = `seed ${seed}: ${rotten} rot ${areAlike ? "alike" : "each in its own way"}`;
      assert.equal(reached.get("told diverged"), outside, what);
      assert.equal(reached.get("a fenced replica has the state of the majority"), outside, what);
    }
    const wanted = replicas === 3 ? ["1", "2 alike"] : ["1", "2", "2 alike", "3 alike"];
    for (const manner of wanted) assert.ok(manners.has(manner), `${manner}: ${[...manners].join("; ")}`);
  });
}
