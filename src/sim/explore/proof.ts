// The explorer's proof of a sync: its little disk is a list, and what was put on it is there. Nothing else in `sim/`
// makes one; a test lists this file as the exception.
import type { Synced } from "../../paxos/outbox.js";

export function syncedUpTo(turn: number): Synced {
  return { turn } as Synced;
}
