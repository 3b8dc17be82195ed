// The write-ahead log: group commit, one batch under way at a time, promise and log in one sequence (design 2.10, A7).
// The proof that opens the after-sync queue of an outbox is made here and nowhere else (S13).
import { assert } from "../base/assert.js";
import { empty } from "../base/empty.js";
import { noSpace } from "../base/no-space.js";
import type { Ballot, Slot } from "../paxos/ballot.js";
import type { ChosenEntry } from "../paxos/message.js";
import type { LogRecord, Synced } from "../paxos/outbox.js";
import type { Compaction } from "./compaction.js";
import type { Disk, DiskCallback } from "./disk.js";
import { indexBatch } from "./index-batch.js";
import { LogReader } from "./log-reader.js";
import { type LogParts, openLog, type RecoveredLog } from "./open-log.js";
import type { Manifest, PromiseFiles } from "./promise-file.js";
import { type BatchAssembler, FLAG_CLEAN, type WalRecord } from "./record-codec.js";
import { type Recovered, recoveredState } from "./recovered-state.js";
import { Rolling } from "./rolling.js";
import { Room } from "./room.js";
import type { SegmentFiles } from "./segment-files.js";
import type { SlotIndex } from "./slot-index.js";
import type { WalOptions } from "./wal-options.js";

const MARK_AFTER_MS = 10;
export const SEGMENT_BYTES = 16 * 1024 * 1024;

export class Wal {
  readonly #options: WalOptions;
  readonly #room: Room;
  readonly #index: SlotIndex;
  readonly #segments: SegmentFiles;
  readonly #promises: PromiseFiles;
  readonly #assembler: BatchAssembler;
  readonly #reader: LogReader;
  readonly #compaction: Compaction;
  readonly #rolling: Rolling;
  readonly #markAfterMs: number;
  /** The last turn appended, the last one whose batch is under way or done, the last one proven. */
  #turn: number;
  #underWayTurn: number;
  #provenTurn: number;
  /** What waits for the next batch. */
  #waiting: WalRecord[];
  #waitingPromise: Ballot;
  #urgent: boolean;
  /** The batch under way. */
  #records: WalRecord[];
  #promised: Ballot;
  #highest: number;
  #busy: boolean;
  #announcing: boolean;
  /** The last batch holds votes or learned values and nothing follows it. */
  #needsMark: boolean;
  #idleSince: number;
  #timer: unknown;
  #closing: boolean;
  /** Nothing is written any more, and nothing proven. */
  #failure: Error | null;
  /** Called when nothing is under way any more. */
  #whenIdle: (() => void) | null;
  /** Of the batch that is being written. */
  #underWayBytes: number;
  /** The same function each time: there are many batches. */
  readonly #batchDone: DiskCallback;

