// The grid of logs: four entries that everyone has executed and knows to be chosen, on volatile machines, so that after
// a start nothing but the logs has them; then bits of them are flipped, at each replica as a combination says.
import assert from "node:assert/strict";
import { Random } from "../../src/base/random.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import { isDamaged, lostParts, PARTS, REPLICAS, spread } from "./combination.js";
import { chosenUpToOf, type PlacedRecord, recordsOf } from "./log-records.js";
import { copyOf, type Disks, type History, type Outcome, Trial } from "./trial.js";

/**
 * Where the entries are on disk: in four batches with a mark after each; in one; or in one that nothing follows, so
 * that nobody remembers that they were chosen.
 */
export type LogLayout = "apart" | "together" | "votes";
/** What is damaged of them: the value; or the list of the batch, so that nobody can read what was in it. */
export type LogDamage = "value" | "list";

interface Written {
  readonly disks: Disks;
  /** Executed before the four entries. */
  readonly before: readonly string[];
}

const SYNC_MS = 20;
/** Until the last watermark has been synced everywhere. */
const QUIET_MS = 400;
const BEFORE = "the entry before";
const entryOf = (part: number) => `entry ${part + 1}`;

export class LogGrid {
  readonly #written: Written;
  readonly #layout: LogLayout;
  readonly #damage: LogDamage;

  private constructor(written: Written, layout: LogLayout, damage: LogDamage) {
    this.#written = written;
    this.#layout = layout;
    this.#damage = damage;
  }

  static async make(layout: LogLayout, damage: LogDamage): Promise<LogGrid> {
    const written = layout === "apart" ? await apart() : await together(layout === "votes");
    check(written, layout);
    return new LogGrid(written, layout, damage);
  }

  try(combination: number): Promise<Outcome> {
    const { before } = this.#written;
    const disks = copyOf(this.#written.disks);
    const random = new Random(combination);
    for (const [id, disk] of disks) {
      for (const record of recordsOf(disk)) {
        const part = record.slot - before.length - 1;
        if (PARTS.includes(part) && isDamaged(combination, id, part))
          flip(disk, record, this.#damage, random);
      }
    }
    return new Trial(disks).run(this.#history(combination));
  }

  /** A list is about all entries of its batch. */
  effect(combination: number): number {
    return this.#layout !== "apart" && this.#damage === "list" ? spread(combination) : combination;
  }

  #history(combination: number): History {
    const { before } = this.#written;
    const texts = [...before, ...PARTS.map(entryOf)];
    const lost = lostParts(this.effect(combination));
    if (lost.length === 0) return { texts, loss: null };
    const slots = lost.map((part) => before.length + 1 + part);
    const alarm = `what was in slot${slots.length === 1 ? "" : "s"} ${runs(slots)} is lost, `;
    const isKnown = this.#layout !== "votes";
    return { texts, loss: { safe: before.length + lost[0]!, slot: slots[0]!, alarms: [alarm], isKnown } };
  }
}

/** Such as `2, 4 to 5`. */
function runs(slots: readonly number[]): string {
  const isEnd = (slot: number) => !slots.includes(slot + 1);
  const starts = slots.filter((slot) => !slots.includes(slot - 1));
  const texts = starts.map((from) => {
    const to = slots.find((slot) => slot >= from && isEnd(slot))!;
    return from === to ? `${from}` : `${from} to ${to}`;
  });
  return texts.join(", ");
}

function flip(disk: MemoryDisk, record: PlacedRecord, damage: LogDamage, random: Random): void {
  const { file, batch, offset, length } = record;
  // Header and lists are what comes before the first value.
  const [from, bytes] =
    damage === "value" ? [offset, length] : [batch.offset, record.valuesAt - batch.offset];
  disk.bytesOf(file)[from + random.below(bytes)]! ^= 1 << random.below(8);
}

async function apart(): Promise<Written> {
  const { cluster } = new Trial(new Map());
  await cluster.startAll();
  const leader = await cluster.leader();
  for (const part of PARTS) {
    await cluster.clock.settle(cluster.replica(leader).propose(entryOf(part)));
    await cluster.clock.pass(QUIET_MS);
  }
  for (const id of REPLICAS) await cluster.crash(id, false);
  return { disks: cluster.disks, before: [] };
}

/** While the entry before is being synced the four come, one after the other: the next batch has them all. */
async function together(endsAtOnce: boolean): Promise<Written> {
  let syncMs = 0;
  const { cluster } = new Trial(new Map(), { syncMs: () => syncMs });
  await cluster.startAll();
  const leader = await cluster.leader();
  syncMs = SYNC_MS;
  const results: Promise<number>[] = [];
  for (const text of [BEFORE, ...PARTS.map(entryOf)]) {
    results.push(cluster.replica(leader).propose(text));
    await cluster.clock.pass(1);
  }
  await cluster.clock.settle(Promise.all(results));
  await cluster.clock.pass(endsAtOnce ? 2 * SYNC_MS : QUIET_MS);
  for (const id of REPLICAS) await cluster.crash(id, false);
  return { disks: cluster.disks, before: [BEFORE] };
}

/** The logs are what the grid is about. */
function check({ disks, before }: Written, layout: LogLayout): void {
  for (const id of REPLICAS) {
    const records = recordsOf(disks.get(id)!).filter(({ slot }) => slot > before.length);
    const slots = PARTS.map((part) => before.length + 1 + part);
    const found = records.map(({ slot }) => slot);
    assert.deepEqual(found, slots, `replica ${id} has each entry once in its log`);
    const chosen = chosenUpToOf(disks.get(id)!);
    if (layout === "votes") assert.ok(chosen <= before.length, `replica ${id} remembers slot ${chosen}`);
    else assert.equal(chosen, slots.at(-1), `what replica ${id} remembers`);
    const batches = new Set(records.map(({ batch }) => batch.sequence));
    assert.equal(batches.size, layout === "apart" ? PARTS.length : 1, `batches of replica ${id}`);
  }
}
