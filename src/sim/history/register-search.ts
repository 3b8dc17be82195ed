// The check by search, key by key: values only, so that it would also notice a store and a replay that lie alike.
import { describeOperation, describeResponse } from "./describe.js";
import { KeyTable } from "./key-table.js";
import type { HistoryOperation, Result } from "./operation.js";
import { type Held, registerModel, registersOf } from "./register.js";
import { type SearchResult, search } from "./wgl.js";

export interface RegisterOptions {
  /** Keys are left out, the longest histories first, until there are at most so many operations to search. */
  readonly maxSearched?: number;
  /** Per key. */
  readonly maxStates?: number;
}

/** In the evidence. */
const MOST_SHOWN = 4;
const MAX_STATES = 2_000_000;

/** Checks keys by themselves, from a store that was empty when the history began. */
export function searchRegisters(
  operations: readonly HistoryOperation[],
  options: RegisterOptions = {},
): Result {
  const { maxSearched = Number.POSITIVE_INFINITY, maxStates = MAX_STATES } = options;
  const registers = registersOf(operations, new KeyTable(operations.map(({ request }) => request)));
  const shortestFirst = [...registers].sort(([, a], [, b]) => a.length - b.length);
  let searched = 0;
  let keys = 0;
  let undecided: Result | null = null;
  for (const [key, register] of shortestFirst) {
    if (searched + register.length > maxSearched) break;
    searched += register.length;
    keys += 1;
    const found = search(registerModel(register), maxStates);
    if (found.verdict === "linearizable") continue;
    const sources = found.stuck.map((at) => register[at]!.source);
    const result = { verdict: found.verdict, evidence: evidenceOf(operations, key, found, sources) };
    if (found.verdict === "violation") return result;
    undecided ??= result;
  }
  const evidence = `${keys} of ${registers.size} keys ordered by search, ${searched} operations`;
  return undecided ?? { verdict: "linearizable", evidence };
}

function evidenceOf(
  operations: readonly HistoryOperation[],
  key: string,
  { verdict, ordered, state }: SearchResult<Held>,
  stuck: readonly number[],
): string {
  const held = state === null ? "is missing" : `is ${JSON.stringify(state)}`;
  const told = stuck.slice(0, MOST_SHOWN).map((index) => {
    const { outcome } = operations[index]!;
    const answer = outcome.kind === "ok" ? describeResponse(outcome.response) : outcome.kind;
    return `${describeOperation(operations[index]!, index)} was told ${answer}`;
  });
  const most = verdict === "violation" ? "at most" : "before the limit";
  return `key ${JSON.stringify(key)}: ${most} ${ordered} operations can be ordered; then it ${held}, and ${told.join(", and ")}`;
}
