// A replica of one for tests of the etcd face: the real store with commands applied at once, and switches for what
// a cluster does to its callers.

import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../kv/commands.js";
import { KvMachine } from "../kv/machine.js";
import { MemoryRecordStore } from "../kv/memory-record-store.js";
import type { CancelSignal } from "../replica/cancel.js";
import { OutcomeUnknown, Unavailable } from "../replica/errors.js";
import type { StateSnapshot } from "../replica/status.js";
import type { KvReplica, KvReplicaStatus } from "./kv-replica.js";

interface Wait {
  readonly signal?: CancelSignal;
  readonly local?: boolean;
}

export class ReplicaForTests implements KvReplica {
  readonly #machine: KvMachine;
  readonly #listeners: ((event: { readonly leader: number }) => void)[];
  readonly #held: (() => void)[];
  #slot: number;
  leader: number;
  /** Why nobody may see the state here; null: they may. */
  fence: string | null;
  isOutOfSpace: boolean;
  /** What every proposal ends with instead. */
  failure: Error | null;
  /** Nothing is proposed or read from a quorum until `release`, or the signal. */
  isHolding: boolean;
  /** What a snapshot is made of. */
  pieces: readonly Uint8Array[];
  proposed: number;
  localReads: number;
  quorumReads: number;
  aborted: number;

  private constructor(machine: KvMachine) {
    this.#machine = machine;
    this.#listeners = [];
    this.#held = [];
    this.#slot = 0;
    this.leader = 1;
    this.fence = null;
    this.isOutOfSpace = false;
    this.failure = null;
    this.isHolding = false;
    this.pieces = [];
    this.proposed = 0;
    this.localReads = 0;
    this.quorumReads = 0;
    this.aborted = 0;
  }

  static async open(): Promise<ReplicaForTests> {
    return new ReplicaForTests(await KvMachine.open(new MemoryRecordStore()));
  }

  get held(): number {
    return this.#held.length;
  }

  release(): void {
    this.isHolding = false;
    for (const go of this.#held.splice(0)) go();
  }

  lead(leader: number): void {
    this.leader = leader;
    for (const listener of this.#listeners) listener({ leader });
  }

  async propose(command: KvCommand, { signal }: Wait = {}): Promise<KvResult> {
    this.proposed += 1;
    if (this.failure !== null) throw this.failure;
    await this.#hold(signal, () => new OutcomeUnknown("aborted"));
    this.#slot += 1;
    return this.#machine.apply(this.#machine.decode(this.#machine.encode(command)));
  }

  async read(query: KvQuery, { signal, local = false }: Wait = {}): Promise<KvAnswer> {
    if (this.fence !== null) throw new Unavailable(this.fence);
    if (local) this.localReads += 1;
    else this.quorumReads += 1;
    if (!local) await this.#hold(signal, () => signal?.reason);
    return this.#machine.query(query);
  }

  #hold(signal: CancelSignal | undefined, failure: () => unknown): Promise<void> {
    if (!this.isHolding) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#held.push(resolve);
      signal?.addEventListener("abort", () => {
        this.aborted += 1;
        reject(failure());
      });
    });
  }

  async snapshot(): Promise<StateSnapshot> {
    if (this.failure !== null) throw this.failure;
    const pieces = this.pieces;
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const read = async function* (areLent: boolean) {
      for (const piece of pieces) {
        // As one that is read from a disk.
        await new Promise(setImmediate);
        const lent = areLent ? Uint8Array.from(piece) : piece;
        yield lent;
        if (areLent) lent.fill(0);
      }
    };
    return { slot: this.#slot, bytes, pieces: read(false), lentPieces: read(true) };
  }

  status(): KvReplicaStatus {
    return {
      id: 1,
      role: this.leader === 1 ? "leader" : "follower",
      leader: this.leader,
      round: 7,
      chosenUpTo: this.#slot,
      appliedUpTo: this.#slot,
      isServing: this.fence === null,
      isFenced: this.fence !== null,
      rebuildingUpTo: 0,
      isOutOfSpace: this.isOutOfSpace,
      alarms: this.fence === null ? [] : [this.fence],
      counters: { badFrames: 3 },
    };
  }

  on(_event: "leader", listener: (event: { readonly leader: number }) => void): void {
    this.#listeners.push(listener);
  }
}
