// The check by replay: revisions give the order, a replay on the model gives the answers, a sweep holds the order
// against real time. O(n log n) when no write of unknown outcome is needed, or when a witness tells where they stand.
// Rule: `linearizable` only for an order that was replayed as a whole; `violation` only when no order is left.
// Source: Gibbons and Korach, "Testing Shared Memories", 1997: with the order of writes known the check is easy.
import { findContradiction } from "./contradictions.js";
import { describeOperation, describeRequest, sameRequest } from "./describe.js";
import { GapSearch } from "./gap-search.js";
import type { Executed, HistoryOperation, Result } from "./operation.js";
import { toldOfChange } from "./operation.js";
import { Replay } from "./replay.js";
import { findBreachOfTime, orderByRevision, type RevisionOrder, unknownWrites } from "./revision-order.js";

export interface ReplayOptions {
  /** The commands in the order of their execution, each that took effect once; the store was empty before. */
  readonly witness?: readonly Executed[];
  /** Most revisions to replay while looking for the places of unknown writes. */
  readonly maxReplayed?: number;
}

const MAX_REPLAYED = 1_000_000;

export const violation = (evidence: string): Result => ({ verdict: "violation", evidence });

/** Checks a history of a store that was empty, at revision 1, when it began, and that nobody else wrote to. */
export function checkByReplay(operations: readonly HistoryOperation[], options: ReplayOptions = {}): Result {
  if (options.witness !== undefined) return checkByWitness(operations, options.witness);
  const unknown = unknownWrites(operations);
  let told = 0;
  for (const { outcome } of operations)
    if (outcome.kind === "ok" && toldOfChange(outcome.response)) told += 1;
  const order = orderByRevision(operations, 1 + told + unknown.length, true);
  if (typeof order === "string") return violation(order);
  const breach = findBreachOfTime(operations, order);
  if (breach !== null) return violation(breach);
  const hasGaps = order.highest > 1 + told;
  const contradiction = hasGaps ? findContradiction(operations, order) : null;
  if (contradiction !== null) return violation(contradiction);
  const replay = new Replay(operations, order);
  return new GapSearch(operations, order, replay, unknown).run(options.maxReplayed ?? MAX_REPLAYED);
}

/** Exact: the order of all writes, also of those of unknown outcome, is the witness's. */
function checkByWitness(operations: readonly HistoryOperation[], witness: readonly Executed[]): Result {
  const order = orderByRevision(operations, 1 + witness.length, false);
  if (typeof order === "string") return violation(order);
  const wrong = replayWitness(operations, witness, order) ?? findBreachOfTime(operations, order);
  if (wrong !== null) return violation(wrong);
  return { verdict: "linearizable", evidence: `${operations.length} operations, replayed as executed` };
}

/** Fills in `order.writes`. */
function replayWitness(
  operations: readonly HistoryOperation[],
  witness: readonly Executed[],
  order: RevisionOrder,
): string | null {
  const replay = new Replay(operations, order, witness);
  const executed = new Uint8Array(operations.length);
  let wrong = replay.checkReaders();
  for (const [at, { request, operation }] of witness.entries()) {
    if (wrong !== null) return wrong;
    const before = replay.model.revision;
    if (operation === null) replay.model.apply(request);
    else wrong = executeOnce(operations, replay, executed, witness[at]!, operation);
    if (wrong !== null || replay.model.revision === before) continue;
    order.writes[replay.model.revision] = operation ?? -1;
    wrong = replay.checkReaders();
  }
  if (wrong !== null) return wrong;
  if (order.highest > replay.model.revision) {
    return `revision ${order.highest} was told, but the last one executed is ${replay.model.revision}`;
  }
  for (const [index, operation] of operations.entries()) {
    const { outcome } = operation;
    if (outcome.kind === "ok" && toldOfChange(outcome.response) && executed[index] === 0) {
      return `${describeOperation(operation, index)} was told that it was done, but was never executed`;
    }
  }
  return null;
}

function executeOnce(
  operations: readonly HistoryOperation[],
  replay: Replay,
  executed: Uint8Array,
  { request }: Executed,
  index: number,
): string | null {
  const operation = operations[index];
  if (operation === undefined)
    return `${describeRequest(request)} was executed for operation ${index}, which is not there`;
  const what = describeOperation(operation, index);
  if (executed[index] === 1) return `${what} was executed twice`;
  executed[index] = 1;
  if (!sameRequest(request, operation.request)) {
    return `${what} was executed as ${describeRequest(request)}`;
  }
  return replay.execute(index);
}
