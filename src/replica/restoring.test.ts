// When a replica asks for a snapshot by itself, whom, and how long it waits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Restoring } from "./restoring.js";

const info = (slot: number) => ({ slot, bytes: 1000, sum: slot });

function restoringOf(heldUpTo: number) {
  const state = { heldUpTo, isBusy: false, linked: [2, 3] };
  const said: string[] = [];
  const restoring = new Restoring(
    {
      heldUpTo: () => state.heldUpTo,
      neededUpTo: () => 10,
      linked: () => state.linked,
      isBusy: () => state.isBusy,
      send: (to, { slot, bytes }) => void said.push(`asks ${to.join()} for ${slot}, ${bytes}`),
      onFault: (text) => void said.push(text),
    },
    0,
  );
  /** Lets time pass until `ms`, and gives what was done. */
  const until = (ms: number) => {
    while (restoring.deadline <= ms) restoring.elapse(restoring.deadline);
    return said.splice(0);
  };
  return { restoring, state, until, said };
}

test("one that has its state, or can execute the log, looks for nothing", () => {
  for (const held of [10, 11]) assert.equal(restoringOf(held).restoring.deadline, Number.POSITIVE_INFINITY);
});

test("it asks one after the other for any that reaches back as far as the log, and waits longer each time", () => {
  const { until } = restoringOf(9);
  assert.deepEqual(until(499), []);
  const round = ["asks 2 for 10, 0", "asks 3 for 10, 0"];
  assert.deepEqual(until(1500), round);
  assert.deepEqual(until(3000), round);
  assert.deepEqual(until(5000), round);
  for (const minutes of [2, 4, 6, 8]) {
    const { length } = until(minutes * 60_000);
    assert.ok(length >= 2 && length <= 16, `${length} in two minutes`);
  }
});

test("it waits while a snapshot comes, and stops for good when the state is there", () => {
  const { state, until, restoring } = restoringOf(9);
  state.isBusy = true;
  assert.deepEqual(until(5000), []);
  state.isBusy = false;
  assert.deepEqual(until(5500), ["asks 2 for 10, 0"]);
  state.heldUpTo = 20;
  assert.deepEqual(until(100_000), []);
  assert.equal(restoring.deadline, Number.POSITIVE_INFINITY);
});

const ADVICE = /restore the cluster from a backup$/;

test("who is only behind is never advised to restore a backup, nor is anyone the first time", () => {
  for (const held of [9, 10]) {
    const { restoring, said } = restoringOf(held);
    for (let i = 0; i < 4; i += 1) restoring.stuck(info(20), 512);
    const isAdvice = said.map((text) => ADVICE.test(text));
    assert.deepEqual(isAdvice, held === 9 ? [false, true] : [false]);
  }
});

test("what nobody has is an alarm, told once for each place, until the state is there", () => {
  const { restoring, state, said } = restoringOf(9);
  restoring.stuck(info(20), 512);
  restoring.stuck(info(12), 700);
  restoring.stuck(info(20), 900);
  const alarm = (offset: number, slot: number) =>
    new RegExp(
      `^no replica that can be reached has bytes ${offset} and following of the snapshot of slot ${slot} `,
    );
  const expected = [alarm(512, 20), alarm(700, 12), alarm(900, 20)];
  assert.equal(said.length, 3);
  for (const [i, text] of said.entries()) assert.match(text, expected[i]!);
  assert.equal(restoring.alarms.length, 2);
  assert.match(restoring.alarms[0]!, alarm(900, 20));
  state.heldUpTo = 20;
  assert.deepEqual(restoring.alarms, []);
});
