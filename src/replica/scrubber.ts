// Reads what is on disk and seldom read, so that damage is found while others still have what is lost (design 2.10):
// the machine's state, the chosen values that the log keeps, and what only a start reads. Rule: a slice is short, and a
// pass takes half a day, however much there is, so that everything is read once a day and nobody notices.
import type { DurableState } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";

const PASS_MS = 12 * 3_600_000;
/** A start has better things to do. */
const FIRST_AFTER_MS = 60_000;
const SLICE_MS = 2;
/** Between two slices, however much there is. */
const LEAST_PAUSE_MS = 20;
/** Checking so many bytes takes a slice. */
const LOG_SLICE_BYTES = 256 << 10;
const NEVER = Number.POSITIVE_INFINITY;

export interface ScrubbedLog {
  readonly size: number;
  /** Checks values from slot `from` on, up to `upTo`; says where to go on, above `upTo` at the end. */
  check(from: Slot, upTo: Slot, maxBytes: number): Promise<{ readonly next: Slot; readonly bytes: number }>;
}

export interface ScrubberPorts {
  readonly durable: DurableState;
  readonly log: ScrubbedLog;
  /** What only a start reads: what of it is damaged is made good, and told. Once a pass. */
  checkFiles(): Promise<void>;
  /** Values of higher slots are still in use. */
  appliedUpTo(): Slot;
  /** The state is being replaced, or the replica has stopped. */
  isBusy(): boolean;
  now(): number;
  /** Damage of the state, or a read of the log that fails: the replica must stop. */
  onBroken(error: Error): void;
}

export class Scrubber {
  readonly #ports: ScrubberPorts;
  #machineAt: number;
  #logAt: number;
  #nextSlot: Slot;
  #isReadingLog: boolean;
  #step: Promise<void>;
  /** In this life. */
  checkedRecords: number;
  checkedLogBytes: number;
  passes: number;

  constructor(ports: ScrubberPorts) {
    const first = ports.now() + FIRST_AFTER_MS;
    this.#ports = ports;
    this.#machineAt = ports.durable.scrub === undefined ? NEVER : first;
    this.#logAt = first;
    this.#nextSlot = 1;
    this.#isReadingLog = false;
    this.#step = Promise.resolve();
    this.checkedRecords = 0;
    this.checkedLogBytes = 0;
    this.passes = 0;
  }

  /** When `elapse` has something to do. */
  get deadline(): number {
    return Math.min(this.#machineAt, this.#isReadingLog ? NEVER : this.#logAt);
  }

  get counters(): Record<string, number> {
    return {
      scrubbedRecords: this.checkedRecords,
      scrubbedLogBytes: this.checkedLogBytes,
      scrubPasses: this.passes,
    };
  }

  elapse(now: number): void {
    if (now >= this.#machineAt) this.#checkMachine(now);
    if (now >= this.#logAt && !this.#isReadingLog) this.#checkLog(now);
  }

  /** Resolves when it reads and writes no files. */
  async idle(): Promise<void> {
    await this.#step;
  }

  #checkMachine(now: number): void {
    const { durable, isBusy, onBroken } = this.#ports;
    if (isBusy()) {
      this.#machineAt = now + FIRST_AFTER_MS;
      return;
    }
    const until = now + SLICE_MS;
    try {
      const { checked, part, isEnd } = durable.scrub!(() => this.#ports.now() >= until);
      this.checkedRecords += checked;
      if (isEnd) this.passes += 1;
      this.#machineAt = now + pauseAfter(part);
    } catch (error) {
      this.#machineAt = NEVER;
      onBroken(error as Error);
    }
  }

  #checkLog(now: number): void {
    const { log, appliedUpTo, isBusy, checkFiles, onBroken } = this.#ports;
    const isBegin = this.#nextSlot === 1;
    if (isBegin && isBusy()) {
      this.#logAt = now + FIRST_AFTER_MS;
      return;
    }
    const upTo = appliedUpTo();
    this.#isReadingLog = true;
    const before = isBegin ? checkFiles() : Promise.resolve();
    this.#step = before
      .then(() => log.check(this.#nextSlot, upTo, LOG_SLICE_BYTES))
      .then(
        ({ next, bytes }) => {
          this.#isReadingLog = false;
          this.checkedLogBytes += bytes;
          this.#nextSlot = next > upTo ? 1 : next;
          this.#logAt = now + (next > upTo ? PASS_MS : pauseAfter(bytes / Math.max(log.size, 1)));
        },
        (error: Error) => {
          this.#logAt = NEVER;
          onBroken(error);
        },
      );
  }
}

function pauseAfter(part: number): number {
  return Math.max(LEAST_PAUSE_MS, Math.min(1, part) * PASS_MS);
}
