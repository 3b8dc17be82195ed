// Readings of snapshot files: one after the other for those who wait, and a scrub beside them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SnapshotCheck } from "./snapshot-check.js";
import { SnapshotDamaged, type SnapshotInfo } from "./snapshot-format.js";

const settled = () => new Promise(setImmediate);
const [ten, twenty] = [10, 20].map((slot) => ({ slot, bytes: 1000, sum: 7 })) as [SnapshotInfo, SnapshotInfo];

interface Reading {
  readonly slot: number;
  part(): Promise<boolean>;
  end(wrong?: Error | null): void;
  fail(error: Error): void;
}

function make() {
  const readings: Reading[] = [];
  const told: string[] = [];
  const world = { now: 0, onChecked: () => {} };
  const check = new SnapshotCheck({
    files: {
      check: ({ slot }, goesOn) =>
        new Promise((resolve, reject) => {
          readings.push({ slot, part: () => goesOn!(), end: (wrong = null) => resolve(wrong), fail: reject });
        }),
    },
    now: () => world.now,
    onFault: (text) => told.push(text),
    onDamaged: ({ slot }) => told.push(`damaged ${slot}`),
    onChecked: () => {
      told.push("checked");
      world.onChecked();
    },
    onFailed: (error) => told.push(`failed: ${error.message}`),
  });
  const slots = () => readings.map(({ slot }) => slot);
  return { check, readings, slots, told, world };
}

test("what somebody waits for is read in its turn, once, and whoever waits is told after each", async () => {
  const { check, readings, slots, told, world } = make();
  // Who is told looks whether it is still being read, and may have another one read.
  world.onChecked = () => {
    assert.deepEqual([check.isOf(ten), check.isOf(twenty)], [false, readings.length === 1]);
    if (readings.length === 2) world.onChecked = () => {};
  };
  for (const info of [ten, twenty, ten, twenty]) assert.equal(check.begin(info), true);
  assert.deepEqual([slots(), check.isOf(ten), check.isOf(twenty)], [[10], true, true]);
  assert.equal(await readings[0]!.part(), true);
  readings[0]!.end();
  await settled();
  assert.deepEqual([slots(), told], [[10, 20], ["checked"]]);
  readings[1]!.end(new SnapshotDamaged("rot"));
  await check.idle();
  assert.deepEqual(told, [
    "checked",
    "rot; it is put aside, and others are given a new one",
    "damaged 20",
    "checked",
  ]);
  assert.deepEqual([check.begin(twenty), slots()], [false, [10, 20]]);
  world.now = 60_000;
  assert.deepEqual([check.begin(twenty), slots()], [true, [10, 20, 20]]);
});

test("one that is wanted by who is told that another was read is read next", async () => {
  const { check, readings, slots, world } = make();
  world.onChecked = () => void check.begin(twenty);
  check.begin(ten);
  readings[0]!.end();
  await settled();
  assert.deepEqual(slots(), [10, 20]);
  readings[1]!.end();
  await check.idle();
  assert.deepEqual(slots(), [10, 20]);
});

test("a scrub waits for nobody, nobody for it, and what it has read may have rotted since", async () => {
  const { check, readings, slots, told } = make();
  let goOn = () => {};
  const pause = () =>
    new Promise<void>((resolve) => {
      goOn = resolve;
    });
  let isOver = false;
  const scrubbed = check.scrub(ten, pause).then(() => {
    isOver = true;
  });
  const part = readings[0]!.part();
  await check.idle();
  assert.equal(check.isOf(ten), false);
  assert.deepEqual([check.begin(ten), check.isOf(ten), slots()], [true, true, [10, 10]]);
  assert.equal(await readings[1]!.part(), true, "without a pause");
  readings[1]!.end();
  await check.idle();
  assert.deepEqual([told, isOver], [["checked"], false]);
  goOn();
  assert.equal(await part, true);
  readings[0]!.end(new SnapshotDamaged("rot"));
  await scrubbed;
  // Nobody waits for it.
  assert.deepEqual(told.slice(1), ["rot; it is put aside, and others are given a new one", "damaged 10"]);
});

test("after a stop what is read is not read to its end, nothing is begun, and nothing told", async () => {
  const { check, readings, slots, told } = make();
  const scrubbed = check.scrub(ten, async () => {});
  check.begin(ten);
  check.begin(twenty);
  check.stop();
  for (const reading of readings) {
    assert.equal(await reading.part(), false);
    reading.end(new SnapshotDamaged("rot"));
  }
  await scrubbed;
  await check.idle();
  await check.scrub(twenty, async () => {});
  assert.equal(check.begin({ ...ten, sum: 8 }), false);
  assert.deepEqual([slots(), told], [[10, 10], []]);
});

test("a write that fails is told, of a scrub to who began it", async () => {
  const { check, readings, told } = make();
  const scrubbed = check.scrub(ten, async () => {});
  check.begin(ten);
  readings[0]!.fail(new Error("EIO"));
  await assert.rejects(scrubbed, /EIO/);
  assert.deepEqual(told, []);
  readings[1]!.fail(new Error("EROFS"));
  await check.idle();
  assert.deepEqual(told, ["failed: EROFS"]);
});
