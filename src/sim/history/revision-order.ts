// The order that told revisions force on a history: a write stands at its revision, and what changed nothing stands
// after the write of the revision that it was told, by its earliest time. Nothing else is left to choose but which
// unknown write stands at a revision that nobody was told.
import { describeOperation } from "./describe.js";
import type { HistoryOperation } from "./operation.js";
import { earliest, mayWrite, toldOfChange } from "./operation.js";
import { compareNumbers } from "./order.js";

export interface RevisionOrder {
  /** The highest revision told; 1 is the store before the first write. */
  readonly highest: number;
  /** Per revision the operation that wrote it, or -1. */
  readonly writes: Int32Array;
  /** Operations that changed nothing, by revision and then by earliest time. */
  readonly readers: Uint32Array;
  /** Per revision the first of `readers`; one more at the end. */
  readonly readersFrom: Uint32Array;
}

/** Writes whose outcome is unknown: they may stand at a revision that nobody was told. */
export function unknownWrites(operations: readonly HistoryOperation[]): number[] {
  const found: number[] = [];
  for (let index = 0; index < operations.length; index += 1) {
    const { outcome, request } = operations[index]!;
    if (outcome.kind === "unknown" && mayWrite(request)) found.push(index);
  }
  return found;
}

/**
 * Orders what was told. `writesToldOf` is false when the writes are known from elsewhere: `writes` is then left empty.
 * A text is the evidence of a violation: a revision above `limit`, below the first, or told of two writes.
 */
export function orderByRevision(
  operations: readonly HistoryOperation[],
  limit: number,
  usesToldWrites: boolean,
): RevisionOrder | string {
  const writes = new Int32Array(limit + 1).fill(-1);
  const counts = new Uint32Array(limit + 2);
  const readers: number[] = [];
  let highest = 1;
  for (let index = 0; index < operations.length; index += 1) {
    const operation = operations[index]!;
    const { outcome } = operation;
    if (outcome.kind !== "ok") continue;
    const { revision } = outcome;
    const isWrite = toldOfChange(outcome.response);
    if (!Number.isSafeInteger(revision) || revision < (isWrite ? 2 : 1) || revision > limit) {
      const why = revision > limit ? `there were not enough writes for more than ${limit}` : "it cannot be";
      return `${describeOperation(operation, index)} was told revision ${revision}, but ${why}`;
    }
    highest = Math.max(highest, revision);
    if (!isWrite) {
      readers.push(index);
      counts[revision + 1]! += 1;
    } else if (usesToldWrites && writes[revision] !== -1) {
      const first = describeOperation(operations[writes[revision]!]!, writes[revision]!);
      return `revision ${revision} was told twice: to ${first} and to ${describeOperation(operation, index)}`;
    } else if (usesToldWrites) {
      writes[revision] = index;
    }
  }
  for (let revision = 1; revision < counts.length; revision += 1) counts[revision]! += counts[revision - 1]!;
  return { highest, writes, readers: sortReaders(operations, readers, counts), readersFrom: counts };
}

/** Counted into place by revision, then each revision's by earliest time. */
function sortReaders(
  operations: readonly HistoryOperation[],
  readers: readonly number[],
  from: Uint32Array,
): Uint32Array {
  const next = from.slice();
  const sorted = new Uint32Array(readers.length);
  for (const index of readers) {
    const { outcome } = operations[index]!;
    if (outcome.kind !== "ok") continue;
    sorted[next[outcome.revision]!] = index;
    next[outcome.revision]! += 1;
  }
  for (let revision = 1; revision + 1 < from.length; revision += 1) {
    const piece = sorted.subarray(from[revision]!, from[revision + 1]!);
    sortByEarliest(operations, piece);
  }
  return sorted;
}

/** By insertion: most pieces are short and in order. */
function sortByEarliest(operations: readonly HistoryOperation[], piece: Uint32Array): void {
  if (piece.length > LONG_PIECE) {
    piece.sort((a, b) => compareNumbers(earliest(operations[a]!), earliest(operations[b]!)) || a - b);
    return;
  }
  for (let at = 1; at < piece.length; at += 1) {
    const index = piece[at]!;
    const time = earliest(operations[index]!);
    let to = at;
    for (; to > 0 && earliest(operations[piece[to - 1]!]!) > time; to -= 1) piece[to] = piece[to - 1]!;
    piece[to] = index;
  }
}

const LONG_PIECE = 32;

/** Calls `visit` for every operation in order, with its revision. */
function visitInOrder(order: RevisionOrder, visit: (index: number, revision: number) => void): void {
  for (let revision = 1; revision < order.writes.length; revision += 1) {
    const write = order.writes[revision]!;
    if (write !== -1) visit(write, revision);
    const end = order.readersFrom[revision + 1]!;
    for (let at = order.readersFrom[revision]!; at < end; at += 1) visit(order.readers[at]!, revision);
  }
}

/** Two operations of which the first returned before the second was called, but stands after it; or null. */
export function findBreachOfTime(
  operations: readonly HistoryOperation[],
  order: RevisionOrder,
): string | null {
  let latest = -1;
  let latestCall = Number.NEGATIVE_INFINITY;
  let breach: string | null = null;
  visitInOrder(order, (index, revision) => {
    const operation = operations[index]!;
    if (breach === null && endOf(operation) < latestCall) {
      breach = `${describeOperation(operation, index)} returned before ${describeOperation(operations[latest]!, latest)} was called, but revision ${revision} puts it after that`;
    }
    if (earliest(operation) > latestCall) {
      latest = index;
      latestCall = earliest(operation);
    }
  });
  return breach;
}

/** Per revision the earliest return of what stands at it or after it: what stands there was called by then. */
export function earliestReturns(operations: readonly HistoryOperation[], order: RevisionOrder): Float64Array {
  const returns = new Float64Array(order.writes.length).fill(Number.POSITIVE_INFINITY);
  visitInOrder(order, (index, revision) => {
    returns[revision] = Math.min(returns[revision]!, endOf(operations[index]!));
  });
  for (let revision = returns.length - 2; revision >= 0; revision -= 1) {
    returns[revision] = Math.min(returns[revision]!, returns[revision + 1]!);
  }
  return returns;
}

/** An operation without an answer never ends, whatever its record says. */
function endOf(operation: HistoryOperation): number {
  return operation.outcome.kind === "unknown" ? Number.POSITIVE_INFINITY : operation.return;
}
