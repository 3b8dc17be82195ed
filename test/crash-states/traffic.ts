// What a core would write: votes in free slots, for the value that is chosen there or for another, learned values,
// promises, and the watermark over slots whose chosen value is here. Drawn from a seed.
import type { Random } from "../../src/base/random.js";
import type { Ballot, Slot } from "../../src/paxos/ballot.js";
import type { ChosenEntry } from "../../src/paxos/message.js";
import type { LogRecord } from "../../src/paxos/outbox.js";
import { type Command, encodeBatch, type Value } from "../../src/paxos/value.js";
import type { Found, Turn } from "./fact.js";

export const ROUND = 65536;
/** Slots from the first that is free on in which it votes. */
const WINDOW = 5;

/** The only value that is ever chosen in a slot. */
export type ValueOf = (slot: Slot) => Value;

/** A value with one command, which has an effect once. */
export function valueWith(slot: Slot, payload: Uint8Array): Value {
  const command: Command = { origin: 2, incarnation: 1, number: slot, settled: slot - 1, payload };
  return encodeBatch([command]);
}

/** Some bytes, at times with sectors of zeros in them; at most `most`. */
export function payload(random: Random, most: number): Uint8Array {
  const bytes = Uint8Array.from({ length: 1 + random.below(most) }, () => random.below(256));
  if (random.below(4) === 0) bytes.fill(0, random.below(bytes.length));
  return bytes;
}

export interface TrafficOptions {
  readonly random: Random;
  readonly valueOf: ValueOf;
  /** One of so many turns promises. */
  readonly promises: number;
  readonly mostRecords: number;
}

export class Traffic {
  readonly #options: TrafficOptions;
  #ballot: Ballot;
  /** Slots in which the log has the chosen value, whether that is known there or not. */
  readonly #right: Set<Slot>;
  readonly #learned: Set<Slot>;
  chosenUpTo: Slot;

  constructor(options: TrafficOptions, found: Found) {
    this.#options = options;
    this.#ballot = (Math.floor(found.promised / ROUND) + 1) * ROUND + 1;
    this.#right = new Set();
    this.#learned = new Set([...found.log.matchAll(/(?:^| )(\d+)=/g)].map(([, slot]) => Number(slot)));
    for (const slot of this.#learned) this.#right.add(slot);
    this.chosenUpTo = found.chosenUpTo;
  }

  /** A turn, and what is chosen with it, to be executed. */
  next(): { readonly turn: Turn; readonly chosen: readonly ChosenEntry[] } {
    const { random, promises, mostRecords } = this.#options;
    const records: LogRecord[] = [];
    const raises = random.below(promises) === 0;
    if (raises) this.#ballot += ROUND;
    for (let count = random.below(mostRecords + 1); count > 0; count -= 1) {
      const slot = this.chosenUpTo + 1 + random.below(WINDOW);
      if (!this.#learned.has(slot)) records.push(this.#record(slot));
    }
    const chosen: ChosenEntry[] = [];
    if (random.below(2) === 0) {
      for (let slot = this.chosenUpTo + 1; this.#right.has(slot); slot += 1) chosen.push(this.#entry(slot));
    }
    if (chosen.length > 0) {
      this.chosenUpTo = chosen.at(-1)!.slot;
      records.push({ kind: "chosen", upTo: this.chosenUpTo });
    }
    return { turn: { promise: raises ? this.#ballot : 0, records }, chosen };
  }

  #entry(slot: Slot): ChosenEntry {
    return { slot, value: this.#options.valueOf(slot) };
  }

  #record(slot: Slot): LogRecord {
    const { random } = this.#options;
    if (random.below(6) === 0) {
      this.#learned.add(slot);
      this.#right.add(slot);
      return { kind: "learned", ...this.#entry(slot) };
    }
    const isRight = random.below(5) > 0;
    if (isRight) this.#right.add(slot);
    else this.#right.delete(slot);
    const value = isRight ? this.#options.valueOf(slot) : valueWith(slot, payload(random, 300));
    return { kind: "accepted", slot, ballot: this.#ballot, value };
  }

  /** The state up to `slot` has come from elsewhere. */
  jump(slot: Slot): void {
    this.chosenUpTo = Math.max(this.chosenUpTo, slot);
  }
}

/** A vote in a slot that nobody has spoken of, at a ballot that nobody has promised. */
export function afterwards({ promised, log, chosenUpTo, compactedUpTo }: Found): Turn {
  const slots = [...log.matchAll(/(?:^| )(\d+)[=@]/g)].map(([, slot]) => Number(slot));
  const slot = Math.max(chosenUpTo, compactedUpTo, ...slots) + 2;
  const ballot = (Math.floor(promised / ROUND) + 1) * ROUND + 1;
  const value = valueWith(
    slot,
    Uint8Array.from({ length: 700 }, (_, at) => at),
  );
  return { promise: ballot, records: [{ kind: "accepted", slot, ballot, value }] };
}
