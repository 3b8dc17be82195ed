// The one place outside wal/ where a proof of a sync is made: the simulated disk of the tests stands in for the log.
import type { Synced } from "../../src/paxos/outbox.js";

export function syncedUpTo(turn: number): Synced {
  return { turn } as Synced;
}
