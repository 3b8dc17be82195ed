// What a replica finds when it starts, against what it was told is durable: nothing acknowledged may be missing, and
// nothing may be there that was never written (invariants 1, 2, 5 and 11 over all lives of a replica).
import { type Ballot, describeBallot, type ReplicaId, type Slot } from "../paxos/ballot.js";
import type { RecoveredState } from "../paxos/state.js";
import { sameValue } from "../paxos/value.js";
import { castVote, type Ghost, type GhostReplica, InvariantBroken } from "./ghost.js";
import * as invariants from "./invariants.js";
import { onDurable, onStart } from "./observe.js";

/** To be called when the core of a new life is made. `isDamaged`: a fault has hurt what was on this disk. */
export function onRecovered(
  ghost: Ghost,
  id: ReplicaId,
  recovered: RecoveredState,
  incarnation: number,
  isDamaged: boolean,
): void {
  checkRecovered(ghost, id, recovered, incarnation, isDamaged);
  const replica = ghost.replica(id);
  const voids = foundVoid(replica, recovered);
  ghost.forget(id);
  for (const [slot, ballot] of voids) {
    replica.voided.set(slot, Math.max(replica.voided.get(slot) ?? 0, ballot));
    for (const [below] of replica.votes.get(slot)?.copy() ?? []) {
      if (below <= ballot) replica.votes.get(slot)!.delete(below);
    }
  }
  // Its core is told, if it still is.
  ghost.sources.delete(id);
  onStart(ghost, id, recovered);
  for (const { slot, ballot, value } of recovered.accepted) {
    castVote(replica, slot, ballot, value);
    onDurable(ghost, id, { kind: "accepted", slot, ballot, value });
  }
  // Damage may have taken that it knew the slot to be chosen: it votes there again.
  for (const { from, to } of recovered.faulty) {
    for (const slot of [...replica.durableLearned.keys()].filter((one) => from <= one && one <= to)) {
      replica.learned.delete(slot);
      replica.durableLearned.delete(slot);
    }
  }
  for (const { slot, value } of recovered.learned) {
    replica.learned.set(slot, value);
    replica.durableLearned.set(slot, value);
  }
  replica.chosenUpTo = recovered.chosenUpTo;
  replica.compactedUpTo = Math.max(replica.compactedUpTo, recovered.compactedUpTo);
  replica.promised = recovered.promised;
  replica.durablePromise = Math.max(replica.durablePromise, recovered.promised);
  replica.incarnation = incarnation;
}

/** What a start finds, or would find, against all that was said in former lives; the ghost stays as it is. */
export function checkRecovered(
  ghost: Ghost,
  id: ReplicaId,
  recovered: RecoveredState,
  incarnation: number,
  isDamaged: boolean,
): void {
  const replica = ghost.replica(id);
  if (incarnation <= replica.incarnation) {
    throw new InvariantBroken(
      `livesAreCounted: ${id} has life ${incarnation} after life ${replica.incarnation}`,
    );
  }
  // What was asked to be written and is not on disk may be gone.
  const { durablePromise: promised, spokenPromise } = replica;
  invariants.promiseMonotonic(id, { promised, spokenPromise }, recovered.promised);
  invariants.watermarkRecord(ghost, id, recovered.chosenUpTo);
  // Who is fenced puts its own snapshots aside: what its log has forgotten for them nobody shows here.
  const isAside = ghost.fenced.has(id) && recovered.faulty.every(({ to }) => to <= replica.compactedUpTo);
  if (!isDamaged && !isAside && recovered.faulty.length > 0) {
    throw new InvariantBroken(`faultyForNothing: ${id} finds faulty slots on a disk that nothing has hurt`);
  }
  const upTo = recovered.compactedUpTo;
  // What it never executed, and holds, came in a snapshot, one of its own perhaps that another has offered; it died
  // before its core was told. Pieces of one may come of what it executes meanwhile, too. One that is fenced writes down
  // what differs, and a volatile one finds that.
  const isBrought = upTo > replica.chosenUpTo || upTo <= (ghost.brought.get(id) ?? 0);
  const isTaken = isBrought || ghost.fenced.has(id);
  if (!isDamaged && !isTaken && upTo > replica.compactedUpTo) {
    throw new InvariantBroken(
      `executedIsShown: ${id} has executed up to ${upTo}, which its log does not show (L5)`,
    );
  }
  for (const { slot, ballot, value } of recovered.accepted) {
    const before = replica.votes.get(slot)?.get(ballot);
    if (before === undefined || !sameValue(before, value)) {
      throw new InvariantBroken(
        `recoveredVotes: ${id} finds a vote in slot ${slot} at ${describeBallot(ballot)} that it never cast`,
      );
    }
  }
  for (const { slot, value } of recovered.learned) invariants.learnsOnlyChosen(ghost, id, { slot, value });
  recoversVotes(ghost, id, recovered);
}

/** What of the paths of a recovery was taken. */
export function recoveryPaths(recovered: RecoveredState): string[] {
  const paths: string[] = [];
  if (recovered.promised === 0) paths.push("recovery finds nothing");
  if (recovered.chosenUpTo > 0) paths.push("recovery finds a watermark");
  if (recovered.accepted.length > 0) paths.push("recovery finds votes");
  if (recovered.learned.length > 0) paths.push("recovery finds learned values after a gap");
  if (recovered.faulty.length > 0) paths.push("recovery finds faulty slots");
  return paths;
}

/** Votes that were called void, by slot: the highest ballot. The record is there, though its proof has not come. */
function foundVoid(replica: GhostReplica, recovered: RecoveredState): Map<Slot, Ballot> {
  const found = new Map<Slot, Ballot>();
  for (const [slot, votes] of replica.hidden) {
    if (recovered.faulty.some(({ from, to }) => from <= slot && slot <= to)) continue;
    for (const [ballot] of votes) {
      const isVoid = replica.votes.get(slot)?.has(ballot) !== true;
      if (isVoid) found.set(slot, Math.max(found.get(slot) ?? 0, ballot));
    }
  }
  return found;
}

/** Every vote that was durable is found again, or is faulty, or void, or its slot is known chosen (1, 9, A4, A8). */
function recoversVotes(ghost: Ghost, id: ReplicaId, recovered: RecoveredState): void {
  const found = new Map(recovered.accepted.map(({ slot, ballot }) => [slot, ballot]));
  const known = new Set<Slot>(recovered.learned.map(({ slot }) => slot));
  const replica = ghost.replica(id);
  const { durableVotes, voided, topVote } = replica;
  const voids = foundVoid(replica, recovered);
  for (let slot = recovered.chosenUpTo + 1; slot <= topVote; slot += 1) {
    const votes = durableVotes.get(slot);
    if (votes === undefined || known.has(slot)) continue;
    const ballot = votes.highest();
    if (Math.max(found.get(slot) ?? 0, voided.get(slot) ?? 0, voids.get(slot) ?? 0) >= ballot) continue;
    if (recovered.faulty.some(({ from, to }) => from <= slot && slot <= to)) continue;
    throw new InvariantBroken(
      `recoveredVotes: ${id} has lost its vote in slot ${slot} at ${describeBallot(ballot)}, which was durable`,
    );
  }
}
