// What a log shows at start, as the core takes it: votes, values known chosen after a gap, and what may be lost (A4).
import type { Ballot, Slot } from "../paxos/ballot.js";
import type { Accepted, ChosenEntry, Faulty } from "../paxos/message.js";
import type { LogReader } from "./log-reader.js";
import { CHOSEN, type SlotIndex, VOTE } from "./slot-index.js";

/** Most bytes of values after a gap that are handed over; the rest is learned again from peers. */
const LEARNED_BYTES = 64 * 1024 * 1024;

export interface Recovered {
  readonly promised: Ballot;
  readonly chosenUpTo: Slot;
  /** The log has nothing of slots up to it; above `chosenUpTo` when the machine has lost what it held of them. */
  readonly compactedUpTo: Slot;
  /** Votes above `chosenUpTo`, the last of each slot, ascending. */
  readonly accepted: Accepted[];
  /** Values known chosen above `chosenUpTo`, after a gap; ascending. */
  readonly learned: ChosenEntry[];
  /** A4: slots above `chosenUpTo` of which a record is lost; ascending. */
  readonly faulty: Faulty[];
  /** Places of the log that could not be read. */
  readonly damaged: number;
}

export async function recoveredState(
  log: { readonly index: SlotIndex; readonly promised: Ballot; readonly damaged: number },
  reader: LogReader,
  appliedUpTo: Slot,
): Promise<Recovered> {
  const { index, promised, damaged } = log;
  const chosenUpTo = index.chosenAfter(appliedUpTo);
  const accepted: Accepted[] = [];
  const learned: ChosenEntry[] = [];
  let bytes = 0;
  for (const slot of index.slotsAfter(chosenUpTo)) {
    const state = index.state(slot);
    if (state !== VOTE && state !== CHOSEN) continue;
    const ballot = index.ballot(slot);
    const value = state === CHOSEN && bytes > LEARNED_BYTES ? null : await reader.readOne(slot);
    // Said to be faulty, not left out: to leave out a slot is to say that nothing was accepted there.
    if (value === null) index.forget(slot, state === VOTE ? ballot : 0);
    else if (state === VOTE) accepted.push({ slot, ballot, value });
    else {
      learned.push({ slot, value });
      bytes += value.length;
    }
  }
  const faulty = index.faultyAfter(chosenUpTo);
  const { compactedUpTo } = index;
  return { promised, chosenUpTo, compactedUpTo, accepted, learned, faulty, damaged };
}
