// What one turn of the core asks of the outside, as data. `prepare`, `promise` and `accepted` can only enter
// the after-sync queue, and that queue opens only with a proof that the write-ahead log alone can make (S13).
import { assert } from "../base/assert.js";
import { empty } from "../base/empty.js";
import type { Ballot, ReplicaId, Slot } from "./ballot.js";
import type { LostSlots } from "./lost-slots.js";
import type { ChosenEntry, DurableMessage, ImmediateMessage } from "./message.js";
import type { Value } from "./value.js";

declare const syncedBrand: unique symbol;
/** "Everything that was appended up to `turn` is on disk." Made in `wal/` only; a test forbids casts elsewhere. */
export interface Synced {
  readonly turn: number;
  readonly [syncedBrand]: true;
}

export interface Envelope<M> {
  readonly to: readonly ReplicaId[];
  readonly message: M;
}

/** A vote: durable before its `accepted` leaves. */
export interface AcceptedRecord {
  readonly kind: "accepted";
  readonly slot: Slot;
  readonly ballot: Ballot;
  readonly value: Value;
}

/** The chosen value of a slot, told by another replica; it supersedes every vote in that slot. */
export interface LearnedRecord {
  readonly kind: "learned";
  readonly slot: Slot;
  readonly value: Value;
}

/** Every slot up to `upTo` is chosen, each with the value that the log shows for it here. Need not be synced soon. */
export interface ChosenRecord {
  readonly kind: "chosen";
  readonly upTo: Slot;
}

/**
 * A8: what damage has hidden from this life, in slots from `from` on, is void: of a ballot below `ballot`, below which
 * nothing can be chosen there.
 */
export interface VoidRecord {
  readonly kind: "void";
  readonly from: Slot;
  readonly ballot: Ballot;
}

export type LogRecord = AcceptedRecord | LearnedRecord | ChosenRecord | VoidRecord;

/** What the driver should know; nothing in it is needed for safety. */
export type Notice =
  /** Leadership as seen here changed; `leader` 0: nobody leads. */
  | { readonly kind: "leader"; readonly leader: ReplicaId; readonly ballot: Ballot }
  /** The read `id` of the driver is linearizable once everything up to `slot` is executed. */
  | { readonly kind: "readReady"; readonly id: number; readonly slot: Slot }
  /** Send `learned` from the log on disk: what `to` needs is not in memory any more. */
  | { readonly kind: "serveLog"; readonly to: ReplicaId; readonly fromSlot: Slot }
  /** Offer `to` a snapshot: what it needs is gone from the log here. */
  | { readonly kind: "serveSnapshot"; readonly to: ReplicaId }
  /** Everything up to `upTo` may go from the log: it is looked for there no more. */
  | { readonly kind: "compact"; readonly upTo: Slot }
  /** The state here after `slot` is not the one that the majority `members` has: it must not be shown to anyone. */
  | { readonly kind: "diverged"; readonly slot: Slot; readonly members: readonly ReplicaId[] }
  /** States after `slot` differ and no majority agrees; `isOpen`: the silent may yet. Slot 0: a majority agrees. */
  | { readonly kind: "divided"; readonly slot: Slot; readonly isOpen: boolean }
  /** Whether those with room on their disks are too few for a quorum: what makes the state larger is refused (F29). */
  | { readonly kind: "full"; readonly isFull: boolean }
  /** What damage holds up; none: nothing any more. */
  | ({ readonly kind: "lost" } & LostSlots)
  /** Something an operator should know, as a sentence. */
  | { readonly kind: "alarm"; readonly text: string };

export class Outbox {
  /** Numbers the turns of one life, from 1; a proof for a turn is one for all before it. */
  turn: number;
  /** The promise to make durable in this turn; 0: unchanged. */
  promise: Ballot;
  /** In the order in which they must be in the log. */
  readonly records: LogRecord[];
  readonly sendNow: Envelope<ImmediateMessage>[];
  /** Chosen values to execute, in slot order, without gaps. */
  readonly chosen: ChosenEntry[];
  readonly notices: Notice[];
  readonly #afterSync: Envelope<DurableMessage>[];
  /** Called before anything leaves that has waited; null: nobody watches. */
  onRelease: ((proof: Synced) => void) | null;

  constructor(turn: number) {
    this.turn = turn;
    this.promise = 0;
    this.records = [];
    this.sendNow = [];
    this.chosen = [];
    this.notices = [];
    this.#afterSync = [];
    this.onRelease = null;
  }

  /** For another turn, of one in which nothing waited for the disk: what does must never be dropped here. */
  begin(turn: number): void {
    assert(
      !this.isUrgent && this.records.length === 0,
      "an outbox that waits for the disk is not used again",
    );
    this.turn = turn;
    empty(this.sendNow);
    empty(this.chosen);
    empty(this.notices);
  }

  send(to: readonly ReplicaId[], message: ImmediateMessage): void {
    this.sendNow.push({ to, message });
  }

  sendAfterSync(to: readonly ReplicaId[], message: DurableMessage): void {
    this.#afterSync.push({ to, message });
  }

  /** Whether something waits for the disk: the log must then sync without delay. */
  get isUrgent(): boolean {
    if (this.promise !== 0 || this.#afterSync.length > 0) return true;
    for (const record of this.records) if (record.kind !== "chosen") return true;
    return false;
  }

  releaseAfterSync(proof: Synced): readonly Envelope<DurableMessage>[] {
    assert(proof.turn >= this.turn, "messages released before their turn was synced");
    this.onRelease?.(proof);
    return this.#afterSync;
  }
}
