// What an embedder writes: a deterministic state machine. The same commands in the same order give the same
// state and the same results on every replica. Source: Schneider, "Implementing Fault-Tolerant Services".

/**
 * Thrown by a machine that finds its own state damaged, on this replica alone: not a refusal, for the others go on
 * and would differ. The replica stops and says so; nothing that the command would have done is acknowledged here.
 */
export class StateCorrupt extends Error {
  override readonly name: string = "StateCorrupt";
  readonly code: string = "STATE_CORRUPT";
}

/**
 * A state machine that is replicated. `apply` may use nothing but the state and the command: no clock, no
 * randomness, no local setting. It is total: a command it does not like is answered with a result that says
 * so. If it throws all the same (anything but `StateCorrupt`), the command counts as refused (`CommandRefused`), so
 * throw before changing anything.
 */
export interface StateMachine<Command, Result, Query, Answer> {
  /** Bytes of a command, as they go to disk and peers. Throws when the command is malformed. */
  encode(command: Command): Uint8Array;
  /** The inverse of `encode`; throws on bytes that are no command, on every replica alike. */
  decode(bytes: Uint8Array): Command;
  /** Executes a command; `slot` is its place in the log, growing, not strictly (a slot holds a batch). */
  apply(command: Command, slot: number): Result;
  /** Answers from the present state and changes nothing. */
  query(query: Query): Answer | Promise<Answer>;
  /**
   * The whole present state in chunks, of a frozen copy: commands applied meanwhile do not show. A chunk is done with
   * when the next one is asked for: its memory may be used for that one.
   */
  snapshot(): AsyncIterable<Uint8Array>;
  /**
   * Replaces the state by a snapshot's. A rejection ends the replica; but for one with the `code` `ENOSPC`, which has
   * changed nothing: it is called again when there may be room.
   */
  restore(chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * The state in short, from 0 to `Number.MAX_SAFE_INTEGER`: the same after the same commands, also when a part of
   * them came as a snapshot. Replicas compare it now and then, and one whose state has become another one is noticed
   * and healed. Called after every thousand slots or so: it may look at the whole of a small state. Without it only
   * what is kept about callers is compared.
   */
  digest?(): number;
  /**
   * Whether a command may make the state larger: those are refused while the disk is full. Without it all may, and
   * then nothing can be deleted.
   */
  grows?(command: Command): boolean;
  /** Present in a machine that keeps its state on disk itself. */
  readonly durable?: DurableState;
}

/** How a durable machine says what it holds; without it a machine is volatile, and the log is replayed at start. */
export interface DurableState {
  /** The last slot whose effects are held durably, with the bytes stored along with it; slot 0 when empty. */
  held(): { readonly slot: number; readonly meta: Uint8Array };
  /**
   * Makes the state as of this call durable, atomically with `slot` and `meta`; resolves when flushed to disk.
   * `apply` goes on meanwhile. Called again only after it has settled. A rejection ends the replica; but
   * for one with the `code` `ENOSPC`, which has changed nothing: it is called again when there may be room.
   */
  commit(slot: number, meta: Uint8Array): Promise<void>;
  /** Bytes applied and not yet committed: the driver commits, and slows proposers, by it. */
  uncommittedBytes(): number;
  /**
   * Called when the machine has thrown `StateCorrupt`, before it is closed: makes durable that what is held is damaged,
   * so that the next start begins with an empty machine, which the log and the peers fill.
   */
  condemn?(reason: string): Promise<void>;
  /**
   * Checks what is held, from where the call before has ended, until `isOver` says so; after the end begins anew.
   * Throws `StateCorrupt`.
   */
  scrub?(isOver: () => boolean): ScrubStep;
  close(): Promise<void>;
}

/** What one step of a scrub has done. */
export interface ScrubStep {
  /** Things checked: records, or whatever the machine has. */
  readonly checked: number;
  /** What part of the whole that was, 0 to 1. */
  readonly part: number;
  /** The next step begins anew. */
  readonly isEnd: boolean;
}
