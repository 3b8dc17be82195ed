// Random workloads that end in random ways, against a model: whatever the disk keeps of what was not synced, a log
// shows the state after some prefix of its turns, and never less than was proven; of what is compacted, nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DyingDisk } from "../../test/support/dying-disk.js";
import { chosen, learned, quiet, text, vote, WalLife } from "../../test/support/wal-life.js";
import { checkPrefix, LogState, type Turn } from "../../test/support/wal-model.js";
import { Random } from "../base/random.js";
import type { LogRecord } from "../paxos/outbox.js";
import { MemoryDisk } from "./memory-disk.js";

const chosenValue = (slot: number) => `chosen ${slot} ${"v".repeat((slot * 97) % 700)}`;

class Workload {
  readonly random: Random;
  turns: Turn[] = [];
  /** The first turn of this life, and how many of all turns are known durable. */
  durable = 0;
  ballot = 1;
  state = new LogState();
  /** What the machine holds durably, and how far the log is compacted at least. */
  heldUpTo = 0;
  compactedUpTo = 0;
  /** Segments that were there at the end of a life and are gone, of all walks. */
  static removed = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Keeps to what the core does: no vote in a slot known chosen, no watermark over a slot without its value. */
  nextTurn(): Turn {
    const records: LogRecord[] = [];
    const state = LogState.of(this.turns);
    const raises = this.random.below(8) === 0;
    if (raises) this.ballot += 1;
    const promise = raises ? this.ballot : 0;
    for (let count = this.random.below(4); count > 0; count -= 1) {
      const slot = 1 + Math.max(state.watermark, this.heldUpTo) + this.random.below(6);
      const kind = this.random.below(6);
      const record = kind === 0 ? learned(slot, chosenValue(slot)) : this.#vote(slot);
      if (record.kind === "accepted" && state.slots.get(slot)?.chosen) continue;
      records.push(record);
      state.add({ promise: 0, records: [record] });
    }
    let upTo = Math.max(state.watermark, this.heldUpTo);
    while (state.slots.get(upTo + 1)?.value === chosenValue(upTo + 1)) upTo += 1;
    if (upTo > state.watermark && this.random.below(3) === 0) records.push(chosen(upTo));
    return { promise, records };
  }

  #vote(slot: number) {
    const other = this.random.below(3) === 0;
    const zeros = "\0".repeat(this.random.below(4) === 0 ? 1800 : 0);
    return vote(slot, this.ballot, text(other ? `other ${this.random.below(9)}${zeros}` : chosenValue(slot)));
  }
}

async function run(seed: number, lives: number): Promise<void> {
  const work = new Workload(seed);
  const { random } = work;
  /** Operations that the disk still does; then the power is gone. */
  let budget = 0;
  const disk = new MemoryDisk({
    schedule: (_, __, task) => {
      budget -= 1;
      if (budget >= 0) queueMicrotask(task);
    },
  });
  for (let count = 0; count < lives; count += 1) {
    budget = random.below(3) === 0 ? random.below(60) : 10_000;
    const appliedUpTo = work.heldUpTo;
    // With the life its view of the disk ends, be files still to be removed.
    const view = new DyingDisk(disk);
    const opening = WalLife.open(view, { segmentBytes: 4096 * (1 + random.below(3)), appliedUpTo });
    const life = await Promise.race([
      opening,
      quiet()
        .then(quiet)
        .then(() => null),
    ]);
    const stops = random.below(4) === 0;
    if (stops) view.left = random.below(80);
    if (life !== null) await live(work, life);
    const ending = random.below(5);
    if (life !== null && ending === 0 && budget > 100 && !stops) {
      await life.wal.close();
      work.durable = work.turns.length;
      disk.crash(random);
    } else if (ending <= 2) {
      disk.kill();
    } else {
      disk.crash(ending === 3 ? null : random);
    }
    view.left = 0;
  }
  budget = 10_000;
  const last = await WalLife.open(disk, { appliedUpTo: work.heldUpTo });
  await checkPrefix(last, work.turns, work.durable, work.heldUpTo);
  assert.ok(last.recovered.compactedUpTo >= work.compactedUpTo);
  const first = disk.names().find((name) => name.startsWith("log-"));
  if (first !== undefined) Workload.removed += Number(first.slice(4)) - 1;
}

async function live(work: Workload, life: WalLife): Promise<void> {
  const { random } = work;
  const found = await checkPrefix(life, work.turns, work.durable, work.heldUpTo);
  assert.ok(life.recovered.compactedUpTo >= work.compactedUpTo);
  work.compactedUpTo = life.recovered.compactedUpTo;
  // What was read is durable from now on, and nothing else is there.
  work.turns = [...work.turns.slice(0, found), { promise: life.recovered.promised, records: [] }];
  const before = work.turns.length;
  work.durable = before;
  work.ballot = Math.max(work.ballot, life.recovered.promised);
  for (let count = random.below(25); count > 0; count -= 1) {
    const turn = work.nextTurn();
    work.turns.push(turn);
    const isUrgent = turn.promise > 0 || turn.records.some(({ kind }) => kind !== "chosen");
    life.append(turn.records, turn.promise, isUrgent);
    if (random.below(3) === 0) await quiet();
    if (random.below(6) === 0) life.clock.advance(10);
    if (random.below(5) === 0) compact(work, life, before + life.provenTurn);
  }
  if (random.below(2) === 0) await quiet();
  assert.deepEqual(life.failures, []);
  work.durable = before + life.provenTurn;
}

/** What is proven chosen is executed and committed; of that some is compacted, or a snapshot comes from far above. */
function compact(work: Workload, life: WalLife, proven: number): void {
  const { random } = work;
  work.heldUpTo = Math.max(work.heldUpTo, LogState.of(work.turns.slice(0, proven)).watermark);
  let upTo = work.compactedUpTo + random.below(work.heldUpTo - work.compactedUpTo + 1);
  const kind = random.below(12);
  if (kind < 6) upTo = life.wal.compactable(work.heldUpTo, random.below(12_000));
  if (kind === 11) {
    work.heldUpTo += random.below(30);
    upTo = work.heldUpTo;
  }
  assert.ok(upTo <= work.heldUpTo);
  life.wal.compact(upTo).then(
    () => {
      work.compactedUpTo = Math.max(work.compactedUpTo, upTo);
      assert.ok(life.wal.compactedUpTo >= upTo);
    },
    () => {},
  );
}

test("any workload and any end: the log shows a prefix of its turns, with all that was proven", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1 }), fc.integer({ min: 1, max: 6 }), (seed, lives) =>
      run(seed, lives),
    ),
    // The examples: a life that died within a sync, and a later one that synced the same file; a first life that was
    // killed as it made the copies of the promise, and a power loss as the second one made a segment.
    {
      numRuns: Number(process.env.WALKS ?? 2000),
      examples: [
        [1834238562, 5],
        [1278158970, 2],
        [1342677093, 2],
      ],
    },
  );
  assert.ok(
    Workload.removed > Number(process.env.WALKS ?? 2000) / 20,
    `${Workload.removed} segments were removed`,
  );
});
