// Executes chosen values in slot order, without gaps, once (L3, 2.9), in slices short enough for heartbeats.
// Rule: what a machine throws is a refusal, the same on every replica, and never ends one (trap F32); only damage of
// its own state is this replica's alone, and stops it.
import { assert } from "../base/assert.js";
import { empty } from "../base/empty.js";
import { StateCorrupt, type StateMachine } from "../machine/machine.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { ChosenEntry } from "../paxos/message.js";
import type { Sessions } from "../paxos/sessions.js";
import { type Command, commandsOf } from "../paxos/value.js";
import { CommandRefused } from "./errors.js";
import { digestOf, encodeMeta, type NotedDigest, type StateMeta } from "./state-meta.js";

/** How long one slice may hold the event loop; a slot is never cut. */
const SLICE_MS = 5;
/** Chosen values kept in memory for a machine that is slower than the log; more are read back from the log. */
const QUEUE_BYTES = 64 << 20;
const READ_BYTES = 1 << 20;
/** Digests kept for a core that has no turn, as while the log is replayed. */
const UNTOLD = 16;
const NOTHING: readonly Event[] = [];

/** Where outcomes of the own commands go. */
export interface Replies<Result> {
  resolve(number: number, result: Result): void;
  reject(number: number, error: Error): void;
}

export interface ExecutorOptions<C, R, Q, A> {
  readonly machine: StateMachine<C, R, Q, A>;
  /** What of the commands of each origin has taken effect: part of the state. */
  readonly sessions: Sessions;
  /** The origin whose commands are answered here. */
  readonly self: ReplicaId;
  readonly incarnation: number;
  readonly appliedUpTo: Slot;
  /** The last digest in the state so far. */
  readonly noted: NotedDigest | null;
  /** A digest is noted after each slot that it divides; 0: never. */
  readonly digestInterval: number;
  readonly replies: Replies<R>;
  /** Chosen entries from the log, from a slot on; none when it does not show them (yet). */
  readonly readChosen: (fromSlot: Slot, maxBytes: number) => Promise<ChosenEntry[]>;
  readonly now: () => number;
}

export class Executor<C, R, Q, A> {
  readonly #options: ExecutorOptions<C, R, Q, A>;
  /** Continues at `appliedUpTo + 1`, without gaps; may end before `chosenUpTo`. */
  #queue: ChosenEntry[];
  #next: number;
  #queuedBytes: number;
  #isReading: boolean;
  /** Holds everything back while the state must stand still for a commit. */
  isPaused: boolean;
  /** Holds everything back while the state is replaced by a snapshot's. */
  isReplacing: boolean;
  /** Holds everything back while the state is not that of the majority: it comes anew. */
  isFenced: boolean;
  sessions: Sessions;
  /** The last digest: part of the state. */
  #noted: NotedDigest | null;
  /** Digests that the core was not told. */
  #untold: NotedDigest[];
  chosenUpTo: Slot;
  appliedUpTo: Slot;
  /** Commands executed in this life, duplicates apart. */
  executed: number;

  constructor(options: ExecutorOptions<C, R, Q, A>) {
    this.#options = options;
    this.#queue = [];
    this.#next = 0;
    this.#queuedBytes = 0;
    this.#isReading = false;
    this.isPaused = false;
    this.isReplacing = false;
    this.isFenced = false;
    this.sessions = options.sessions;
    this.#noted = options.noted;
    this.#untold = options.noted === null ? [] : [options.noted];
    this.chosenUpTo = options.appliedUpTo;
    this.appliedUpTo = options.appliedUpTo;
    this.executed = 0;
  }

  /** Whether `run` would execute something now. */
  get canRun(): boolean {
    return !this.isPaused && !this.isReplacing && !this.isFenced && this.#next < this.#queue.length;
  }

