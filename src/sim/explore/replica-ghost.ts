// What the ghost remembers of one replica, as a part of that replica's state: so that what was checked once need not
// be checked again wherever the same replica turns up. The checks are those of `../observe.js`.

import { assert } from "../../base/assert.js";
import type { Ballot, ReplicaId, Slot } from "../../paxos/ballot.js";
import { describeBallot } from "../../paxos/ballot.js";
import type { Memberships } from "../../paxos/membership.js";
import type { ChosenEntry, Message, PromiseMessage } from "../../paxos/message.js";
import type { LogRecord } from "../../paxos/outbox.js";
import type { RecoveredState } from "../../paxos/state.js";
import type { Value } from "../../paxos/value.js";
import { ByBallot } from "../by-ballot.js";
import { BySlot } from "../by-slot.js";
import { describeMessage, describeValue } from "../describe-message.js";
import { copyGhostReplica, Ghost, type GhostReplica, type VotesBySlot } from "../ghost.js";
import { leaderHoldsBallot, learnsOnlyChosen, promiseMonotonic } from "../invariants.js";
import { onAppend, onDurable, onExecute, onSend, onStart } from "../observe.js";

/** What happened at a replica, in order, as the ghost is told of it. */
export type Observation =
  | { readonly kind: "append"; readonly record: LogRecord }
  /** The turn is over: the promise held, and the one asked to be written (0: none). */
  | { readonly kind: "turn"; readonly promised: Ballot; readonly told: Ballot; readonly leads: Ballot }
  | { readonly kind: "execute"; readonly entry: ChosenEntry }
  | { readonly kind: "send"; readonly message: Message }
  | { readonly kind: "durable"; readonly record: LogRecord }
  /** Everything appended is on disk, which now holds this promise. */
  | { readonly kind: "synced"; readonly promised: Ballot }
  /** A new life, which executes again what its log shows. */
  | {
      readonly kind: "restart";
      readonly recovered: RecoveredState;
      readonly executed: readonly ChosenEntry[];
    };

export interface ReplicaGhost {
  readonly replica: GhostReplica;
  /** The ballot prepared or led; 0: none. What was said of a ballot given up matters to nobody. */
  readonly ballot: Ballot;
  /** The own promise for it. */
  readonly promises: readonly PromiseMessage[];
  /** The highest ballot used here, and the life that used it. */
  readonly lastBallot: Ballot;
  readonly lastLife: number;
  /** Values proposed at `ballot`, by slot. */
  readonly proposed: VotesBySlot;
}

/** What the checks at one replica need to know of the others. */
export interface Surroundings {
  /** Who has a durable vote, by slot and ballot. */
  readonly voters: BySlot<ByBallot<ReplicaId[]>>;
  readonly chosen: BySlot<Value>;
  /** Promises that left, by ballot and sender. */
  readonly promises: ReadonlyMap<Ballot, ReadonlyMap<ReplicaId, readonly PromiseMessage[]>>;
  readonly submitted: ReadonlySet<string>;
}

export function newReplicaGhost(memberships: Memberships, id: ReplicaId): ReplicaGhost {
  const replica = new Ghost(memberships).replica(id);
  return {
    replica: { ...replica, incarnation: 1 },
    ballot: 0,
    promises: [],
    lastBallot: 0,
    lastLife: 0,
    proposed: new BySlot(),
  };
}

/** A whole ghost, as far as the checks at `id` go. */
export function assembleGhost(
  memberships: Memberships,
  id: ReplicaId,
  own: ReplicaGhost,
  around: Surroundings,
): Ghost {
  const ghost = new Ghost(memberships);
  ghost.replicas.set(id, copyGhostReplica(own.replica));
  for (const [slot, value] of around.chosen) ghost.chosen.set(slot, value);
  for (const [slot, ballots] of around.voters) {
    const copy = ballots.copy();
    for (const [ballot, voters] of ballots) copy.set(ballot, [...voters]);
    ghost.voters.set(slot, copy);
  }
  while (ghost.chosen.has(ghost.chosenPrefix + 1)) ghost.chosenPrefix += 1;
  for (const [ballot, senders] of around.promises) {
    ghost.promises.set(ballot, new Map([...senders].map(([sender, parts]) => [sender, [...parts]])));
  }
  const senders = ghost.promises.get(own.ballot) ?? new Map<ReplicaId, PromiseMessage[]>();
  ghost.promises.set(own.ballot, senders.set(id, [...own.promises]));
  for (const [slot, ballots] of own.proposed) ghost.proposed.set(slot, ballots.copy());
  if (own.lastBallot !== 0) {
    ghost.ballotLife.set(own.lastBallot, own.lastLife);
    ghost.lastBallot.set(id, own.lastBallot);
  }
  for (const key of around.submitted) ghost.submitted.add(key);
  return ghost;
}

