// Counts what calls under way hold, and refuses what would be too much. A request is counted in bytes once it is
// whole. What incomplete ones hold nobody says: at most what came on their connections since the oldest of each
// began; when that is too much, only so many may stay incomplete over a whole sweep.
import type { Limits } from "./limits.js";

export const SWEEP_MS = 100;

/** What one read of a socket gives at most: as much of a request may have come together with its header. */
export const READ_BYTES = 64 * 1024;

/** A connection: the bytes that have come on it. */
export interface Source {
  readonly bytesRead: number;
}

/** One admitted call, from its header to its end. */
export interface Ticket {
  bytes: number;
  /** Of them, those of the response that was handed over last. */
  sending: number;
  readonly source: Source;
  /** What had come on its connection before. */
  readonly readBefore: number;
  /** The sweep before which its header came, until its request is whole. */
  readonly receivingSince: number;
  /** Ends the call because its request is slow. */
  readonly evict: () => void;
}

export class Admission {
  readonly #limits: Pick<Limits, "maxCalls" | "maxBytes" | "maxSlowRequests">;
  readonly #receiving: Set<Ticket>;
  #sweeps: number;
  calls: number;
  bytes: number;
  refused: number;

  constructor(limits: Pick<Limits, "maxCalls" | "maxBytes" | "maxSlowRequests">) {
    this.#limits = limits;
    this.#receiving = new Set();
    this.#sweeps = 0;
    this.calls = 0;
    this.bytes = 0;
    this.refused = 0;
  }

  /** Null: too many calls, or too many bytes held already. */
  begin(source: Source, evict: () => void): Ticket | null {
    if (this.calls >= this.#limits.maxCalls || this.bytes >= this.#limits.maxBytes) {
      this.refused += 1;
      return null;
    }
    this.calls += 1;
    const ticket = {
      bytes: 0,
      sending: 0,
      source,
      readBefore: source.bytesRead,
      receivingSince: this.#sweeps,
      evict,
    };
    this.#receiving.add(ticket);
    return ticket;
  }

  /** The request is whole. False: it is too much with what is held already. */
  request(ticket: Ticket, bytes: number): boolean {
    this.#receiving.delete(ticket);
    if (this.bytes + bytes > this.#limits.maxBytes) {
      this.refused += 1;
      return false;
    }
    this.#hold(ticket, bytes);
    return true;
  }

  /**
   * A response waits to be sent. It is never refused: its work is done, and what follows is refused instead. Of a
   * stream the next comes when the one before was taken.
   */
  response(ticket: Ticket, bytes: number): void {
    this.#hold(ticket, bytes - ticket.sending);
    ticket.sending = bytes;
  }

  #hold(ticket: Ticket, bytes: number): void {
    ticket.bytes += bytes;
    this.bytes += bytes;
  }

  /** What was held is gone; the ticket is not used again. */
  end(ticket: Ticket): void {
    this.#receiving.delete(ticket);
    this.calls -= 1;
    this.bytes -= ticket.bytes;
  }

  /** To be called every `SWEEP_MS`: when memory may run short, evicts the newest slow requests above the limit. */
  sweep(): void {
    const before = this.#sweeps;
    this.#sweeps += 1;
    if (this.#receiving.size <= this.#limits.maxSlowRequests) return;
    if (this.bytes + this.#mostReceiving() <= this.#limits.maxBytes) return;
    let slow = 0;
    // In order of arrival, so that the oldest stay and finish.
    for (const ticket of [...this.#receiving]) {
      if (ticket.receivingSince >= before) break;
      slow += 1;
      if (slow <= this.#limits.maxSlowRequests) continue;
      this.refused += 1;
      this.#receiving.delete(ticket);
      ticket.evict();
    }
  }

  /** Bytes that incomplete requests can hold at most. */
  #mostReceiving(): number {
    const seen = new Set<Source>();
    let bytes = 0;
    for (const { source, readBefore } of this.#receiving) {
      if (seen.has(source)) continue;
      seen.add(source);
      bytes += READ_BYTES + source.bytesRead - readBefore;
    }
    return bytes;
  }
}
