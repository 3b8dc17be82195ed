// Writes that were handed to lmdb, in as many of its transactions as it takes. Rule: all of them are asked for: one
// that has no room fails, and smaller ones after it do not.
import { excuseAbandonedWrites, reasonOf } from "./lmdb-errors.js";

export class LmdbWrites {
  /** lmdb gives one promise to many writes, those of a transaction. */
  readonly #answers: Promise<unknown>[];

  constructor() {
    this.#answers = [];
  }

  get isEmpty(): boolean {
    return this.#answers.length === 0;
  }

  add(answer: Promise<unknown>): void {
    if (answer === this.#answers.at(-1)) return;
    this.#answers.push(answer);
    // One that fails before it is asked for must not end the process.
    answer.catch((error: unknown) => {
      excuseAbandonedWrites();
      return reasonOf(error);
    });
  }

  /** Resolves when every one is visible; rejects when none is under way any more, as the first that has failed. */
  async done(): Promise<void> {
    await Promise.allSettled(this.#answers);
    await Promise.all(this.#answers);
  }
}
