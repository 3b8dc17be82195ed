// What becomes of a replica whose state is not that of the majority (2.10): nothing of it is shown any more, it stands
// still, it is kept aside as evidence, and a state from one of the majority takes its place. Rule: the fence is durable
// first, and is lifted only when that state is.
import { isNoSpace } from "../base/no-space.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { Notice } from "../paxos/outbox.js";
import type { Fence } from "./fence-file.js";
import type { Opened } from "./opening.js";
import type { Clock, Network } from "./ports.js";

/** What was asked for and does not come is asked of another one. */
const AGAIN_MS = 500;
const NEVER = Number.POSITIVE_INFINITY;

export interface DivergencePorts {
  readonly clock: Clock;
  readonly network: Pick<Network, "send">;
  /** Of the cluster. */
  readonly members: readonly ReplicaId[];
  linked(): readonly ReplicaId[];
  /** Resolves when no snapshot is being made, received or installed. */
  idle(): Promise<void>;
  isFetching(): boolean;
  post(event: Event): void;
  /** From now on nobody is served: whoever waits is told `reason`. */
  onFenced(reason: string): void;
  /** They are again, as `text` says. */
  onWell(text: string): void;
  onFault(text: string): void;
  onBroken(error: Error): void;
}

export class Divergence<C, R, Q, A> {
  readonly #opened: Opened<C, R, Q, A>;
  readonly #ports: DivergencePorts;
  /** Null: the state is as good as is known. */
  #fence: Fence | null;
  /** The slot after which states differ and no majority agrees; 0: there is none. */
  #dividedAt: Slot;
  /** So it is, or may be. */
  #isDivided: boolean;
  /** The next of those who can be asked. */
  #next: number;
  /** Infinity: not before the evidence is aside. */
  #askAt: number;
  #work: Promise<void>;
  #isStopped: boolean;
  /** How often, in this life. */
  fences: number;

  constructor(opened: Opened<C, R, Q, A>, ports: DivergencePorts) {
    this.#opened = opened;
    this.#ports = ports;
    this.#fence = opened.fence.found;
    this.#dividedAt = 0;
    this.#isDivided = false;
    this.#next = 0;
    this.#askAt = NEVER;
    this.#work = Promise.resolve();
    this.#isStopped = false;
    this.fences = 0;
  }

  get isFenced(): boolean {
    return this.#fence !== null;
  }

  /**
   * Whether the state here may be given to others: not while it is not known whose is right, for a copy of a wrong one
   * would speak for it, and make it the majority's.
   */
  get isTrusted(): boolean {
    return this.#fence === null && !this.#isDivided;
  }

  /** Why nobody is served here; null: they are. */
  get reason(): string | null {
    if (this.#fence === null) return null;
    return `the state of this replica is not the one of the majority after slot ${this.#fence.slot}: ask another one`;
  }

  /** What an operator should know, as sentences. */
  get alarms(): readonly string[] {
    const alarms: string[] = [];
    if (this.#fence !== null) {
      const { members } = this.#fence;
      const who = members.length === 0 ? "another one" : `replica ${members.join(" or ")}`;
      const { slot } = this.#fence;
      alarms.push(
        `the state of this replica is not the one of the majority after slot ${slot}: it serves nobody until it has ` +
          `the state of ${who}`,
      );
    }
    if (this.#dividedAt > 0) {
      alarms.push(
        `replicas have different states after slot ${this.#dividedAt}, and no majority has the same: ` +
          "compare them, and replace those that are wrong",
      );
    }
    return alarms;
  }

  get deadline(): number {
    return this.#askAt;
  }

  /** The core runs: it is told what an earlier life has found. */
  start(): void {
    if (this.#fence === null) return;
    this.#ports.post({ kind: "fenced", members: this.#fence.members });
    this.#shut();
    this.#run(() => this.#prepare(null));
  }

  onNotice(notice: Notice & { readonly kind: "diverged" | "divided" }): void {
    if (notice.kind === "diverged") {
      this.#diverged({ slot: notice.slot, members: notice.members });
    } else {
      this.#isDivided = notice.slot > 0;
      this.#dividedAt = notice.isOpen ? 0 : notice.slot;
      if (this.#dividedAt > 0) for (const text of this.alarms) this.#ports.onFault(text);
    }
  }

  #diverged(fence: Fence): void {
    if (this.#fence !== null) return;
    this.#fence = fence;
    this.fences += 1;
    this.#opened.executor.isFenced = true;
    this.#shut();
    this.#run(() => this.#prepare(fence));
  }

  #shut(): void {
    for (const text of this.alarms) this.#ports.onFault(text);
    this.#ports.onFenced(this.reason!);
  }

  /** `fence`: it is new, and what it is about is still here as it was found. */
  async #prepare(fence: Fence | null): Promise<void> {
    const { committer, held, executor, fence: file } = this.#opened;
    const { snapshots: files, machine } = held;
    const { room } = this.#opened;
    if (fence !== null) await room.allocate("the fence", () => file.write(fence));
    await committer.suspend();
    await this.#ports.idle();
    if (fence !== null) {
      await files.removeEvidence();
      const slot = executor.appliedUpTo;
      if (slot > 0) await this.#keep(() => files.write(slot, executor.meta(), machine.snapshot()));
    }
    for (const info of files.all) await files.setAside(info, "diverged");
    this.#askAt = this.#ports.clock.now();
  }

  /** What is wrong is kept for who wants to look at it, if there is room. */
  async #keep(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#ports.onFault(`the state that differs is not kept: ${error.message}`);
    }
  }

  /** Whether a snapshot of the state after `slot` is to be fetched from `from`. */
  isWanted(from: ReplicaId, slot: Slot): boolean {
    if (this.#fence === null) return slot > this.#opened.executor.appliedUpTo;
    return this.#askAt !== NEVER && slot >= this.#leastSlot && this.#sources.includes(from);
  }

  /** What the log has let go was in the state that is put aside: the one that takes its place must hold it (L5). */
  get #leastSlot(): Slot {
    const { executor, wal } = this.#opened;
    return Math.max(1, executor.appliedUpTo, wal.compactedUpTo);
  }

  get #sources(): readonly ReplicaId[] {
    const members = this.#fence?.members ?? [];
    const { replica } = this.#opened.identity;
    return (members.length > 0 ? members : this.#ports.members).filter((member) => member !== replica);
  }

  elapse(now: number): void {
    if (now < this.#askAt) return;
    this.#askAt = now + AGAIN_MS;
    if (this.#ports.isFetching()) return;
    const linked = this.#ports.linked();
    const sources = this.#sources.filter((source) => linked.includes(source));
    if (sources.length === 0) return;
    const source = sources[this.#next % sources.length]!;
    this.#next += 1;
    const slot = this.#leastSlot;
    this.#ports.network.send([source], { kind: "snapshotRequest", slot, bytes: 0, sum: 0, offset: 0 });
  }

  /** The state is one of the majority's, durably. */
  healed(): void {
    this.#fence = null;
    this.#askAt = NEVER;
    this.#ports.post({ kind: "resynced" });
    this.#ports.onWell("the state is the one of the majority again");
    this.#run(() => this.#opened.fence.remove());
  }

  #run(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: Error) => {
      if (!this.#isStopped) this.#ports.onBroken(error);
    });
  }

  async close(): Promise<void> {
    this.#isStopped = true;
    this.#askAt = NEVER;
    await this.#work;
  }
}
