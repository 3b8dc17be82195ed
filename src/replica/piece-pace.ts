// How long the pieces of a snapshot are for one peer, by when it asks for the next: heartbeats and commands wait behind
// it in the same queue. Rule: one that took a tenth of a second longer than the quickest is followed by a shorter.
import { isSame, type SnapshotInfo } from "./snapshot-format.js";

/** A tenth of a second of a link with 1.3 Mbit/s; each is asked for, which costs a round trip. */
const LEAST_BYTES = 16 << 10;
/** Longer than the quickest has taken: it was too long. */
const SLOW_MS = 100;
/** After so many the quickest is looked for anew: a peer may be farther away by now, or busier. */
const FORGOTTEN = 32;

interface Piece {
  readonly info: SnapshotInfo;
  readonly offset: number;
  readonly length: number;
}

export class PiecePace {
  readonly #mostBytes: number;
  #bytes: number;
  #last: Piece | null;
  #sentAt: number;
  /** What a piece takes on the way there, and the question back, at least: however far away a peer is. */
  #leastMs: number;
  /** Pieces since it was looked for. */
  #count: number;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.#bytes = Math.min(LEAST_BYTES, mostBytes);
    this.#last = null;
    this.#sentAt = 0;
    this.#leastMs = Number.POSITIVE_INFINITY;
    this.#count = 0;
  }

  /** How many bytes to send from `offset` on, as is asked for. */
  next(info: SnapshotInfo, offset: number, now: number): number {
    const last = this.#last;
    if (last === null || !isSame(last.info, info)) this.#forget();
    else if (offset === last.offset) this.#change(1 / 2);
    else if (offset === last.offset + last.length) this.#took(now - this.#sentAt);
    this.#last = { info, offset, length: this.#bytes };
    this.#sentAt = now;
    return this.#bytes;
  }

  #took(ms: number): void {
    if (this.#count >= FORGOTTEN) this.#forget();
    this.#count += 1;
    this.#leastMs = Math.min(this.#leastMs, ms);
    if (ms > this.#leastMs + SLOW_MS) this.#change(1 / 2);
    else if (ms < this.#leastMs + SLOW_MS / 2) this.#change(2);
  }

  #forget(): void {
    this.#leastMs = Number.POSITIVE_INFINITY;
    this.#count = 0;
  }

  #change(factor: number): void {
    const most = this.#mostBytes;
    this.#bytes = Math.min(most, Math.max(LEAST_BYTES, this.#bytes * factor));
  }
}
