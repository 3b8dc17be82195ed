// The names of snapshot files (docs/format.md), but for those of parts and of damaged ones.
import type { Slot } from "../paxos/ballot.js";

export const NAME = /^snapshot-\d{16}$/;
/** Being written. */
export const NEW = /^snapshot-\d{16}\.new$/;
/** After a snapshot's name: of a state that differed from the majority's. */
export const DIVERGED = ".diverged";

export function snapshotName(slot: Slot): string {
  return `snapshot-${String(slot).padStart(16, "0")}`;
}
