// Everything that can happen to the core. `step` takes one event and the present time, in milliseconds.
import type { ReplicaId, Slot } from "./ballot.js";
import type { Message } from "./message.js";

export type Event =
  | { readonly kind: "message"; readonly from: ReplicaId; readonly message: Message }
  /** Everything produced up to `turn` is on disk. */
  | { readonly kind: "synced"; readonly turn: number }
  /** A command of a caller here; numbers count up from 1 within one life. */
  | {
      readonly kind: "propose";
      readonly number: number;
      readonly settled: number;
      readonly payload: Uint8Array;
    }
  /** The caller waits no more: its outcome is unknown and it is not sent again. */
  | { readonly kind: "abandon"; readonly number: number }
  /** A linearizable read of a caller here; answered by a `readReady` notice. */
  | { readonly kind: "read"; readonly id: number }
  | { readonly kind: "abandonRead"; readonly id: number }
  /** A connection with `peer` has shaken hands. */
  | { readonly kind: "linkUp"; readonly peer: ReplicaId }
  /** The connection closed, and a reconnect was refused or took over 30 ms; or the first attempt failed. */
  | { readonly kind: "linkDown"; readonly peer: ReplicaId }
  /** Hand leadership over; `to` 0: to whom it suits best. */
  | { readonly kind: "transfer"; readonly to: ReplicaId }
  /** This replica stops soon: it hands leadership over, and stands no more by itself. */
  | { readonly kind: "leave" }
  /** The state after slot `upTo` is durable, and the log may forget what led to it (A5). */
  | { readonly kind: "compact"; readonly upTo: Slot }
  /** `from` has a snapshot of the state after slot `upTo`, for what is missing here is gone from its log. */
  | { readonly kind: "offered"; readonly from: ReplicaId; readonly upTo: Slot }
  /** The state after `upTo` came in a snapshot and is durable, and so is that the log shows nothing up to it. */
  | { readonly kind: "installed"; readonly upTo: Slot }
  /** The state after `slot`, where digests are compared, in short. */
  | { readonly kind: "digest"; readonly slot: Slot; readonly digest: number }
  /** An earlier life has found that its state is not that of the majority `members`. */
  | { readonly kind: "fenced"; readonly members: readonly ReplicaId[] }
  /** The state of such a replica is one of the majority's again. */
  | { readonly kind: "resynced" }
  /** Whether the disk here is full; false until said otherwise. */
  | { readonly kind: "room"; readonly isFull: boolean }
  /** Nothing happened but time: the deadline has come. */
  | { readonly kind: "tick" };
