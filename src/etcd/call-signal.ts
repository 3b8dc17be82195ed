// The end of a call before its answer, as a signal: what a replica needs of an AbortSignal, at a tenth of its price,
// for one is made for every call.
import type { CancelSignal } from "../replica/cancel.js";
import { Unavailable } from "../replica/errors.js";

export class CallSignal implements CancelSignal {
  #isAborted = false;
  #listeners: (() => void)[] = [];

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): Unavailable | undefined {
    return this.#isAborted ? new Unavailable("the call has ended before its answer") : undefined;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}
