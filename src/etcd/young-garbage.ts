// Collects the copies that @grpc/grpc-js makes of the messages of a stream, once they are sent. V8 counts such memory
// as if it were in its heap, and collects all of that for it, 10 ms and more with a million keys, again and again; what
// is young alone in 1 or 2 ms. Rule: nothing but how late the event loop is depends on it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** An eighth of what V8 lets come together. */
const STEP_BYTES = 8 << 20;

export class YoungGarbage {
  readonly #collect: (() => void) | null;
  #bytes: number;

  /** `collect` null: nothing is done, and V8 collects when it thinks best. */
  constructor(collect: (() => void) | null = collectorOfYoung()) {
    this.#collect = collect;
    this.#bytes = 0;
  }

  /** So many more bytes were sent. */
  sent(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < STEP_BYTES) return;
    this.#bytes = 0;
    this.#collect?.();
  }
}

/** Null: this Node.js has none. */
function collectorOfYoung(): (() => void) | null {
  // Only a context that is made while the flag is set has the function: nobody else is given it.
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  return typeof gc === "function" ? () => gc({ type: "minor" }) : null;
}
