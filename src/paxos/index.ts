// The protocol as a library of its own (`synod/paxos`): for teaching, simulators and other drivers.
export {
  type Ballot,
  ballotAbove,
  ballotOf,
  describeBallot,
  LAST_SLOT,
  NO_BALLOT,
  type ReplicaId,
  replicaOf,
  roundOf,
  type Slot,
} from "./ballot.js";
export { describeMessage, describeValue } from "./describe.js";
export type { Event } from "./event.js";
export type { LostSlots } from "./lost-slots.js";
export { type Membership, Memberships, majorityOf } from "./membership.js";
export type * from "./message.js";
export { type Envelope, type LogRecord, type Notice, Outbox, type Synced } from "./outbox.js";
export { Paxos } from "./paxos.js";
export type { PaxosOptions, RecoveredState } from "./state.js";
export { type Command, commandsOf, encodeBatch, isNoop, NOOP, sameValue, type Value } from "./value.js";
