// The invariant of A8: what a replica calls void can count for nothing, now or ever.
import { describeBallot, type ReplicaId } from "../paxos/ballot.js";
import type { VoidRecord } from "../paxos/outbox.js";
import { type Ghost, type GhostReplica, InvariantBroken } from "./ghost.js";
import { reportsOf } from "./invariants.js";

/**
 * Voids only what is void (A8): hidden votes are of ballots below `ballot`, below which nothing is chosen from `from`
 * on, nor ever will be, for a phase-1 quorum has promised `ballot` and has nothing there.
 */
export function voidsOnlyVoid(
  ghost: Ghost,
  id: ReplicaId,
  replica: GhostReplica,
  { from, ballot }: VoidRecord,
): void {
  const broken = (why: string) =>
    new InvariantBroken(`voidsOnlyVoid: ${id} from slot ${from} on, at ${describeBallot(ballot)}: ${why}`);
  if (ballot < replica.promised) throw broken(`it has promised ${describeBallot(replica.promised)}`);
  if (ballot <= replica.foundPromise) throw broken("it may have voted at it before the damage");
  for (const [slot, votes] of replica.hidden) {
    if (slot >= from && votes.highest() >= ballot) throw broken(`a vote in slot ${slot} is not below it`);
  }
  const promises = ghost.promises.get(ballot);
  const { phase1, phase2 } = ghost.memberships.first;
  let last = from;
  for (const [slot, ballots] of ghost.voters) {
    if (slot < from) continue;
    last = Math.max(last, slot);
    for (const [below, voters] of ballots) {
      if (below < ballot && voters.length >= phase2)
        throw broken(`a value is chosen below it in slot ${slot}`);
    }
  }
  // Where one replica is looked at alone, what others were promised is not known.
  if (promises === undefined) return;
  for (let slot = from; slot <= last + 1; slot += 1) {
    const { none } = reportsOf(promises, slot);
    if (none < phase1) throw broken(`of slot ${slot} ${none} have promised that it is empty`);
  }
}
