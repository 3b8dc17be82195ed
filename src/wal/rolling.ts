// Going over to the next segment, or making it large enough. Rule: while there is no room for that the log can be
// compacted, for that may be what makes room; nothing else is written meanwhile.
import type { Ballot } from "../paxos/ballot.js";
import type { Compaction } from "./compaction.js";
import type { Manifest, PromiseFiles } from "./promise-file.js";
import type { SegmentFiles } from "./segment-files.js";

export interface RollingPorts {
  readonly segments: SegmentFiles;
  readonly promises: PromiseFiles;
  readonly compaction: Compaction;
  /** Both copies of the promise say it. */
  onCompacted(manifest: Manifest): void;
  onFailed(error: Error): void;
}

/** What the copies of the promise say. */
interface Noted {
  readonly promised: Ballot;
  readonly highest: number;
}

export class Rolling {
  readonly #ports: RollingPorts;
  #noted: Noted | null;
  #isCompacting: boolean;
  /** What is to be done once that is compacted; null: the segment is not there. */
  #afterwards: (() => void) | null;

  constructor(ports: RollingPorts) {
    this.#ports = ports;
    this.#noted = null;
    this.#isCompacting = false;
    this.#afterwards = null;
  }

  /** The next segment is waited for. */
  get isWaiting(): boolean {
    return this.#noted !== null;
  }

  /** `done` is told whether a batch of `length` bytes fits now; false: nobody waits for room any more. */
  begin(noted: Noted, length: number, done: (isThere: boolean) => void): void {
    this.#noted = noted;
    this.#ports.segments.roll(length, (isThere) => {
      this.#noted = null;
      if (this.#isCompacting) this.#afterwards = () => done(isThere);
      else done(isThere);
    });
    this.compact();
  }

  /** Compacts what is asked for, if the next segment is waited for. */
  compact(): void {
    const { compaction, promises, onCompacted, onFailed } = this.#ports;
    if (this.#noted === null || !compaction.isDue || this.#isCompacting) return;
    this.#isCompacting = true;
    const manifest = compaction.next;
    promises.write({ ...this.#noted, ...manifest }, (error) => {
      this.#isCompacting = false;
      if (error !== null) {
        onFailed(error);
        return;
      }
      onCompacted(manifest);
      const afterwards = this.#afterwards;
      this.#afterwards = null;
      if (afterwards !== null) afterwards();
      else this.compact();
    });
  }
}
