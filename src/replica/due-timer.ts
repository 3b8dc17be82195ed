// The one timer of a replica. Rule: it is due at the earliest time that it was set to, and never set twice at once.
import type { Clock } from "./ports.js";

const NEVER = Number.POSITIVE_INFINITY;

export class DueTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  /** Infinity: it is not set. */
  #at: number;
  #handle: unknown;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = () => {
      this.#at = NEVER;
      onDue();
    };
    this.#at = NEVER;
    this.#handle = null;
  }

  /** Due at `at`, or as early as it is already; Infinity sets nothing. */
  set(at: number): void {
    if (at >= this.#at) return;
    this.cancel();
    this.#at = at;
    this.#handle = this.#clock.at(at, this.#onDue);
  }

  cancel(): void {
    if (this.#at !== NEVER) this.#clock.cancel(this.#handle);
    this.#at = NEVER;
  }
}
