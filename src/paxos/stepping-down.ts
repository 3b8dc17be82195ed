// Giving up leadership, for whatever reason: everything that only a leader holds is dropped at once.
import type { PaxosState } from "./state.js";

/** P6: this ballot is never led again. Reads and commands that waited here go to the next leader. */
export function stopLeading(p: PaxosState, now: number, soon: boolean): void {
  p.proposer.stop();
  p.reads.stop();
  p.told = [];
  p.forwarding.handAgain();
  p.election.stop(now, soon);
}
