// Makes a volatile machine a durable one: its state is kept in snapshot files, and after a start the log is replayed
// from the newest good one on. Rule: two are kept, so that damage of the newest is survived while the log reaches back;
// and one that another replica is fetching, as long as there is room.
import { assert } from "../base/assert.js";
import type { DurableState, StateMachine } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";
import type { SnapshotFiles } from "./snapshot-files.js";
import { SnapshotDamaged } from "./snapshot-format.js";

interface HeldState {
  readonly slot: Slot;
  readonly meta: Uint8Array;
}

const NOTHING: HeldState = { slot: 0, meta: new Uint8Array(0) };

export class SnapshottedMachine<Command, Result, Query, Answer>
  implements StateMachine<Command, Result, Query, Answer>, DurableState
{
  readonly #machine: StateMachine<Command, Result, Query, Answer>;
  readonly #files: SnapshotFiles;
  readonly durable: DurableState;
  readonly digest?: () => number;
  readonly grows?: (command: Command) => boolean;
  #held: HeldState;
  #uncommittedBytes: number;
  #commit: Promise<void> | null;

  private constructor(
    machine: StateMachine<Command, Result, Query, Answer>,
    files: SnapshotFiles,
    held: HeldState,
  ) {
    this.#machine = machine;
    this.#files = files;
    this.durable = this;
    if (machine.digest !== undefined) this.digest = () => machine.digest!();
    if (machine.grows !== undefined) this.grows = (command) => machine.grows!(command);
    this.#held = held;
    this.#uncommittedBytes = 0;
    this.#commit = null;
  }

  /** `machine` is new and empty; the newest snapshot that is whole is restored into it. */
  static async open<C, R, Q, A>(
    machine: StateMachine<C, R, Q, A>,
    files: SnapshotFiles,
  ): Promise<SnapshottedMachine<C, R, Q, A>> {
    assert(machine.durable === undefined, "a durable machine keeps its own state");
    return new SnapshottedMachine(machine, files, await restoreNewest(machine, files));
  }

  /** The log must be kept from here on: where a start begins when the newest snapshot is damaged. 0: from its begin. */
  get secondSlot(): Slot {
    return this.#files.all.at(-2)?.slot ?? 0;
  }

  encode(command: Command): Uint8Array {
    return this.#machine.encode(command);
  }

  decode(bytes: Uint8Array): Command {
    const command = this.#machine.decode(bytes);
    this.#uncommittedBytes += bytes.length;
    return command;
  }

  apply(command: Command, slot: number): Result {
    return this.#machine.apply(command, slot);
  }

  query(query: Query): Answer | Promise<Answer> {
    return this.#machine.query(query);
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return this.#machine.snapshot();
  }

  restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#machine.restore(chunks);
  }

  held(): HeldState {
    return this.#held;
  }

  async commit(slot: Slot, meta: Uint8Array): Promise<void> {
    assert(this.#commit === null, "one commit at a time");
    const chunks = this.#machine.snapshot();
    const bytes = this.#uncommittedBytes;
    this.#uncommittedBytes = 0;
    this.#commit = this.#write({ slot, meta: meta.slice() }, chunks);
    try {
      await this.#commit;
    } catch (error) {
      this.#uncommittedBytes += bytes;
      throw error;
    } finally {
      this.#commit = null;
    }
  }

  async #write(state: HeldState, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    // One that was just restored from a peer's is there: the state after a slot is the same everywhere.
    if (this.#files.newest?.slot !== state.slot) await this.#files.write(state.slot, state.meta, chunks);
    this.#held = state;
    await this.#files.removeOld();
  }

  uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  async close(): Promise<void> {
    // Who called `commit` is told of its failure.
    await Promise.allSettled([this.#commit]);
  }
}

async function restoreNewest<C, R, Q, A>(
  machine: StateMachine<C, R, Q, A>,
  files: SnapshotFiles,
): Promise<HeldState> {
  let isUntouched = true;
  for (let info = files.newest; info !== null; info = files.newest) {
    try {
      // First of all: a machine that was given half a state is no longer empty.
      await files.verify(info);
      const { meta, chunks } = await files.load(info);
      isUntouched = false;
      await machine.restore(chunks);
      return { slot: info.slot, meta };
    } catch (error) {
      if (!(error instanceof SnapshotDamaged)) throw error;
      await files.setAside(info);
      if (!isUntouched && files.newest === null) throw error;
    }
  }
  return NOTHING;
}
