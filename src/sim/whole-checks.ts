// The invariants over everything that the observer remembers, from scratch: they do not trust what the checks after
// every event have summed up. Every 1,000 events they look at the slots since the last time and a few of those before,
// in turns, for a run has little time; at its end at all of them.
import { bytesEqual } from "../base/bytes.js";
import type { Ballot, ReplicaId, Slot } from "../paxos/ballot.js";
import { describeBallot } from "../paxos/ballot.js";
import { commandsOf, sameValue, type Value } from "../paxos/value.js";
import { bounds, tasksBounded } from "./bounds.js";
import type { CoreWatch } from "./core-watch.js";
import { describeValue } from "./describe-message.js";
import { type Ghost, InvariantBroken } from "./ghost.js";
import * as invariants from "./invariants.js";
import { dividedAfter } from "./told-digests.js";
import type { Executions } from "./watched-machine.js";

/** Older slots that are looked at again each time. */
const AGAIN = 8;

/** A replica that runs; `core` is null until it has joined its cluster. */
interface RunningReplica {
  readonly core: CoreWatch | null;
  readonly replica: { status(): { readonly appliedUpTo: Slot; readonly chosenUpTo: Slot } } | null;
}

export interface WholeWorld {
  readonly ghost: Ghost;
  readonly executions: Executions;
  readonly hosts: ReadonlyMap<ReplicaId, RunningReplica>;
  readonly queue: { readonly size: number };
}

export class WholeChecks {
  readonly #world: WholeWorld;
  readonly #shows: (id: ReplicaId, slot: Slot, value: Value) => boolean;
  /** Slots below it were new the last time. */
  #from: Slot;
  /** The next of the older ones to look at again. */
  #again: Slot;
  /** Executed commands that were compared with what is chosen. */
  #executed: number;

  constructor(world: WholeWorld) {
    this.#world = world;
    this.#shows = showsAtLast(world.ghost);
    this.#from = 1;
    this.#again = 1;
    this.#executed = 0;
  }

  /** Slots since the last time, and some before. Throws `InvariantBroken`. */
  check(): void {
    const { ghost } = this.#world;
    for (let i = 0; i < AGAIN && this.#from > 1; i += 1) {
      this.#again = (this.#again % (this.#from - 1)) + 1;
      this.#checkSlot(this.#again);
    }
    for (let slot = this.#from; slot <= topSlot(ghost); slot += 1) this.#checkSlot(slot);
    this.#from = ghost.chosenPrefix + 1;
    this.#checkRest();
  }

  /** Every slot. */
  checkAll(): void {
    const { ghost } = this.#world;
    for (let slot = 1; slot <= topSlot(ghost); slot += 1) this.#checkSlot(slot);
    this.#executed = 0;
    this.#checkRest();
  }

  #checkSlot(slot: Slot): void {
    const { ghost } = this.#world;
    const known = ghost.chosen.get(slot);
    chosenByDurableVotes(ghost, slot, known, oneValueABallot(ghost, slot));
    if (known !== undefined) invariants.quorumLog(ghost, false, this.#shows, [[slot, known]]);
  }

  #checkRest(): void {
    const { ghost, executions, hosts, queue } = this.#world;
    watermarks(ghost);
    this.#executed = executedIsChosen(ghost, executions, this.#executed);
    tasksBounded(queue.size);
    // While nobody can tell whose state is right, one that is behind is given none, and its votes wait for it.
    const isDivided = dividedAfter(ghost) > 0;
    for (const [id, { core, replica }] of hosts) {
      if (core === null || replica === null) continue;
      promiseHeld(ghost, id, core);
      orderOfMarks(ghost, id, core, replica.status());
      if (!isDivided) bounds(id, core.paxos.state);
    }
  }
}

function topSlot(ghost: Ghost): Slot {
  let top = ghost.chosenPrefix;
  for (const { topVote } of ghost.replicas.values()) top = Math.max(top, topVote);
  return top;
}

/** What was cast or proposed at one ballot in a slot, and by how many durably. */
interface Tally {
  readonly ballot: Ballot;
  readonly value: Value;
  durable: number;
}

/** Vote immutability (5) and ballot uniqueness (6): all votes and proposals of one ballot in one slot are one value. */
function oneValueABallot(ghost: Ghost, slot: Slot): Tally[] {
  const tallies: Tally[] = [];
  // Whose votes are counted; 0: the proposals of their owners.
  let who = 0;
  let isDurable = false;
  // One function for all of them: there are many slots.
  const count = (value: Value, ballot: Ballot) => {
    let tally: Tally | undefined;
    for (const one of tallies) if (one.ballot === ballot) tally = one;
    if (tally === undefined) {
      tally = { ballot, value, durable: 0 };
      tallies.push(tally);
    } else if (!sameValue(tally.value, value)) {
      throw new InvariantBroken(
        `oneValueABallot: slot ${slot} at ${describeBallot(ballot)}: ${who === 0 ? "its owner" : who} has ` +
          `${describeValue(value)}, another ${describeValue(tally.value)}`,
      );
    }
    if (isDurable) tally.durable += 1;
  };
  ghost.proposed.get(slot)?.forEach(count);
  const { voters } = ghost.memberships.first;
  for (const [id, { votes, durableVotes }] of ghost.replicas) {
    who = id;
    isDurable = false;
    votes.get(slot)?.forEach(count);
    isDurable = voters.includes(id);
    durableVotes.get(slot)?.forEach(count);
  }
  return tallies;
}

