// What a replica does with its log before it speaks: the machine executes again what it does not hold, and the
// core is told what the log shows. A slot that cannot be read again is faulty, never "not accepted" (A4, L5).
import type { Slot } from "../paxos/ballot.js";
import type { RecoveredState } from "../paxos/state.js";
import type { Recovered } from "../wal/recovered-state.js";
import type { Executor } from "./executor.js";

/** Executes what is chosen according to the log; `pause` lets other work go on between slices. */
export async function replay<C, R, Q, A>(
  executor: Executor<C, R, Q, A>,
  chosenUpTo: Slot,
  pause: () => Promise<void>,
): Promise<void> {
  executor.chosenUpTo = Math.max(executor.appliedUpTo, chosenUpTo);
  while (executor.appliedUpTo < executor.chosenUpTo) {
    if (executor.needsLog && !(await executor.refill())) break;
    executor.run();
    await pause();
  }
  executor.chosenUpTo = executor.appliedUpTo;
}

/**
 * What the core starts from. Slots up to `appliedUpTo` are executed; what is not in the log of them cannot be served.
 */
export function recoveredState(recovered: Recovered, appliedUpTo: Slot): RecoveredState {
  const faulty = recovered.faulty
    .filter(({ to }) => to > appliedUpTo)
    .map(({ from, to, ballot }) => ({ from: Math.max(from, appliedUpTo + 1), to, ballot }));
  if (recovered.chosenUpTo > appliedUpTo) {
    faulty.push({ from: appliedUpTo + 1, to: recovered.chosenUpTo, ballot: 0 });
  }
  return {
    promised: recovered.promised,
    chosenUpTo: appliedUpTo,
    compactedUpTo: Math.min(recovered.compactedUpTo, appliedUpTo),
    accepted: recovered.accepted.filter(({ slot }) => slot > appliedUpTo),
    learned: recovered.learned.filter(({ slot }) => slot > appliedUpTo),
    faulty,
  };
}
