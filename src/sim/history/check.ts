// All checks of a history, one after the other: by replay with the order that revisions or a witness give, then by
// search, which rests on neither. Rule: the first verdict that is not `linearizable` is the verdict.
import type { Executed, HistoryOperation, Result } from "./operation.js";
import { searchRegisters } from "./register-search.js";
import { checkByReplay } from "./replay-check.js";
import { searchStore } from "./store-search.js";

export interface CheckOptions {
  /** The commands in the order of their execution, each that took effect once; the store was empty before. */
  readonly witness?: readonly Executed[];
  /** Most operations to search, counted per key; whole keys are left out above it. Default 100,000. */
  readonly maxSearched?: number;
}

const MAX_SEARCHED = 100_000;
/** Histories up to this many operations are also searched on the whole store. */
const SMALL = 60;

/** Checks a history of a store that was empty, at revision 1, when it began, and that nobody else wrote to. */
export function checkHistory(operations: readonly HistoryOperation[], options: CheckOptions = {}): Result {
  const { witness, maxSearched = MAX_SEARCHED } = options;
  const checks = [() => checkByReplay(operations, witness === undefined ? {} : { witness })];
  // A witness may name writes that nobody in the history asked for; the searches do not know of them.
  if (witness?.every(({ operation }) => operation !== null) ?? true) {
    if (operations.length <= SMALL) checks.push(() => searchStore(operations));
    checks.push(() => searchRegisters(operations, { maxSearched }));
  }
  const evidence: string[] = [];
  for (const check of checks) {
    const result = check();
    if (result.verdict !== "linearizable") return result;
    evidence.push(result.evidence);
  }
  return { verdict: "linearizable", evidence: evidence.join("; ") };
}
