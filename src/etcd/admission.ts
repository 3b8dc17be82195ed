// Counts what calls under way hold, and refuses what would be too much. A request is counted in bytes once it is
// whole; one that stays incomplete over several sweeps is slow, and only so many may be.
import type { Limits } from "./limits.js";

export const SWEEP_MS = 100;
/** A busy client takes a second between header and message; sweeps count, for none runs while this process stalls. */
const SLOW_SWEEPS = 10;

/** One admitted call, from its header to its end. */
export interface Ticket {
  bytes: number;
  /** The sweep before which its header came, until its request is whole. */
  receivingSince: number;
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
  begin(evict: () => void): Ticket | null {
    if (this.calls >= this.#limits.maxCalls || this.bytes >= this.#limits.maxBytes) {
      this.refused += 1;
      return null;
    }
    this.calls += 1;
    const ticket: Ticket = { bytes: 0, receivingSince: this.#sweeps, evict };
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

  /** A response waits to be sent. It is never refused: its work is done, and what follows is refused instead. */
  response(ticket: Ticket, bytes: number): void {
    this.#hold(ticket, bytes);
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

  /** To be called every `SWEEP_MS`: evicts the newest slow requests above the limit. */
  sweep(): void {
    this.#sweeps += 1;
    if (this.#receiving.size <= this.#limits.maxSlowRequests) return;
    let slow = 0;
    // In order of arrival, so that the oldest stay and finish.
    for (const ticket of [...this.#receiving]) {
      if (ticket.receivingSince > this.#sweeps - 1 - SLOW_SWEEPS) break;
      slow += 1;
      if (slow <= this.#limits.maxSlowRequests) continue;
      this.refused += 1;
      this.#receiving.delete(ticket);
      ticket.evict();
    }
  }
}
