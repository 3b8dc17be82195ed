// Every order of a small history, tried one after the other: nothing clever, so that it can be believed.
import { sameResponse } from "./describe.js";
import { KeyTable } from "./key-table.js";
import type { HistoryOperation } from "./operation.js";
import { isLocal } from "./operation.js";
import { StoreModel } from "./store-model.js";

/** For at most 7 operations. */
export function isLinearizable(operations: readonly HistoryOperation[]): boolean {
  const known = operations.filter(({ outcome }) => outcome.kind === "ok");
  const unknown = operations.filter(({ outcome }) => outcome.kind === "unknown");
  const table = new KeyTable(operations.map(({ request }) => request));
  for (let subset = 0; subset < 2 ** unknown.length; subset += 1) {
    const chosen = unknown.filter((_, i) => Math.floor(subset / 2 ** i) % 2 === 1);
    if (someOrder([...known, ...chosen], [], (order) => isAllowed(order, new StoreModel(table)))) return true;
  }
  return false;
}

export function someOrder<T>(
  left: readonly T[],
  order: readonly T[],
  test: (order: readonly T[]) => boolean,
): boolean {
  if (left.length === 0) return test(order);
  return left.some((one, i) => someOrder([...left.slice(0, i), ...left.slice(i + 1)], [...order, one], test));
}

function isAllowed(order: readonly HistoryOperation[], store: StoreModel): boolean {
  for (const [i, later] of order.entries()) {
    for (const earlier of order.slice(0, i)) {
      const end = later.outcome.kind === "unknown" ? Number.POSITIVE_INFINITY : later.return;
      if (!isLocal(earlier.request) && end < earlier.call) return false;
    }
  }
  return order.every(({ request, outcome }) => {
    const response = store.apply(request);
    if (outcome.kind !== "ok") return true;
    return sameResponse(response, outcome.response) && store.revision === outcome.revision;
  });
}