  private constructor(options: WalOptions, parts: LogParts, room: Room) {
    this.#options = options;
    this.#room = room;
    this.#index = parts.index;
    this.#segments = parts.segments;
    this.#promises = parts.promises;
    this.#assembler = parts.assembler;
    this.#reader = new LogReader(parts.index, parts.segments, (slot) => options.onDamaged?.(slot));
    this.#compaction = parts.compaction;
    this.#rolling = new Rolling({
      ...parts,
      onCompacted: (manifest) => this.#compacted(manifest),
      onFailed: (error) => this.#fail(error),
    });
    this.#markAfterMs = options.markAfterMs ?? MARK_AFTER_MS;
    this.#turn = 0;
    this.#underWayTurn = 0;
    this.#provenTurn = 0;
    this.#waiting = [];
    this.#waitingPromise = 0;
    this.#urgent = false;
    this.#records = [];
    this.#promised = parts.promised;
    this.#highest = parts.segments.index;
    this.#busy = false;
    this.#announcing = false;
    this.#needsMark = false;
    this.#idleSince = options.clock.now();
    this.#timer = null;
    this.#closing = false;
    this.#failure = null;
    this.#whenIdle = null;
    this.#underWayBytes = 0;
    this.#batchDone = (error) => (error === null ? this.#done(this.#underWayBytes) : this.#fail(error));
  }

  /**
   * Recovers the log of `disk`, or begins one in an empty directory, and makes what it read durable.
   * Rejects with `DataDirectoryError`, having changed nothing, when the log cannot be trusted. `found`, not kept: what
   * `lookAtLog` has read since the directory was locked.
   */
  static async open(
    disk: Disk,
    options: WalOptions,
    found?: RecoveredLog,
  ): Promise<{ wal: Wal; recovered: Recovered }> {
    let wal: Wal | null = null;
    const failed = (error: Error) => {
      if (wal !== null) wal.#fail(error);
    };
    const { appliedUpTo = 0, segmentBytes = SEGMENT_BYTES } = options;
    const room = options.room ?? Room.withoutReserve({ disk, clock: options.clock, onFailed: failed });
    const parts = await openLog(disk, { segmentBytes, appliedUpTo, room, onFailed: failed }, found);
    wal = new Wal(options, parts, room);
    if (parts.opening !== null) await wal.#writeOpening(parts.opening);
    const recovered = await recoveredState(parts, wal.#reader, appliedUpTo);
    return { wal, recovered };
  }

  async #writeOpening(records: readonly WalRecord[]): Promise<void> {
    for (const record of records) this.#waiting.push(record);
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
      this.#begin(0);
    });
    if (this.#failure !== null) throw this.#failure;
  }

  /** The newest `chosen` record that is on disk; what is compacted counts. */
  get syncedChosenUpTo(): Slot {
    return this.#index.watermark;
  }

  /** Slots up to it are gone from the log, durably: chosen, and in the state of the machine (A5). */
  get compactedUpTo(): Slot {
    return this.#compaction.compactedUpTo;
  }

  /** There is no room for the next segment: nothing that is appended is synced until there is. */
  get isStuck(): boolean {
    return this.#rolling.isWaiting && this.#room.isLacking;
  }

  /** Bytes on disk. */
  get size(): number {
    return this.#segments.size;
  }

  /** Values found damaged when they were read, after recovery. */
  get damagedReads(): number {
    return this.#reader.damaged;
  }

  /**
   * `turn` counts up. What is not `urgent` waits for the next batch that is, or for `markAfterMs`. A turn without
   * anything to write is proven as soon as those before it are. After `onFailed`, and `close`, nothing is taken.
   */
  append(turn: number, promise: Ballot, records: readonly LogRecord[], urgent: boolean): void {
    if (this.#failure !== null || this.#closing) return;
    assert(turn > this.#turn, "turns count up");
    this.#turn = turn;
    this.#raisePromise(promise);
    for (const record of records) {
      this.#waiting.push(record);
      // A3: a vote is a promise too. In the copies it outlives damage of the log.
      if (record.kind === "accepted") this.#raisePromise(record.ballot);
    }
    if (urgent || this.#waitingPromise > 0) this.#urgent = true;
    this.#next();
  }

  #raisePromise(ballot: Ballot): void {
    if (ballot > this.#promised && ballot > this.#waitingPromise) this.#waitingPromise = ballot;
  }

  /** Makes what waits urgent. */
  flush(): void {
    this.#urgent = true;
    this.#next();
  }

  /** Values of the slots from `fromSlot` on that the log shows as chosen; at least one, if it has that slot. */
  readChosen(fromSlot: Slot, maxBytes: number): Promise<ChosenEntry[]> {
    return this.#reader.readChosen(fromSlot, maxBytes);
  }

  /** Checks values that the log keeps; `next` is where to go on, above `upTo` at the end. */
  check(from: Slot, upTo: Slot, maxBytes: number): Promise<{ next: Slot; bytes: number }> {
    return this.#reader.check(from, upTo, maxBytes);
  }

  /**
   * Slots up to `upTo` are chosen, and durable in the state of the machine: nothing of them is shown again, in this
   * life or the next. Resolves when that is durable; files that are needed no more go later. Rejects when the log
   * fails or is closed.
   */
  compact(upTo: Slot): Promise<void> {
    const done = this.#compaction.request(upTo);
    if (this.#rolling.isWaiting) this.#rolling.compact();
    else this.#next();
    return done;
  }

  /** Has both copies of the promise written once more, for a disk may lose what was written long ago. */
  restate(): void {
    this.#compaction.restate();
    this.#next();
  }

  /** What `Compaction.compactable` says of this log. */
  compactable(heldUpTo: Slot, tailBytes: number): Slot {
    return this.#compaction.compactable(heldUpTo, tailBytes, this.#segments.sizes);
  }

  /** Orderly: all that was appended and has room is synced, and marked so that the next start need not doubt it. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.flush();
    this.#closing = true;
    this.#compaction.close();
    this.#room.endWaiting();
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer);
    this.#timer = null;
    if (this.#busy && this.#failure === null) await this.#idle();
    if (this.#failure === null) {
      const marked = this.#idle();
      this.#begin(FLAG_CLEAN);
      await marked;
    }
    await this.#segments.close();
    await this.#promises.close();
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** Decides what happens next, whenever something was appended or a batch is done. */
  #next(): void {
    if (this.#busy || this.#failure !== null) return;
    if (this.#compaction.isDue) {
      this.#begin(0);
    } else if (this.#waiting.length === 0 && this.#waitingPromise === 0) {
      this.#urgent = false;
      this.#underWayTurn = this.#turn;
      if (this.#provenTurn < this.#turn) this.#announceSoon();
      else if (this.#whenIdle !== null) this.#becomeIdle();
      if (this.#needsMark) this.#armTimer();
    } else if (this.#urgent) {
      this.#begin(0);
    } else {
      this.#armTimer();
    }
  }

  #becomeIdle(): void {
    const whenIdle = this.#whenIdle;
    this.#whenIdle = null;
    whenIdle?.();
  }

  /** Never from within `append`: the driver may not be ready for an answer yet. */
  #announceSoon(): void {
    if (this.#announcing) return;
    this.#announcing = true;
    this.#options.clock.soon(() => {
      this.#announcing = false;
      if (this.#failure !== null || this.#busy) return;
      this.#announce();
      this.#next();
    });
  }

  #announce(): void {
    if (this.#provenTurn === this.#underWayTurn) return;
    this.#provenTurn = this.#underWayTurn;
    this.#options.onSynced({ turn: this.#provenTurn } as Synced);
  }

  // One timer at most; it is not moved with every batch, it looks again when it fires.
  #armTimer(): void {
    if (this.#timer !== null || this.#closing) return;
    this.#timer = this.#options.clock.at(this.#idleSince + this.#markAfterMs, () => {
      this.#timer = null;
      if (this.#busy || this.#failure !== null || this.#closing) return;
      if (!this.#needsMark && this.#waiting.length === 0) return;
      if (this.#options.clock.now() < this.#idleSince + this.#markAfterMs) this.#armTimer();
      else this.#begin(0);
    });
  }

  /** Writes a batch of everything that waits; of nothing, if nothing does: that is the mark. */
  #begin(flags: number): void {
    assert(!this.#busy, "one batch is under way at a time");
    this.#busy = true;
    this.#urgent = false;
    this.#underWayTurn = this.#turn;
    const records = this.#waiting;
    this.#waiting = this.#records;
    this.#records = records;
    const promise = Math.max(this.#promised, this.#waitingPromise);
    this.#waitingPromise = 0;
    const spokenUpTo = Math.max(this.#assembler.maxSlot, this.#index.watermark);
    // A promise or a compaction alone needs no batch; a mark and the records do.
    const isAlone = records.length === 0 && (promise !== this.#promised || this.#compaction.isDue);
    const length = isAlone ? 0 : this.#assembler.assemble(records, flags);
    if (length === 0 || this.#segments.fits(length)) {
      this.#writePromise(promise, length);
      return;
    }
    const noted = { promised: this.#promised, highest: this.#highest };
    const before = this.#segments.index;
    this.#rolling.begin(noted, length, (isThere) => {
      if (this.#failure !== null) return;
      if (!isThere) {
        this.#giveUp();
        return;
      }
      const segment = this.#segments.index;
      const { sequence } = this.#assembler;
      if (segment !== before) this.#compaction.began({ segment, sequence: sequence - 1, spokenUpTo });
      this.#writePromise(promise, length);
    });
  }

  /** It was closed as it waited. A later batch may fit, but it must not prove the turns of this one. */
  #giveUp(): void {
    this.#failure = noSpace("the log was closed without room for its next segment");
    this.#compaction.giveUp(this.#failure);
    this.#becomeIdle();
  }

  /** The copies come before the batch: the first batch of a segment follows the note that the segment exists. */
  #writePromise(promised: Ballot, length: number): void {
    const highest = this.#segments.index;
    if (promised === this.#promised && highest === this.#highest && !this.#compaction.isDue) {
      this.#writeBatch(length);
      return;
    }
    const manifest = this.#compaction.next;
    this.#promises.write({ promised, highest, ...manifest }, (error) => {
      if (error !== null) {
        this.#fail(error);
        return;
      }
      this.#promised = promised;
      this.#highest = highest;
      this.#compacted(manifest);
      if (length > 0) this.#writeBatch(length);
      else this.#done(0);
    });
  }

  /** Both copies say it: what is gone is no longer shown, and its files may go. */
  #compacted(manifest: Manifest): void {
    if (this.#failure !== null) return;
    this.#index.compact(manifest.compactedUpTo);
    this.#segments.retire(manifest.lowest);
    this.#compaction.written(manifest);
  }

  #writeBatch(length: number): void {
    if (this.#failure !== null) return;
    const bytes = this.#assembler.place(this.#segments.index, this.#segments.position);
    this.#underWayBytes = length;
    this.#segments.write(bytes, this.#batchDone);
  }

  #done(length: number): void {
    if (this.#failure !== null) return;
    if (length > 0) {
      const { index, position } = this.#segments;
      const placed = [this.#records, this.#assembler, index, position] as const;
      this.#needsMark = indexBatch(this.#index, ...placed, this.#compaction);
      this.#segments.advance(length);
    }
    empty(this.#records);
    this.#idleSince = this.#options.clock.now();
    this.#busy = false;
    this.#announce();
    // The answer may have appended, and a batch be under way again.
    if (!this.#busy) this.#next();
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer);
    this.#timer = null;
    this.#options.onFailed(error);
    this.#compaction.fail(error);
    this.#becomeIdle();
  }
}
