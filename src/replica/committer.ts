// Commits a durable machine now and then. Rule: state, `appliedUpTo` and sessions go together, and only while
// the log on disk shows everything in them as chosen, so that after a restart this replica can still serve it (L5).

import { isNoSpace } from "../base/no-space.js";
import type { DurableState } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";
import type { Room } from "../wal/room.js";

/** How often a machine is committed. */
export interface CommitPace {
  /** After so many bytes of commands, or so long after the first. */
  readonly bytes: number;
  readonly ms: number;
  /** More that is not committed slows proposers. */
  readonly mostBytes: number;
  /** Whether an orderly stop commits once more. */
  readonly atClose: boolean;
}

/** For a machine that keeps its state in a store of its own. */
export const STORE_PACE: CommitPace = { bytes: 8 << 20, ms: 100, mostBytes: 64 << 20, atClose: true };
/** When the log never comes level with what is executed by itself, execution waits for it: so much later. */
const PAUSE_BYTES = 8 << 20;
const PAUSE_MS = 200;
const NEVER = Number.POSITIVE_INFINITY;

const STATE = "the state";

export interface CommitterPorts {
  readonly log: { readonly syncedChosenUpTo: Slot; flush(): void };
  readonly pace?: CommitPace;
  readonly room: Pick<Room, "lacks" | "has">;
  readonly executor: { readonly appliedUpTo: Slot; isPaused: boolean };
  /** The session table's bytes as of now. */
  meta(): Uint8Array;
  /** A commit is done, or may be done now: execution may go on. */
  onCommitted(): void;
  onFailed(error: Error): void;
}

export class Committer {
  readonly #durable: DurableState;
  readonly #ports: CommitterPorts;
  readonly #pace: CommitPace;
  #heldUpTo: Slot;
  /** When the oldest state that is not committed was made; Infinity: everything is committed. */
  #since: number;
  #commit: Promise<void> | null;
  #isSuspended: boolean;
  /** There was no room for the last commit: none is begun until there may be. */
  #isWithoutRoom: boolean;
  /** Somebody waits for the next commit. */
  #isWanted: boolean;
  /** Call `poke` at this time at the latest. */
  deadline: number;

  constructor(durable: DurableState, heldUpTo: Slot, ports: CommitterPorts) {
    this.#durable = durable;
    this.#ports = ports;
    this.#pace = ports.pace ?? STORE_PACE;
    this.#heldUpTo = heldUpTo;
    this.#since = NEVER;
    this.#commit = null;
    this.#isSuspended = false;
    this.#isWithoutRoom = false;
    this.#isWanted = false;
    this.deadline = NEVER;
  }

  get heldUpTo(): Slot {
    return this.#heldUpTo;
  }

  get isOverlayFull(): boolean {
    return this.#durable.uncommittedBytes() > this.#pace.mostBytes;
  }

  /** Called after something was executed, after a sync of the log, and at the deadline. */
  poke(now: number): void {
    if (this.#commit !== null || this.#isSuspended || this.#isWithoutRoom) return;
    const { log, executor } = this.#ports;
    this.deadline = NEVER;
    if (executor.appliedUpTo <= this.#heldUpTo) {
      this.#ports.room.has(STATE);
      this.#isWanted = false;
      return;
    }
    if (this.#since === NEVER) this.#since = now;
    const bytes = this.#durable.uncommittedBytes();
    const { bytes: most, ms } = this.#pace;
    if (bytes <= most && now - this.#since < ms && !this.#isWanted) {
      this.deadline = this.#since + ms;
      return;
    }
    if (log.syncedChosenUpTo >= executor.appliedUpTo) {
      this.#begin(this.#durable);
      return;
    }
    log.flush();
    if (this.#isWanted || bytes > most + PAUSE_BYTES || now - this.#since >= ms + PAUSE_MS)
      executor.isPaused = true;
    else this.deadline = this.#since + ms + PAUSE_MS;
  }

  /** As soon as can be, whatever the pace; what is there has been committed already, or will be. */
  hasten(now: number): void {
    this.#isWanted = true;
    this.poke(now);
  }

  /** What was held is damaged: only what is up to `heldUpTo` is held, until the next commit, which is soon. */
  lost(heldUpTo: Slot, now: number): void {
    this.#heldUpTo = Math.min(this.#heldUpTo, heldUpTo);
    this.hasten(now);
  }

  /** Nothing is committed from now on until `resume`; resolves when nothing is. */
  async suspend(): Promise<void> {
    this.#isSuspended = true;
    this.deadline = NEVER;
    await this.#commit;
    this.#ports.room.has(STATE);
  }

  /** Everything up to `heldUpTo` is held. */
  resume(heldUpTo: Slot): void {
    this.#isSuspended = false;
    this.#heldUpTo = Math.max(this.#heldUpTo, heldUpTo);
    this.#since = NEVER;
    this.#ports.executor.isPaused = false;
  }

  /** The last commit, unless something failed; what the log on disk does not show is left to the replay. */
  async finish(isWell: boolean): Promise<void> {
    await Promise.allSettled([this.#commit]);
    if (!isWell || this.#isSuspended || this.#commit !== null || !this.#pace.atClose) return;
    const { log, executor } = this.#ports;
    if (executor.appliedUpTo > this.#heldUpTo && log.syncedChosenUpTo >= executor.appliedUpTo) {
      try {
        await this.#durable.commit(executor.appliedUpTo, this.#ports.meta());
      } catch (error) {
        // The next life has it from the log.
        if (!isNoSpace(error)) throw error;
      }
    }
  }

  /** Nothing is lost: the log has what was not committed, and keeps it. */
  #waitForRoom(): void {
    this.#isWithoutRoom = true;
    void this.#ports.room.lacks(STATE).then(() => {
      this.#isWithoutRoom = false;
      this.#isWanted = true;
      this.#ports.onCommitted();
    });
  }

  #begin(durable: DurableState): void {
    const { executor } = this.#ports;
    const slot = executor.appliedUpTo;
    const done = durable.commit(slot, this.#ports.meta()).then(
      () => {
        this.#heldUpTo = slot;
        this.#commit = null;
        this.#ports.room.has(STATE);
        this.#ports.onCommitted();
      },
      (error: unknown) => {
        if (!isNoSpace(error)) throw error;
        this.#commit = null;
        this.#waitForRoom();
      },
    );
    this.#since = NEVER;
    this.#isWanted = false;
    this.#commit = done;
    executor.isPaused = false;
    done.catch((error: Error) => this.#ports.onFailed(error));
  }
}
