// The frames of a snapshot of the state of one moment, which is kept readable meanwhile. Rule: it is let go of when the
// frames end, however they do, and also when they are given up before the first one was asked for.

export class SnapshotFrames implements AsyncIterableIterator<Uint8Array> {
  readonly #frames: AsyncGenerator<Uint8Array>;
  readonly #letGo: () => void;
  #isHeld: boolean;

  /** `letGo` is called once. */
  constructor(frames: AsyncGenerator<Uint8Array>, letGo: () => void) {
    this.#frames = frames;
    this.#letGo = letGo;
    this.#isHeld = true;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const step = await this.#frames.next();
      if (step.done === true) this.#end();
      return step;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** A generator that has not begun would end without a word. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    const step = await this.#frames.return(undefined);
    this.#end();
    return step;
  }

  #end(): void {
    if (this.#isHeld) this.#letGo();
    this.#isHeld = false;
  }
}
