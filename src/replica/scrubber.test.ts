// A scrub comes to everything once a day, in slices that are far apart where there is little, and never close together.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DurableState, StateCorrupt } from "../machine/machine.js";
import { Scrubber } from "./scrubber.js";

const DAY = 86_400_000;

interface World {
  readonly scrubber: Scrubber;
  now: number;
  isBusy: boolean;
  readonly broken: Error[];
  /** When the machine was asked for a step, and the log for a piece. */
  readonly steps: number[];
  readonly pieces: number[];
  readonly files: number[];
  /** Runs until `time`. */
  until(time: number): Promise<void>;
}

/** A machine of `records` of which a step checks `perStep`, and a log of `slots` of 1,000 bytes each. */
function world(records: number, perStep: number, slots: number): World {
  let done = 0;
  const durable: DurableState = {
    held: () => ({ slot: 0, meta: new Uint8Array(0) }),
    commit: async () => {},
    uncommittedBytes: () => 0,
    close: async () => {},
    scrub() {
      w.steps.push(w.now);
      const checked = Math.min(perStep, records - done);
      done = (done + checked) % records;
      return { checked, part: checked / records, isEnd: done === 0 };
    },
  };
  const start = 5;
  const clock = { now: () => start };
  const w: World = {
    now: start,
    isBusy: false,
    broken: [],
    steps: [],
    pieces: [],
    files: [],
    scrubber: new Scrubber({
      durable,
      log: {
        size: slots * 1_000,
        async check(from, upTo, maxBytes) {
          w.pieces.push(w.now);
          const count = Math.min(upTo - from + 1, Math.floor(maxBytes / 1_000));
          return { next: from + count, bytes: count * 1_000 };
        },
      },
      checkFiles: async () => void w.files.push(w.now),
      appliedUpTo: () => slots,
      isBusy: () => w.isBusy,
      now: () => clock.now(),
      onBroken: (error) => w.broken.push(error),
    }),
    async until(time) {
      while (true) {
        await new Promise(setImmediate);
        if (this.scrubber.deadline > time) break;
        this.now = Math.max(this.now, this.scrubber.deadline);
        this.scrubber.elapse(this.now);
      }
      this.now = time;
    },
  };
  clock.now = () => w.now;
  return w;
}

test("everything is checked within a day, whatever its size, and not before the start is over", async () => {
  for (const [records, slots] of [
    [1, 1],
    [1_000, 500],
    [700_000, 20_000],
  ] as const) {
    const w = world(records, 700, slots);
    await w.until(DAY);
    assert.ok(w.steps[0]! >= 60_000 && w.pieces[0]! >= 60_000);
    // Once a pass over the log, before it.
    assert.equal(w.files[0], w.pieces[0]);
    assert.ok(w.files.length >= 2 && w.files.length <= 3, `${w.files.length} looks at files`);
    assert.ok(w.scrubber.passes >= 1 && w.scrubber.passes <= 3, `${w.scrubber.passes} passes`);
    assert.ok(w.scrubber.checkedRecords >= records);
    assert.ok(w.scrubber.checkedLogBytes >= slots * 1_000 && w.scrubber.checkedLogBytes <= slots * 3_000);
    for (const times of [w.steps, w.pieces]) {
      for (let i = 1; i < times.length; i += 1) assert.ok(times[i]! - times[i - 1]! >= 20, "with a pause");
    }
  }
});

test("while the state is replaced it waits", async () => {
  const w = world(1_000, 100, 10);
  w.isBusy = true;
  await w.until(DAY);
  assert.deepEqual([w.steps.length, w.files.length], [0, 0]);
  w.isBusy = false;
  await w.until(2 * DAY);
  assert.ok(w.scrubber.passes >= 1);
});

test("damage ends the replica, once; a log that cannot be read does, too, and a file that cannot be written", async () => {
  const broken: Error[] = [];
  let now = 0;
  const damage = new StateCorrupt("a record is damaged");
  let checkFiles = async () => {};
  const make = () =>
    new Scrubber({
      durable: {
        held: () => ({ slot: 0, meta: new Uint8Array(0) }),
        commit: async () => {},
        uncommittedBytes: () => 0,
        close: async () => {},
        scrub() {
          throw damage;
        },
      },
      log: { size: 1, check: () => Promise.reject(new Error("EIO")) },
      checkFiles: () => checkFiles(),
      appliedUpTo: () => 1,
      isBusy: () => false,
      now: () => now,
      onBroken: (error) => broken.push(error),
    });
  const scrubber = make();
  now = 60_000;
  scrubber.elapse(now);
  await new Promise(setImmediate);
  assert.deepEqual(
    broken.map(({ message }) => message),
    ["a record is damaged", "EIO"],
  );
  assert.equal(scrubber.deadline, Number.POSITIVE_INFINITY);
  checkFiles = () => Promise.reject(new Error("EROFS"));
  const other = make();
  now += 60_000;
  other.elapse(now);
  await new Promise(setImmediate);
  assert.deepEqual(broken.at(-1)?.message, "EROFS");
});
