// A whole history on the whole store, by search: answers, revisions and real time at once. For small histories.
import { describeOperation, describeResponse, sameResponse } from "./describe.js";
import { KeyTable } from "./key-table.js";
import type { HistoryOperation, Result } from "./operation.js";
import { earliest, mayWrite, toldPlace } from "./operation.js";
import { StoreModel } from "./store-model.js";
import { search } from "./wgl.js";

/** In the evidence. */
const MOST_SHOWN = 4;

/** Checks a history of a store that was empty, at revision 1, when it began. */
export function searchStore(operations: readonly HistoryOperation[], maxStates = 200_000): Result {
  const taken: number[] = [];
  for (const [index, { request, outcome }] of operations.entries()) {
    if (outcome.kind === "ok" || (outcome.kind === "unknown" && mayWrite(request))) taken.push(index);
  }
  const { verdict, ordered, state, stuck } = search(
    {
      operations: taken.map((index) => {
        const operation = operations[index]!;
        const isOptional = operation.outcome.kind === "unknown";
        const end = isOptional ? Number.POSITIVE_INFINITY : operation.return;
        const likelyPlace = toldPlace(operation);
        return { call: earliest(operation), return: end, isOptional, likelyPlace };
      }),
      initial: new StoreModel(new KeyTable(operations.map(({ request }) => request))),
      step: (before, at) => stepOf(before, operations[taken[at]!]!),
      identity: (store) => store.identity(),
      isBlind: () => false,
    },
    maxStates,
  );
  if (verdict === "linearizable") {
    return { verdict, evidence: `${operations.length} operations, ordered by search` };
  }
  const blocked = stuck.slice(0, MOST_SHOWN).map((at) => {
    const index = taken[at]!;
    const operation = operations[index]!;
    const { outcome } = operation;
    const told = outcome.kind === "ok" ? describeResponse(outcome.response) : "nothing";
    const revision = outcome.kind === "ok" ? outcome.revision : 0;
    const right = describeResponse(state.copy().apply(operation.request));
    return `${describeOperation(operation, index)} was told ${told} at revision ${revision}; there it is ${right}`;
  });
  const where = `at most ${ordered} operations can be ordered, up to revision ${state.revision}`;
  return { verdict, evidence: `${where}; then ${blocked.join(", and ")}` };
}

function stepOf(before: StoreModel, { request, outcome }: HistoryOperation): StoreModel[] {
  const after = before.copy();
  const response = after.apply(request);
  if (outcome.kind !== "ok") return [after];
  return sameResponse(response, outcome.response) && after.revision === outcome.revision ? [after] : [];
}
