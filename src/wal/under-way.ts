// Steps of files that are under way. Rule: no file is closed under one, also after another has failed, for the number
// of a file that is closed may be another file's by then, and the step would be done to that one.
import type { DiskCallback } from "./disk.js";

export class UnderWay {
  #steps: number;
  #waiting: (() => void)[];

  constructor() {
    this.#steps = 0;
    this.#waiting = [];
  }

  /** What the step is to call in place of `done`, which may begin another. */
  step(done: DiskCallback): DiskCallback {
    this.#steps += 1;
    return (error) => {
      try {
        done(error);
      } finally {
        this.#steps -= 1;
        if (this.#steps === 0) this.#tell();
      }
    };
  }

  #tell(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }

  /** Resolves when there is none. */
  async ended(): Promise<void> {
    if (this.#steps > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
