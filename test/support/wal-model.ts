// What a log must show, worked out in the plainest way from the turns that were appended, and the two ways to compare:
// after a crash (some prefix, exactly) and after damage (the truth or "faulty", never silence, never a lie).
import assert from "node:assert/strict";
import type { Ballot, Slot } from "../../src/paxos/ballot.js";
import type { LogRecord } from "../../src/paxos/outbox.js";
import { textOf, type WalLife } from "./wal-life.js";

export interface Turn {
  readonly promise: Ballot;
  readonly records: readonly LogRecord[];
}

interface Held {
  readonly ballot: Ballot;
  readonly value: string;
  chosen: boolean;
}

export class LogState {
  promised: Ballot = 0;
  watermark: Slot = 0;
  readonly slots = new Map<Slot, Held>();

  static of(turns: readonly Turn[]): LogState {
    const state = new LogState();
    for (const turn of turns) state.add(turn);
    return state;
  }

  add({ promise, records }: Turn): void {
    this.promised = Math.max(this.promised, promise);
    for (const record of records) {
      if (record.kind === "chosen") {
        this.watermark = Math.max(this.watermark, record.upTo);
        for (const [slot, held] of this.slots) if (slot <= record.upTo) held.chosen = true;
      } else if (record.kind === "learned") {
        this.slots.set(record.slot, { ballot: 0, value: textOf(record.value), chosen: true });
      } else if (record.kind === "accepted") {
        this.promised = Math.max(this.promised, record.ballot);
        if (this.slots.get(record.slot)?.chosen) continue;
        this.slots.set(record.slot, { ballot: record.ballot, value: textOf(record.value), chosen: false });
      }
    }
  }

  /** As `describeShown` says it of a log that is compacted so far, beside a machine that holds so much. */
  describe(compactedUpTo: Slot = 0, heldUpTo: Slot = 0): string {
    let chosenUpTo = heldUpTo;
    while (this.slots.get(chosenUpTo + 1)?.chosen) chosenUpTo += 1;
    const lines = [`chosenUpTo ${chosenUpTo}`];
    for (const [slot, { ballot, value, chosen }] of [...this.slots].sort((a, b) => a[0] - b[0])) {
      if (slot <= compactedUpTo) continue;
      lines.push(chosen ? `${slot}=${value}` : `${slot}@${ballot}=${value}`);
    }
    return lines.join("\n");
  }
}

/** What an opened log shows, values read back included. */
export async function describeShown({ recovered, wal }: WalLife): Promise<string> {
  const { chosenUpTo, compactedUpTo, accepted, learned } = recovered;
  assert.equal(wal.compactedUpTo, compactedUpTo);
  assert.ok(wal.syncedChosenUpTo >= compactedUpTo);
  if (compactedUpTo > 0) assert.deepEqual(await wal.readChosen(compactedUpTo, 1), []);
  const lines: { slot: Slot; line: string }[] = [];
  for (const { slot, value } of await wal.readChosen(compactedUpTo + 1, 10_000_000)) {
    lines.push({ slot, line: `${slot}=${textOf(value)}` });
  }
  assert.equal(lines.length, chosenUpTo - compactedUpTo, "what is chosen can be read");
  for (const { slot, ballot, value } of accepted)
    lines.push({ slot, line: `${slot}@${ballot}=${textOf(value)}` });
  for (const { slot, value } of learned) lines.push({ slot, line: `${slot}=${textOf(value)}` });
  lines.sort((a, b) => a.slot - b.slot);
  return [`chosenUpTo ${chosenUpTo}`, ...lines.map(({ line }) => line)].join("\n");
}

/**
 * After a crash without damage: the log shows the state after some number of turns, from `atLeast` to all of them.
 * The least such number: turns that only promise leave no other trace.
 */
export async function checkPrefix(
  life: WalLife,
  turns: readonly Turn[],
  atLeast: number,
  heldUpTo: Slot = 0,
): Promise<number> {
  const { compactedUpTo } = life.recovered;
  const shown = await describeShown(life);
  assert.deepEqual(life.recovered.faulty, []);
  const state = LogState.of(turns.slice(0, atLeast));
  const known = state.promised;
  let found = -1;
  for (let count = atLeast; count <= turns.length; count += 1) {
    if (found < 0 && state.describe(compactedUpTo, heldUpTo) === shown) found = count;
    if (count < turns.length) state.add(turns[count]!);
  }
  assert.ok(found >= 0, `no prefix from ${atLeast} of ${turns.length} turns shows\n${shown}`);
  const { promised } = life.recovered;
  assert.ok(promised >= known && promised >= LogState.of(turns.slice(0, found)).promised, "promise lowered");
  assert.ok(promised <= state.promised, "a promise that nobody made");
  return found;
}

/**
 * After damage: of every slot the log tells what `state` has, less of it, or that it is faulty. Nothing of what is
 * compacted; that it is chosen, or faulty where the machine does not hold it.
 */
export async function checkDamaged(life: WalLife, state: LogState, later: LogState = state): Promise<void> {
  const { recovered, wal } = life;
  assert.ok(recovered.promised >= state.promised, "promise lowered");
  const isFaulty = (slot: Slot, ballot: Ballot) =>
    recovered.faulty.some((range) => {
      return slot >= range.from && slot <= range.to && (range.ballot === 0 || range.ballot >= ballot);
    });
  const told = new Map<Slot, { text: string; isVote: boolean }>();
  const tell = (slot: Slot, value: Uint8Array, ballot: Ballot | null) => {
    assert.ok(!told.has(slot), `slot ${slot} is told twice`);
    told.set(slot, {
      text: ballot === null ? textOf(value) : `${ballot}:${textOf(value)}`,
      isVote: ballot !== null,
    });
  };
  const { compactedUpTo, chosenUpTo } = recovered;
  // What is above a gap is in `learned`.
  const readable = compactedUpTo <= chosenUpTo ? await wal.readChosen(compactedUpTo + 1, 10_000_000) : [];
  for (const { slot, value } of readable) tell(slot, value, null);
  for (const { slot, value } of recovered.learned) tell(slot, value, null);
  for (const { slot, ballot, value } of recovered.accepted) tell(slot, value, ballot);
  assert.ok(told.size >= chosenUpTo - compactedUpTo);
  for (const slot of new Set([...state.slots.keys(), ...later.slots.keys(), ...told.keys()])) {
    const answer = told.get(slot);
    if (slot <= compactedUpTo) {
      assert.ok(answer === undefined && (slot <= chosenUpTo || isFaulty(slot, Number.MAX_SAFE_INTEGER)));
      continue;
    }
    const held = [state.slots.get(slot), later.slots.get(slot)];
    if (answer === undefined) {
      if (held[0] === undefined) continue;
      assert.ok(isFaulty(slot, held[0].ballot), `slot ${slot} is passed over in silence`);
      continue;
    }
    // A vote that became chosen may be told as the vote that it was: less is known then, but nothing false.
    const isTrue = held.some((one) => {
      if (one === undefined) return false;
      return answer.isVote
        ? answer.text === `${one.ballot}:${one.value}`
        : one.chosen && answer.text === one.value;
    });
    assert.ok(isTrue, `slot ${slot}: ${answer.text} was told, ${JSON.stringify(held)} is true`);
  }
}
