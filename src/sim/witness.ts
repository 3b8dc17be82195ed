// The order in which commands were executed, as the witness of a history: which operation each of them was.
import type { Recorded } from "./client.js";
import type { Executed } from "./history/operation.js";
import type { ExecutedCommand } from "./watched-machine.js";

/** Every executed command is one that a client asked for, so each has an operation. */
export function witnessOf(history: readonly Recorded[], executed: readonly ExecutedCommand[]): Executed[] {
  const open = new Map<string, number[]>();
  for (const [index, { payload }] of history.entries()) {
    if (payload === "") continue;
    const alike = open.get(payload) ?? [];
    open.set(payload, alike);
    alike.push(index);
  }
  const inOrder = [...executed].sort((a, b) => a.slot - b.slot || a.at - b.at);
  return inOrder.map((command) => {
    const operation = take(history, open.get(command.payload) ?? [], command);
    if (operation === null) throw new Error(`nobody asked for what was executed in slot ${command.slot}`);
    return { request: history[operation]!.request, operation };
  });
}

/** Of operations with equal bytes, deletions of one key, the one told this result; else one of unknown outcome. */
function take(history: readonly Recorded[], alike: number[], command: ExecutedCommand): number | null {
  const told = alike.findIndex((index) => {
    const { outcome, call } = history[index]!;
    if (outcome.kind !== "ok" || outcome.revision !== command.revision || call > command.time) return false;
    return outcome.response.kind !== "delete" || outcome.response.deleted === command.deleted;
  });
  const untold = (kind: "unknown" | "failed") =>
    alike.findIndex((index) => {
      const { outcome, call } = history[index]!;
      return outcome.kind === kind && call <= command.time;
    });
  // One that failed only when nothing else explains it: then it is a violation.
  const at = [told, untold("unknown"), untold("failed")].find((found) => found >= 0);
  return at === undefined ? null : alike.splice(at, 1)[0]!;
}
