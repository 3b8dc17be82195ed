// The threads in which lmdb writes. Rule: a store is closed when all of them have ended. lmdb answers a write before
// its thread is done with the environment, and closing frees that: the process then dies of SIGSEGV.

/** Status 1: a transaction is visible; 2: it waits for a callback. Any other is the last word of the thread. */
const PROGRESS: readonly number[] = [1, 2];

/** Of lmdb's environment, what starts such a thread; missing from its typings. */
export interface NativeEnvironment {
  startWriting(instructions: number, told: (status: number) => unknown): unknown;
}

export class WriteThreads {
  #running: number;
  #waiting: (() => void)[];

  /** Counts the threads of `environment` from now on. */
  constructor(environment: NativeEnvironment) {
    this.#running = 0;
    this.#waiting = [];
    const start = environment.startWriting.bind(environment);
    const counted: NativeEnvironment["startWriting"] = (instructions, told) => {
      const started = start(instructions, (status) => {
        if (!PROGRESS.includes(status)) this.#ended();
        return told(status);
      });
      // Nothing of it is told before the next turn.
      this.#running += 1;
      return started;
    };
    // What it inherits cannot be assigned to.
    Object.defineProperty(environment, "startWriting", { value: counted });
  }

  get running(): number {
    return this.#running;
  }

  #ended(): void {
    this.#running -= 1;
    if (this.#running > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const goOn of waiting) goOn();
  }

  /** Resolves when none is running. */
  async allEnded(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
