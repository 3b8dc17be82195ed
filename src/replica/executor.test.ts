// Executing: order, once, refusals, slices, and reading back what did not fit in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StateCorrupt, type StateMachine } from "../machine/machine.js";
import type { ChosenEntry } from "../paxos/message.js";
import { Sessions } from "../paxos/sessions.js";
import { encodeBatch, NOOP } from "../paxos/value.js";
import { CommandRefused } from "./errors.js";
import { Executor } from "./executor.js";
import { decodeMeta } from "./state-meta.js";

type Machine = StateMachine<string, string, null, string>;

function fixture(log: ChosenEntry[] = [], now = () => 0) {
  const applied: string[] = [];
  const outcomes = new Map<number, string | Error>();
  const machine: Machine = {
    encode: (text) => new TextEncoder().encode(text),
    decode(bytes) {
      const text = new TextDecoder().decode(bytes);
      if (text === "undecodable") throw new SyntaxError("no command");
      return text;
    },
    apply(text, slot) {
      if (text === "poison") throw new Error("poison");
      if (text === "damage") throw new StateCorrupt("a record is damaged");
      applied.push(`${slot}:${text}`);
      return text.toUpperCase();
    },
    query: () => applied.join(),
    async *snapshot() {},
    async restore() {},
  };
  const executor = new Executor<string, string, null, string>({
    machine,
    sessions: new Sessions(),
    self: 1,
    incarnation: 2,
    appliedUpTo: 0,
    noted: null,
    digestInterval: 2,
    replies: {
      resolve: (number, result) => outcomes.set(number, result),
      reject: (number, error) => outcomes.set(number, error),
    },
    readChosen: async (fromSlot) => log.filter(({ slot }) => slot >= fromSlot).slice(0, 3),
    now,
  });
  const entry = (slot: number, ...commands: [string, number, number?, number?][]): ChosenEntry => ({
    slot,
    value: encodeBatch(
      commands.map(([text, number, origin = 1, incarnation = 2]) => {
        return { origin, incarnation, number, settled: 0, payload: machine.encode(text) };
      }),
    ),
  });
  return { executor, applied, outcomes, entry };
}

test("commands are executed once, in slot order; only the own life's callers are answered", () => {
  const { executor, applied, outcomes, entry } = fixture();
  executor.enqueue([entry(1, ["a", 1], ["b", 1, 3]), { slot: 2, value: NOOP }, entry(3, ["a", 1], ["c", 2])]);
  executor.run();
  assert.deepEqual(applied, ["1:a", "1:b", "3:c"]);
  assert.deepEqual(
    [...outcomes],
    [
      [1, "A"],
      [2, "C"],
    ],
  );
  assert.equal(executor.appliedUpTo, 3);
  executor.enqueue([entry(4, ["old", 3, 1, 1])]);
  executor.run();
  assert.equal(executor.appliedUpTo, 4);
  assert.equal(applied.length, 3);
});

test("F32: a poison command is a refusal for its caller, and the replica lives on", () => {
  const { executor, applied, outcomes, entry } = fixture();
  executor.enqueue([entry(1, ["poison", 1], ["undecodable", 2], ["fine", 3]), entry(2, ["next", 1, 2, 1])]);
  executor.run();
  assert.deepEqual(applied, ["1:fine", "2:next"]);
  assert.ok(outcomes.get(1) instanceof CommandRefused);
  assert.ok(outcomes.get(2) instanceof CommandRefused);
  assert.equal(outcomes.get(3), "FINE");
  const { executor: other, applied: same } = fixture();
  other.enqueue([{ slot: 1, value: Uint8Array.of(1, 200, 9, 9) }, entry(2, ["poison", 1, 7])]);
  other.run();
  assert.deepEqual([other.appliedUpTo, same], [2, []]);
});

test("damage of the own state is no refusal: the replica stops before it differs from the others", () => {
  const { executor, applied, outcomes, entry } = fixture();
  executor.enqueue([entry(1, ["fine", 1]), entry(2, ["damage", 2])]);
  assert.throws(() => executor.run(), StateCorrupt);
  assert.deepEqual([executor.appliedUpTo, applied], [1, ["1:fine"]]);
  assert.equal(outcomes.get(2), undefined);
});

test("a slice ends after its time, at the end of a slot", () => {
  let time = 0;
  const { executor, entry } = fixture([], () => (time += 3));
  executor.enqueue([entry(1, ["a", 1], ["b", 2]), entry(2, ["c", 3]), entry(3, ["d", 4])]);
  executor.run();
  assert.equal(executor.appliedUpTo, 2);
  assert.equal(executor.canRun, true);
  executor.isPaused = true;
  assert.equal(executor.canRun, false);
  executor.run();
  assert.equal(executor.appliedUpTo, 2);
  executor.isPaused = false;
  executor.run();
  assert.equal(executor.appliedUpTo, 3);
});

test("a gap is our bug", () => {
  const { executor, entry } = fixture();
  assert.throws(() => executor.enqueue([entry(2, ["a", 1])]), /without gaps/);
});

test("what does not fit in memory is read back from the log", async () => {
  const { entry: make } = fixture();
  const log: ChosenEntry[] = [{ slot: 1, value: new Uint8Array(65 << 20) }];
  for (let slot = 2; slot <= 9; slot += 1) log.push(make(slot, [`c${slot}`, slot]));
  const { executor, applied } = fixture(log);
  executor.enqueue(log.slice(0, 8));
  executor.run();
  assert.deepEqual([executor.appliedUpTo, executor.chosenUpTo, executor.needsLog], [1, 8, true]);
  const refill = executor.refill();
  assert.equal(executor.needsLog, false);
  executor.enqueue(log.slice(8));
  while (await (executor.appliedUpTo === 1 ? refill : executor.refill())) executor.run();
  assert.deepEqual([executor.appliedUpTo, executor.chosenUpTo, executor.needsLog], [9, 9, false]);
  assert.deepEqual(
    applied,
    [2, 3, 4, 5, 6, 7, 8, 9].map((slot) => `${slot}:c${slot}`),
  );
});

test("a digest is noted after each slot that the interval divides, and told once; a fenced state stands still", () => {
  const { executor, entry } = fixture();
  executor.enqueue([entry(1, ["a", 1]), entry(2, ["b", 2]), entry(3, ["c", 3])]);
  executor.run();
  const [event, ...none] = executor.take();
  assert.deepEqual(none, []);
  assert.ok(event?.kind === "digest" && event.slot === 2);
  assert.deepEqual(executor.take(), []);
  assert.deepEqual(decodeMeta(executor.meta())!.noted, { slot: 2, digest: event.digest });
  executor.isFenced = true;
  executor.enqueue([entry(4, ["d", 4]), entry(5, ["e", 5])]);
  executor.run();
  assert.deepEqual([executor.appliedUpTo, executor.canRun, executor.needsLog], [3, false, false]);
  // A state of the same slot takes its place, with what belongs to it; then it goes on.
  executor.jump(3, { sessions: new Sessions(), noted: { slot: 2, digest: 7 } });
  executor.isFenced = false;
  assert.deepEqual(executor.take(), [{ kind: "digest", slot: 2, digest: 7 }]);
  assert.deepEqual(decodeMeta(executor.meta())!.noted, { slot: 2, digest: 7 });
  executor.run();
  assert.equal(executor.appliedUpTo, 5);
  assert.deepEqual(
    executor.take().map((told) => told.kind === "digest" && told.slot),
    [4],
  );
  assert.throws(() => executor.jump(5, { sessions: new Sessions(), noted: null }), /void/);
});
