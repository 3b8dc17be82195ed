// Every message of the protocol: plain objects with a `kind`, all fields always present and in one order.
// docs/protocol.md says of each one who sends it, when it may leave, and which rule it serves.
import type { Ballot, ReplicaId, Slot } from "./ballot.js";
import type { Command, Value } from "./value.js";

/** What an acceptor accepted in a slot: its vote of the highest ballot. */
export interface Accepted {
  readonly slot: Slot;
  readonly ballot: Ballot;
  readonly value: Value;
}

/** Slots whose records cannot be read, with the highest ballot that they may have had (0: not known). */
export interface Faulty {
  readonly from: Slot;
  readonly to: Slot;
  readonly ballot: Ballot;
}

/** A slot and the value chosen in it: a fact, not a vote, hence without a ballot. */
export interface ChosenEntry {
  readonly slot: Slot;
  readonly value: Value;
}

export interface PrepareMessage {
  readonly kind: "prepare";
  readonly ballot: Ballot;
  readonly fromSlot: Slot;
}

/** Speaks for the slots `from` to `to` (`LAST_SLOT`: all after): what is not named there was not accepted. */
export interface PromiseMessage {
  readonly kind: "promise";
  readonly ballot: Ballot;
  readonly from: Slot;
  readonly to: Slot;
  readonly accepted: readonly Accepted[];
  readonly faulty: readonly Faulty[];
  readonly chosenUpTo: Slot;
  readonly compactedUpTo: Slot;
}

/** Values for the slots `firstSlot`, `firstSlot + 1`, ...; `chosenUpTo` is the leader's watermark. */
export interface AcceptMessage {
  readonly kind: "accept";
  readonly ballot: Ballot;
  readonly firstSlot: Slot;
  readonly values: readonly Value[];
  readonly chosenUpTo: Slot;
}

/**
 * Every slot up to `upTo` is known chosen here, or accepted here at `ballot`, and synced;
 * `slots` names what was accepted above the first gap.
 */
export interface AcceptedMessage {
  readonly kind: "accepted";
  readonly ballot: Ballot;
  readonly upTo: Slot;
  readonly slots: readonly Slot[];
}

export interface RejectMessage {
  readonly kind: "reject";
  readonly ballot: Ballot;
  readonly promised: Ballot;
}

/** What `replica` has for a state after `slot`, in short: equal states have equal digests. */
export interface StateDigest {
  readonly replica: ReplicaId;
  readonly slot: Slot;
  readonly digest: number;
}

export interface HeartbeatMessage {
  readonly kind: "heartbeat";
  readonly ballot: Ballot;
  readonly chosenUpTo: Slot;
  /** Grows with every heartbeat of a ballot: an acknowledgement names the round that it answers. */
  readonly round: number;
  readonly quorumConnected: boolean;
  /** Below `ballot` nothing was or ever will be chosen in any slot above it (A8). */
  readonly emptyAbove: Slot;
  /** Those with room on their disks are no quorum: what makes the state larger is to be refused (F29). */
  readonly full: boolean;
  /** The newest digests that the leader knows, its own and those that others have told it. */
  readonly digests: readonly StateDigest[];
}

export interface HeartbeatAckMessage {
  readonly kind: "heartbeatAck";
  readonly ballot: Ballot;
  readonly round: number;
  /** As `accepted.upTo`. */
  readonly syncedUpTo: Slot;
  /** Digest of the state after `digestSlot`, one that the leader has told its own of if possible; slot 0: none. */
  readonly digestSlot: Slot;
  readonly digest: number;
  /** Whether this acknowledgement grants a leader lease. */
  readonly lease: boolean;
  /** Damage may hide votes of this very ballot in slots that are free: only a new ballot can tell otherwise (A8). */
  readonly damaged: boolean;
  /** There is no room on the disk of this replica (F29). */
  readonly full: boolean;
}

/** "Would you take me as your leader?": nothing durable changes. */
export interface CanvassMessage {
  readonly kind: "canvass";
  readonly round: number;
  readonly chosenUpTo: Slot;
}

export interface CanvassReplyMessage {
  readonly kind: "canvassReply";
  readonly round: number;
  readonly willing: boolean;
  readonly promised: Ballot;
  readonly chosenUpTo: Slot;
  /** The leader that the asked hears; 0: none. */
  readonly leader: ReplicaId;
}

export interface LearnMessage {
  readonly kind: "learn";
  readonly fromSlot: Slot;
}

export interface LearnedMessage {
  readonly kind: "learned";
  readonly entries: readonly ChosenEntry[];
}

/** Commands on their way to the leader; `hops` counts the replicas passed. */
export interface ForwardMessage {
  readonly kind: "forward";
  readonly commands: readonly Command[];
  readonly hops: number;
}

/** The commands `numbers` of replica `origin` are chosen; told by the leader of `ballot` as a watermark. */
export interface ForwardedMessage {
  readonly kind: "forwarded";
  readonly origin: ReplicaId;
  readonly incarnation: number;
  readonly numbers: readonly number[];
  readonly ballot: Ballot;
  readonly chosenUpTo: Slot;
}

/** Asks for a slot at which a read is linearizable; `id` is used once by `origin`. */
export interface ReadIndexMessage {
  readonly kind: "readIndex";
  readonly origin: ReplicaId;
  readonly id: number;
  readonly hops: number;
}

export interface ReadIndexReplyMessage {
  readonly kind: "readIndexReply";
  readonly origin: ReplicaId;
  readonly id: number;
  readonly slot: Slot;
  readonly ballot: Ballot;
  readonly chosenUpTo: Slot;
}

/** The leader of `ballot` has stopped leading and asks `to` to take over. */
export interface TransferMessage {
  readonly kind: "transfer";
  readonly ballot: Ballot;
  readonly to: ReplicaId;
}

/** Speaks for what is on disk: may leave only after sync (S13). */
export type DurableMessage = PrepareMessage | PromiseMessage | AcceptedMessage;

/** Needs no disk: a request, a refusal, a hint, or a fact that is safe on a quorum. */
export type ImmediateMessage =
  | AcceptMessage
  | RejectMessage
  | HeartbeatMessage
  | HeartbeatAckMessage
  | CanvassMessage
  | CanvassReplyMessage
  | LearnMessage
  | LearnedMessage
  | ForwardMessage
  | ForwardedMessage
  | ReadIndexMessage
  | ReadIndexReplyMessage
  | TransferMessage;

export type Message = DurableMessage | ImmediateMessage;
export type MessageKind = Message["kind"];
