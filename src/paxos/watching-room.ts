// Whether a quorum has room on its disks (F29). A leader that has it while too few others have would use up their
// reserves with what grows, and then not even a deletion could be chosen: it refuses that, and all others do.
import { makesPhase2Quorum } from "./membership.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";

/** To be called once a turn, before heartbeats are sent. */
export function watchRoom(p: PaxosState, now: number, out: Outbox): void {
  if (p.isLeading) p.isQuorumFull = !hasQuorumRoom(p);
  // Whoever leads refuses for itself: what one said that is not heard any more may be of long ago.
  else if (p.isQuorumFull && !p.election.hearsLeader(now)) p.isQuorumFull = false;
  if (p.isQuorumFull === p.noticedFull) return;
  p.noticedFull = p.isQuorumFull;
  out.notices.push({ kind: "full", isFull: p.isQuorumFull });
}

/** One that has not said that it is full counts as one that has room. */
function hasQuorumRoom({ membership, heartbeats, self, isFull }: PaxosState): boolean {
  if (heartbeats.full.size === 0 && !isFull) return true;
  let roomy = 0;
  for (const voter of membership.voters) {
    if (voter === self ? !isFull : !heartbeats.full.has(voter)) roomy += 1;
  }
  return makesPhase2Quorum(membership, roomy);
}