/** The part of `id`, which prepares or leads `ballot`, in a ghost that was told of everything. */
export function partOf(ghost: Ghost, id: ReplicaId, ballot: Ballot): ReplicaGhost {
  // A prepare that is sent again speaks of the same promise.
  const parts = ghost.promises.get(ballot)?.get(id) ?? [];
  const promises = [...new Map(parts.map((part) => [describeMessage(part), part])).values()];
  const proposed: VotesBySlot = new BySlot();
  for (const [slot, ballots] of ghost.proposed) {
    const value = ballots.get(ballot);
    if (value !== undefined) proposed.set(slot, new ByBallot(ballot, value));
  }
  const lastBallot = ghost.lastBallot.get(id) ?? 0;
  return {
    replica: ghost.replica(id),
    ballot,
    promises,
    lastBallot,
    lastLife: ghost.ballotLife.get(lastBallot) ?? 0,
    proposed,
  };
}

/** Checks what happened, then remembers it. Throws `InvariantBroken`. */
export function observe(ghost: Ghost, id: ReplicaId, seen: Observation): void {
  const replica = ghost.replica(id);
  switch (seen.kind) {
    case "append":
      onAppend(ghost, id, seen.record);
      return;
    case "turn":
      promiseMonotonic(id, replica, seen.promised);
      replica.promised = Math.max(replica.promised, seen.told);
      assert(
        seen.promised <= replica.promised,
        `${id} raised its promise and did not ask for it to be written`,
      );
      if (seen.leads !== 0) leaderHoldsBallot(id, seen.leads, seen.promised);
      return;
    case "execute":
      onExecute(ghost, id, seen.entry);
      return;
    case "send":
      onSend(ghost, id, seen.message);
      return;
    case "durable":
      onDurable(ghost, id, seen.record);
      return;
    case "synced":
      replica.durablePromise = Math.max(replica.durablePromise, seen.promised);
      return;
    case "restart":
      ghost.forget(id);
      replica.incarnation += 1;
      replica.chosenUpTo = seen.executed.length;
      for (const entry of seen.executed) learnsOnlyChosen(ghost, id, entry);
      promiseMonotonic(id, replica, seen.recovered.promised);
      onStart(ghost, id, seen.recovered);
  }
}

/** Whether the checks of `seen` depend on what other replicas did; their votes are compared elsewhere. */
export function dependsOnOthers(seen: Observation): boolean {
  if (seen.kind === "execute") return true;
  if (seen.kind === "restart") return seen.executed.length > 0;
  if (seen.kind === "append") return seen.record.kind !== "accepted";
  if (seen.kind !== "send") return false;
  const { message } = seen;
  if (message.kind === "accept" || message.kind === "learned" || message.kind === "accepted") return true;
  return "chosenUpTo" in message && message.chosenUpTo > 0;
}

function describeVotes(votes: VotesBySlot): string {
  const texts: string[] = [];
  for (const [slot, ballots] of votes) {
    for (const [ballot, value] of ballots)
      texts.push(`${slot}:${describeBallot(ballot)}:${describeValue(value)}`);
  }
  return texts.sort().join(" ");
}

/** The votes of all lives that ever were on disk: what is chosen follows from those of all replicas. */
export function describeDurableVotes(ghost: ReplicaGhost): string {
  return describeVotes(ghost.replica.durableVotes);
}

function describeValues(values: ReadonlyMap<Slot, Value>): string {
  return [...values]
    .map(([slot, value]) => `${slot}:${describeValue(value)}`)
    .sort()
    .join(" ");
}

/**
 * All of it, as text: equal texts for equal ghosts. `spokenPromise` is not in it: what was spoken of was on disk, or
 * the check broke, so that it is never above `durablePromise`.
 */
export function describeGhost(ghost: ReplicaGhost): string {
  const { replica } = ghost;
  return [
    describeVotes(replica.votes),
    describeVotes(replica.durableVotes),
    describeValues(replica.learned),
    describeValues(replica.durableLearned),
    describeVotes(replica.hidden),
    replica.hidden.size > 0 ? replica.foundPromise : "",
    `${replica.promised} ${replica.durablePromise} ${replica.chosenUpTo}`,
    `${ghost.ballot} ${ghost.lastBallot} ${ghost.lastLife}`,
    ghost.promises.map(describeMessage).join(),
    describeVotes(ghost.proposed),
  ].join("|");
}