/** Agreement (9), anew: a value is chosen where a quorum has durable votes of one ballot, once, and nowhere else. */
function chosenByDurableVotes(
  ghost: Ghost,
  slot: Slot,
  known: Value | undefined,
  tallies: readonly Tally[],
): void {
  const { phase2 } = ghost.memberships.first;
  let isChosen = false;
  for (const { ballot, value, durable } of tallies) {
    if (durable < phase2) continue;
    isChosen = true;
    if (known !== undefined && sameValue(known, value)) continue;
    const before = known === undefined ? "nothing" : describeValue(known);
    throw new InvariantBroken(
      `agreement: slot ${slot}: ${describeValue(value)} is chosen at ${describeBallot(ballot)}, ${before} was known`,
    );
  }
  if (!isChosen && known !== undefined) {
    throw new InvariantBroken(
      `agreement: slot ${slot}: ${describeValue(known)} is called chosen, by no quorum`,
    );
  }
}

/** The vote of the highest ballot decides what a promise says; where it is superseded, the value that was learned. */
function showsAtLast(ghost: Ghost): (id: ReplicaId, slot: Slot, value: Value) => boolean {
  return (id, slot, value) => {
    const replica = ghost.replica(id);
    if (slot <= replica.chosenUpTo || replica.durableLearned.has(slot)) return true;
    const votes = replica.durableVotes.get(slot);
    return votes !== undefined && sameValue(votes.get(votes.highest())!, value);
  };
}

/** Watermarks (9, 12): nobody knows or tells more chosen than is, without a gap from slot 1 on. */
function watermarks(ghost: Ghost): void {
  for (const [id, { chosenUpTo }] of ghost.replicas) {
    if (chosenUpTo <= ghost.chosenPrefix) continue;
    throw new InvariantBroken(`watermarks: ${id} is at slot ${chosenUpTo}, chosen are ${ghost.chosenPrefix}`);
  }
  if (ghost.visibleUpTo > ghost.chosenPrefix) {
    throw new InvariantBroken(
      `watermarks: slot ${ghost.visibleUpTo} was seen, chosen are ${ghost.chosenPrefix}`,
    );
  }
}

/** What is executed is what is chosen in its slot, byte for byte, in its order (9, 10). Returns where it ended. */
function executedIsChosen(ghost: Ghost, { executed }: Executions, from: number): number {
  let at = -1;
  let slot = -1;
  let payloads: readonly Uint8Array[] = [];
  for (let i = from; i < executed.length; i += 1) {
    const command = executed[i]!;
    if (command.slot !== slot) {
      slot = command.slot;
      at = -1;
      const value = ghost.chosen.get(slot);
      payloads = value === undefined ? [] : commandsOf(value).map(({ payload }) => payload);
    }
    do at += 1;
    while (at < payloads.length && !bytesEqual(payloads[at]!, command.bytes));
    if (at === payloads.length) {
      throw new InvariantBroken(`executedIsChosen: slot ${slot}: command ${command.at} is not chosen there`);
    }
  }
  // The last slot may not be complete: it is looked at again.
  let next = executed.length;
  while (next > from && executed[next - 1]!.slot === slot) next -= 1;
  return next;
}

/** Promise monotonic (2): who runs holds at least what it has on disk, and that is at least what it ever said. */
function promiseHeld(ghost: Ghost, id: ReplicaId, { promised }: CoreWatch): void {
  const { durablePromise, spokenPromise } = ghost.replica(id);
  if (promised >= durablePromise && durablePromise >= spokenPromise) return;
  const marks = [promised, durablePromise, spokenPromise].map(describeBallot).join(", ");
  throw new InvariantBroken(`promiseHeld: ${id} holds, has on disk and has said ${marks}`);
}

/**
 * Contiguity (12) and compaction (17): compactedUpTo <= appliedUpTo <= chosenUpTo, as the observer counts that. A core
 * is told of an installed snapshot a moment after the state is replaced.
 */
function orderOfMarks(
  ghost: Ghost,
  id: ReplicaId,
  { paxos }: CoreWatch,
  { appliedUpTo, chosenUpTo }: { readonly appliedUpTo: Slot; readonly chosenUpTo: Slot },
): void {
  const { learner } = paxos.state;
  const told = Math.max(learner.chosenUpTo, Math.min(appliedUpTo, ghost.chosenPrefix));
  if (learner.compactedUpTo <= appliedUpTo && appliedUpTo <= chosenUpTo && chosenUpTo === told) return;
  throw new InvariantBroken(
    `orderOfMarks: ${id}: compacted up to ${learner.compactedUpTo}, applied ${appliedUpTo}, chosen ${chosenUpTo}`,
  );
}