  enqueue(entries: readonly ChosenEntry[]): void {
    for (const entry of entries) {
      // The core may not know of the snapshot yet that was installed.
      if (entry.slot <= this.appliedUpTo) continue;
      assert(entry.slot === this.chosenUpTo + 1, "chosen values come in slot order, without gaps (L3)");
      const follows = entry.slot === this.appliedUpTo + 1 + this.#queue.length - this.#next;
      this.chosenUpTo = entry.slot;
      if (follows && this.#queuedBytes < QUEUE_BYTES) this.#push(entry);
    }
  }

  /** Executes for one slice. */
  run(): void {
    const until = this.#options.now() + SLICE_MS;
    while (this.canRun) {
      const entry = this.#queue[this.#next]!;
      this.#next += 1;
      this.#queuedBytes -= entry.value.length;
      this.#apply(entry);
      if (this.#options.now() >= until) break;
    }
    if (this.#next === this.#queue.length) empty(this.#queue);
    else if (this.#next > 4096) this.#queue.splice(0, this.#next);
    else return;
    this.#next = 0;
  }

  /** The machine has the state after `slot`, with what belongs to it, from a snapshot. */
  jump(slot: Slot, { sessions, noted }: StateMeta): void {
    const isNewer = slot > this.appliedUpTo || (this.isFenced && slot === this.appliedUpTo);
    assert(isNewer, "a snapshot is void at or below what is executed (A5)");
    while (this.#next < this.#queue.length && this.#queue[this.#next]!.slot <= slot) {
      this.#queuedBytes -= this.#queue[this.#next]!.value.length;
      this.#next += 1;
    }
    this.appliedUpTo = slot;
    this.chosenUpTo = Math.max(this.chosenUpTo, slot);
    this.sessions = sessions;
    this.#noted = noted;
    this.#untold = noted === null ? [] : [noted];
  }

  /** What is kept along with the state of the machine. */
  meta(): Uint8Array {
    return encodeMeta({ sessions: this.sessions, noted: this.#noted });
  }

  /** For the core: digests that it was not told. */
  take(): readonly Event[] {
    if (this.#untold.length === 0) return NOTHING;
    const events = this.#untold.map(({ slot, digest }) => ({ kind: "digest", slot, digest }) as const);
    this.#untold = [];
    return events;
  }

  /** Whether the queue has run dry below `chosenUpTo`: the rest must come from the log. */
  get needsLog(): boolean {
    return (
      !this.#isReading &&
      !this.isReplacing &&
      !this.isFenced &&
      this.#next === this.#queue.length &&
      this.appliedUpTo < this.chosenUpTo
    );
  }

  /** Reads on from the log; resolves with whether it showed anything new. */
  async refill(): Promise<boolean> {
    this.#isReading = true;
    const entries = await this.#options.readChosen(this.appliedUpTo + 1, READ_BYTES);
    this.#isReading = false;
    let slot = this.appliedUpTo;
    for (const entry of entries) {
      if (entry.slot !== slot + 1 || entry.slot > this.chosenUpTo) break;
      slot = entry.slot;
      this.#push(entry);
    }
    return slot > this.appliedUpTo;
  }

  #push(entry: ChosenEntry): void {
    this.#queue.push(entry);
    this.#queuedBytes += entry.value.length;
  }

  #apply(entry: ChosenEntry): void {
    assert(entry.slot === this.appliedUpTo + 1, "values are executed in slot order (L3)");
    for (const command of commandsOf(entry.value)) {
      if (this.sessions.execute(command)) this.#execute(command, entry.slot);
    }
    this.appliedUpTo = entry.slot;
    const { digestInterval } = this.#options;
    if (digestInterval > 0 && entry.slot % digestInterval === 0) this.#note(entry.slot);
  }

  #note(slot: Slot): void {
    this.#noted = { slot, digest: digestOf(this.sessions, this.#options.machine) };
    this.#untold.push(this.#noted);
    if (this.#untold.length > UNTOLD) this.#untold.shift();
  }

  #execute(command: Command, slot: Slot): void {
    const { machine, self, incarnation, replies } = this.#options;
    const isOwn = command.origin === self && command.incarnation === incarnation;
    this.executed += 1;
    let result: R;
    try {
      result = machine.apply(machine.decode(command.payload), slot);
    } catch (thrown) {
      // Damage of this replica's state, not a property of the command: the others execute it.
      if (thrown instanceof StateCorrupt) throw thrown;
      const text = thrown instanceof Error ? thrown.message : String(thrown);
      if (isOwn) replies.reject(command.number, new CommandRefused(text, { cause: thrown }));
      return;
    }
    if (isOwn) replies.resolve(command.number, result);
  }
}
