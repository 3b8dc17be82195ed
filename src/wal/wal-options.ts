// How a log is opened, and what it needs of the world.
import type { Slot } from "../paxos/ballot.js";
import type { Synced } from "../paxos/outbox.js";
import type { Room } from "./room.js";

/** What the log needs of a clock; `Clock` of the driver is one. */
export interface WalClock {
  now(): number;
  at(at: number, task: () => void): unknown;
  cancel(handle: unknown): void;
  soon(task: () => void): void;
}

export interface WalOptions {
  /** Size of a segment; 16 MiB. */
  readonly segmentBytes?: number;
  /** Slots up to it are executed, durably; 0. Of them the last that the log does not show counts as compacted (L5). */
  readonly appliedUpTo?: Slot;
  /** When nothing follows a synced batch for so long its mark is written; 10. What is not urgent waits as long. */
  readonly markAfterMs?: number;
  readonly clock: WalClock;
  /** Where the segments find room; one without a reserve, unless given. */
  readonly room?: Room;
  /** Everything appended up to the turn of the proof is on disk. */
  onSynced(proof: Synced): void;
  /** The value of a slot known chosen cannot be read: whoever asks for it is not served. May be told again. */
  onDamaged?(slot: Slot): void;
  /** A write or sync failed: called once; nothing is retried or acknowledged after it. */
  onFailed(error: Error): void;
}
