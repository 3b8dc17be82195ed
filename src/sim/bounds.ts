// Bounds (26): what of a replica may grow has a limit. The protocol's own limits are in megabytes, which no run of a
// few clients reaches; here is what such a run may need, with room, so that what is never let go shows.
import type { ReplicaId } from "../paxos/ballot.js";
import { DEFAULT_ALPHA } from "../paxos/genesis.js";
import type { PaxosState } from "../paxos/state.js";
import { InvariantBroken } from "./ghost.js";

/** Each client waits for one command or read; what it gave up may still be under way. */
const OF_CLIENTS = 40;
/** Slots of a few windows: more are known chosen, and settled, or were never proposed. */
const OF_SLOTS = 10 * DEFAULT_ALPHA;
/** What a log has after a slot that is damaged: all since the last snapshot of a volatile machine. */
const OF_LOG = 2000;
/** Turns whose sync is not done yet. */
const OF_TURNS = 1000;
/** Tasks in virtual time: messages under way, timers of the living, faults to end. */
const OF_TASKS = 5000;

const BOUNDS: readonly (readonly [string, number, (state: PaxosState) => number])[] = [
  ["commands that are not known chosen", OF_CLIENTS, ({ forwarding }) => forwarding.pending.size],
  ["commands to be handed over", OF_CLIENTS, ({ forwarding }) => forwarding.unsent.length],
  ["commands that wait at the leader", OF_CLIENTS, ({ proposer }) => different(proposer.waiting)],
  ["slots in flight", DEFAULT_ALPHA, ({ proposer }) => proposer.inFlight.size],
  ["commands to be told chosen", OF_SLOTS, ({ told }) => told.length],
  ["votes", OF_SLOTS, ({ acceptor }) => acceptor.votes.size],
  ["chosen values after a gap", OF_LOG, ({ learner }) => learner.above.size],
  ["reads without an answer", OF_CLIENTS, ({ reads }) => reads.open.size],
  // Each read is asked for again and again, every time under another id.
  ["questions for reads", 256 + OF_CLIENTS, ({ reads }) => reads.attempts.length],
  ["reads that wait at the leader", 256, ({ reads }) => reads.waiting.length],
  ["rounds that confirm reads", 256, ({ reads }) => reads.rounds.length],
  ["turns that are not synced", OF_TURNS, ({ unsyncedUpTo }) => unsyncedUpTo.length],
];

/** What is handed over again while its leader can propose nothing waits there again: that is bounded in bytes alone. */
function different(waiting: PaxosState["proposer"]["waiting"]): number {
  if (waiting.length <= OF_CLIENTS) return waiting.length;
  const all = waiting.map(({ command }) => `${command.origin}.${command.incarnation}.${command.number}`);
  return new Set(all).size;
}

export function bounds(id: ReplicaId, state: PaxosState): void {
  for (const [what, most, size] of BOUNDS) {
    if (size(state) > most) throw new InvariantBroken(`bounds: ${id} has ${size(state)} ${what}`);
  }
}

/** No timer and no message is left behind. */
export function tasksBounded(tasks: number): void {
  if (tasks > OF_TASKS) throw new InvariantBroken(`bounds: ${tasks} tasks wait in virtual time`);
}
