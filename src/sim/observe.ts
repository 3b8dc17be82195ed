// What the ghost sees of a run: records as they are appended and become durable, messages as they leave, values
// as they are executed. Each is checked against the invariants first, then remembered.
import { unreachable } from "../base/assert.js";
import { LAST_SLOT, type ReplicaId, type Slot } from "../paxos/ballot.js";
import type { Accepted, ChosenEntry, Message, PrepareMessage, PromiseMessage } from "../paxos/message.js";
import type { LogRecord } from "../paxos/outbox.js";
import type { RecoveredState } from "../paxos/state.js";
import { castVote, type Ghost, type GhostReplica, putVote } from "./ghost.js";
import {
  aboveIsDurable,
  acceptedIsDurable,
  acceptGuard,
  agreement,
  ballotUniqueness,
  chosenSlotsAreLeft,
  contiguity,
  installsOnlyChosen,
  learnsOnlyChosen,
  nonTriviality,
  persistBeforeSend,
  promiseTruth,
  proposals,
  voteImmutability,
  watermarkOfBallot,
  watermarkRecord,
  watermarksTrue,
} from "./invariants.js";
import { voidsOnlyVoid } from "./voids-only-void.js";

/** A record as it is appended: guards, then the ghost remembers it. */
export function onAppend(ghost: Ghost, id: ReplicaId, record: LogRecord): void {
  const replica = ghost.replica(id);
  if (record.kind === "accepted") {
    acceptGuard(id, replica, record.slot, record.ballot);
    voteImmutability(id, replica, record.slot, record.ballot, record.value);
    chosenSlotsAreLeft(id, replica, record.slot);
    castVote(replica, record.slot, record.ballot, record.value);
    // Cast again, it is not hidden any more.
    replica.hidden.get(record.slot)?.delete(record.ballot);
    replica.promised = Math.max(replica.promised, record.ballot);
  } else if (record.kind === "learned") {
    learnsOnlyChosen(ghost, id, record);
    replica.learned.set(record.slot, record.value);
  } else if (record.kind === "void") {
    voidsOnlyVoid(ghost, id, replica, record);
    ghost.voids += 1;
    for (const [slot, votes] of replica.hidden) {
      if (slot < record.from) continue;
      for (const [ballot] of votes) replica.votes.get(slot)?.delete(ballot);
    }
  } else {
    watermarkRecord(ghost, id, record.upTo);
  }
}

/** A new life begins with what it found on its disk. */
export function onStart(ghost: Ghost, id: ReplicaId, recovered: RecoveredState): void {
  const replica = ghost.replica(id);
  replica.foundPromise = recovered.promised;
  for (let slot = recovered.chosenUpTo + 1; slot <= replica.topVote; slot += 1) {
    const votes = replica.durableVotes.get(slot);
    if (votes === undefined || !recovered.faulty.some(({ from, to }) => from <= slot && slot <= to)) continue;
    // What was written after the damage is shown, and makes what is below it old.
    const shown = recovered.accepted.find((accepted) => accepted.slot === slot)?.ballot ?? 0;
    const hidden = votes.copy();
    for (const [ballot] of votes) if (ballot <= shown) hidden.delete(ballot);
    replica.hidden.set(slot, hidden);
  }
}

/** A record as it becomes durable: a vote may make a value chosen. */
export function onDurable(ghost: Ghost, id: ReplicaId, record: LogRecord): void {
  const replica = ghost.replica(id);
  if (record.kind === "learned") replica.durableLearned.set(record.slot, record.value);
  if (record.kind === "void") {
    replica.durablePromise = Math.max(replica.durablePromise, record.ballot);
    for (const [slot, votes] of replica.hidden) {
      if (slot < record.from) continue;
      replica.voided.set(slot, Math.max(replica.voided.get(slot) ?? 0, votes.highest()));
      replica.hidden.delete(slot);
    }
  }
  if (record.kind !== "accepted") return;
  replica.durablePromise = Math.max(replica.durablePromise, record.ballot);
  putVote(replica.durableVotes, record.slot, record.ballot, record.value);
  if (record.slot > replica.chosenUpTo && replica.durableVotes.get(record.slot)!.size > 1) {
    ghost.castAgain = { id, slot: record.slot, value: record.value };
  }
  const value = ghost.countVote(id, record.slot, record.ballot, record.value);
  if (value === null) return;
  // Later votes for it are for the same value: agreement says so.
  const isKnown = ghost.chosen.has(record.slot);
  agreement(ghost, record.slot, value);
  if (!isKnown) nonTriviality(ghost, record.slot, value);
}

