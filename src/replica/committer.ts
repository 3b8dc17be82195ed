// Commits a durable machine now and then. Rule: state, `appliedUpTo` and sessions go together, and only while
// the log on disk shows everything in them as chosen, so that after a restart this replica can still serve it (L5).
import type { DurableState } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";

const COMMIT_BYTES = 8 << 20;
const COMMIT_MS = 100;
/** When the log never comes level with what is executed by itself, execution waits for it. */
const PAUSE_BYTES = 16 << 20;
const PAUSE_MS = 300;
/** A fuller overlay slows proposers. */
const OVERLAY_BYTES = 64 << 20;
const NEVER = Number.POSITIVE_INFINITY;

export interface CommitterPorts {
  readonly log: { readonly syncedChosenUpTo: Slot; flush(): void };
  readonly executor: { readonly appliedUpTo: Slot; isPaused: boolean };
  /** The session table's bytes as of now. */
  meta(): Uint8Array;
  /** A commit is done, execution may go on. */
  onCommitted(): void;
  onFailed(error: Error): void;
}

export class Committer {
  readonly #durable: DurableState | undefined;
  readonly #ports: CommitterPorts;
  #heldUpTo: Slot;
  /** When the oldest state that is not committed was made; Infinity: everything is committed. */
  #since: number;
  #commit: Promise<void> | null;
  /** Call `poke` at this time at the latest. */
  deadline: number;

  constructor(durable: DurableState | undefined, heldUpTo: Slot, ports: CommitterPorts) {
    this.#durable = durable;
    this.#ports = ports;
    this.#heldUpTo = heldUpTo;
    this.#since = NEVER;
    this.#commit = null;
    this.deadline = NEVER;
  }

  get isOverlayFull(): boolean {
    return this.#durable !== undefined && this.#durable.uncommittedBytes() > OVERLAY_BYTES;
  }

  /** Called after something was executed, after a sync of the log, and at the deadline. */
  poke(now: number): void {
    if (this.#durable === undefined || this.#commit !== null) return;
    const { log, executor } = this.#ports;
    this.deadline = NEVER;
    if (executor.appliedUpTo <= this.#heldUpTo) return;
    if (this.#since === NEVER) this.#since = now;
    const bytes = this.#durable.uncommittedBytes();
    if (bytes <= COMMIT_BYTES && now - this.#since < COMMIT_MS) {
      this.deadline = this.#since + COMMIT_MS;
      return;
    }
    if (log.syncedChosenUpTo >= executor.appliedUpTo) {
      this.#begin(this.#durable);
      return;
    }
    log.flush();
    if (bytes > PAUSE_BYTES || now - this.#since >= PAUSE_MS) executor.isPaused = true;
    else this.deadline = this.#since + PAUSE_MS;
  }

  /** The last commit, unless something failed; what the log on disk does not show is left to the replay. */
  async finish(isWell: boolean): Promise<void> {
    if (this.#durable === undefined) return;
    await Promise.allSettled([this.#commit]);
    if (!isWell || this.#commit !== null) return;
    const { log, executor } = this.#ports;
    if (executor.appliedUpTo > this.#heldUpTo && log.syncedChosenUpTo >= executor.appliedUpTo) {
      await this.#durable.commit(executor.appliedUpTo, this.#ports.meta());
    }
  }

  #begin(durable: DurableState): void {
    const { executor } = this.#ports;
    const slot = executor.appliedUpTo;
    const done = durable.commit(slot, this.#ports.meta()).then(() => {
      this.#heldUpTo = slot;
      this.#commit = null;
    });
    this.#since = NEVER;
    this.#commit = done;
    executor.isPaused = false;
    done.then(
      () => this.#ports.onCommitted(),
      (error: Error) => this.#ports.onFailed(error),
    );
  }
}
