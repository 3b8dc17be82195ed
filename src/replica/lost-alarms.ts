// What an operator is told of slots that nobody can recover: which, who may still have them, and what to do.
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { LostSlots } from "../paxos/lost-slots.js";

const RESTORE = "restore the cluster from a backup";

export function lostAlarms({ slots, from, unheard }: LostSlots): readonly string[] {
  if (from > 0) return [endsAlarm(from, unheard)];
  return slots.length > 0 ? [slotsAlarm(slots, unheard)] : [];
}

function slotsAlarm(slots: readonly Slot[], unheard: readonly ReplicaId[]): string {
  const which = namesOf("slot", slots);
  const held = "until then no command is executed here, and no linearizable read answered";
  if (unheard.length === 0) {
    return `what was in ${which} is lost, for the records of too many replicas are damaged: ${RESTORE}; ${held}`;
  }
  const who = namesOf("replica", unheard);
  return `what is in ${which} cannot be told, for records are damaged: start ${who}, which may have it; ${held}`;
}

function endsAlarm(from: Slot, unheard: readonly ReplicaId[]): string {
  const held = "until then nobody leads";
  if (unheard.length === 0) {
    return `what was in slots from ${from} on is lost, for the ends of too many logs are damaged: ${RESTORE}; ${held}`;
  }
  const who = namesOf("replica", unheard);
  return `what is in slots from ${from} on cannot be told, for ends of logs are damaged: start ${who}; ${held}`;
}

/** Such as `slot 3` or `slots 3 to 9, 12`. */
function namesOf(what: string, numbers: readonly number[]): string {
  const runs: { readonly from: number; to: number }[] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last?.to === number - 1) last.to = number;
    else runs.push({ from: number, to: number });
  }
  const names = runs.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`));
  return `${what}${numbers.length === 1 ? "" : "s"} ${names.join(", ")}`;
}
