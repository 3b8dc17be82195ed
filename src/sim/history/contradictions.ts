// What no order of writes can explain: a key-value that its known write did not write, that two saw differently, or
// that was seen before it was written. Found without a search, which might otherwise end undecided.
import { describeKv, describeOperation, sameKv } from "./describe.js";
import type { HistoryOperation } from "./operation.js";
import type { RevisionOrder } from "./revision-order.js";
import { requestsDone, type Sight, sightsOf } from "./sights.js";

/** The evidence, or null. `order` must hold the writes that were told. */
export function findContradiction(
  operations: readonly HistoryOperation[],
  order: RevisionOrder,
): string | null {
  const seen = new Map<string, Sight>();
  for (let index = 0; index < operations.length; index += 1) {
    for (const sight of sightsOf(operations[index]!, index)) {
      const { kv, at } = sight;
      if (kv === null) continue;
      const what = (): string => `${describeOperation(operations[index]!, index)} was told ${describeKv(kv)}`;
      if (kv.modRevision > at) return `${what()} at revision ${at}, before it was written`;
      const write = order.writes[kv.modRevision] ?? -1;
      if (write !== -1 && !isWriteOf(operations[write]!, kv.key, kv.value)) {
        return `${what()}, but ${describeOperation(operations[write]!, write)} is what wrote that revision`;
      }
      const name = `${kv.modRevision} ${kv.key}`;
      const other = seen.get(name);
      if (other === undefined) seen.set(name, sight);
      else if (!sameKv(other.kv, kv)) {
        const told = `${describeOperation(operations[other.operation]!, other.operation)} was told ${describeKv(other.kv!)}`;
        return `${what()}, but ${told}`;
      }
    }
  }
  return null;
}

function isWriteOf({ request, outcome }: HistoryOperation, key: string, value: string): boolean {
  if (outcome.kind !== "ok") return false;
  const requests = requestsDone(request, outcome.response);
  return requests.some((plain) => plain.kind === "put" && plain.key === key && plain.value === value);
}