/** A message as it leaves. */
export function onSend(ghost: Ghost, id: ReplicaId, message: Message): void {
  const replica = ghost.replica(id);
  // One look at the kind: messages have so many shapes that each look is a search.
  switch (message.kind) {
    case "prepare":
      persistBeforeSend(id, replica, message);
      ballotUniqueness(ghost, id, message.ballot);
      rememberPromise(ghost, id, ownPromise(replica, message));
      return;
    case "promise":
      persistBeforeSend(id, replica, message);
      watermarksTrue(ghost, id, message, false);
      promiseTruth(ghost, id, replica, message);
      replica.spokenPromise = Math.max(replica.spokenPromise, message.ballot);
      rememberPromise(ghost, id, message);
      return;
    case "accept":
      watermarksTrue(ghost, id, message, false);
      watermarkOfBallot(ghost, message);
      ballotUniqueness(ghost, id, message.ballot);
      proposals(ghost, id, message);
      return;
    case "accepted":
      acceptedIsDurable(ghost, id, replica, message, message.upTo);
      for (const slot of message.slots) aboveIsDurable(ghost, id, replica, message, slot);
      return;
    case "heartbeat":
      watermarksTrue(ghost, id, message, false);
      watermarkOfBallot(ghost, message);
      ballotUniqueness(ghost, id, message.ballot);
      return;
    case "heartbeatAck":
      acceptedIsDurable(ghost, id, replica, message, message.syncedUpTo);
      return;
    case "canvass":
    case "canvassReply":
      watermarksTrue(ghost, id, message, false);
      return;
    case "forwarded":
    case "readIndexReply":
      watermarksTrue(ghost, id, message, true);
      watermarkOfBallot(ghost, message);
      return;
    case "learned":
      for (const entry of message.entries) learnsOnlyChosen(ghost, id, entry);
      return;
    case "reject":
    case "learn":
    case "forward":
    case "readIndex":
    case "transfer":
      return;
    default:
      unreachable(message);
  }
}

/** The proposer's own promise is on disk when its `prepare` leaves, and is counted without a message. */
function ownPromise(replica: GhostReplica, { ballot, fromSlot }: PrepareMessage): PromiseMessage {
  const accepted: Accepted[] = [];
  for (let slot = replica.chosenUpTo + 1; slot <= replica.topVote; slot += 1) {
    const votes = replica.votes.get(slot);
    const highest = votes === undefined ? 0 : votes.highest(ballot);
    if (highest > 0) accepted.push({ slot, ballot: highest, value: votes!.get(highest)! });
  }
  const { chosenUpTo } = replica;
  return {
    kind: "promise",
    ballot,
    from: fromSlot,
    to: LAST_SLOT,
    accepted,
    faulty: [],
    chosenUpTo,
    compactedUpTo: 0,
  };
}

function rememberPromise(ghost: Ghost, id: ReplicaId, message: PromiseMessage): void {
  const senders = ghost.promises.get(message.ballot) ?? new Map<ReplicaId, PromiseMessage[]>();
  ghost.promises.set(message.ballot, senders);
  const parts = senders.get(id) ?? [];
  senders.set(id, parts);
  parts.push(message);
}

/** The state after `upTo` is installed from a snapshot. */
export function onInstall(ghost: Ghost, id: ReplicaId, upTo: Slot): void {
  const replica = ghost.replica(id);
  installsOnlyChosen(ghost, id, replica, upTo);
  replica.chosenUpTo = upTo;
  ghost.installed = id;
  for (const slot of replica.learned.keys()) if (slot <= upTo) replica.learned.delete(slot);
}

/** A value as it is executed. */
export function onExecute(ghost: Ghost, id: ReplicaId, entry: ChosenEntry): void {
  const replica = ghost.replica(id);
  learnsOnlyChosen(ghost, id, entry);
  contiguity(id, replica, entry);
  replica.chosenUpTo = entry.slot;
  ghost.visibleUpTo = Math.max(ghost.visibleUpTo, entry.slot);
}
