// Executes a history on the model, revision by revision, and compares each answer with what was told.
// Rule: an operation passes only if its whole answer, revision and all, is the one that the model gives there.
import { describeOperation, describeRequest, describeResponse, sameResponse } from "./describe.js";
import { KeyTable } from "./key-table.js";
import type { Executed, HistoryOperation, Request } from "./operation.js";
import type { RevisionOrder } from "./revision-order.js";
import { StoreModel } from "./store-model.js";

export class Replay {
  readonly model: StoreModel;
  readonly table: KeyTable;
  /** What was executed last: after an error, what it is about. */
  last = -1;
  readonly #operations: readonly HistoryOperation[];
  readonly #order: RevisionOrder;

  constructor(
    operations: readonly HistoryOperation[],
    order: RevisionOrder,
    executed: readonly Executed[] = [],
  ) {
    const requests = function* (): Generator<Request> {
      for (const { request } of operations) yield request;
      for (const { request } of executed) yield request;
    };
    this.table = new KeyTable(requests());
    this.model = new StoreModel(this.table);
    this.#operations = operations;
    this.#order = order;
  }

  /** Executes an operation here. What is wrong with its answer, or null; one of unknown outcome was told nothing. */
  execute(index: number): string | null {
    this.last = index;
    const operation = this.#operations[index]!;
    const { request, outcome } = operation;
    const response = this.model.apply(request);
    if (outcome.kind === "unknown") return null;
    if (outcome.kind === "failed") return `${describeOperation(operation, index)} failed, but was executed`;
    if (!sameResponse(response, outcome.response)) {
      const what = describeOperation(operation, index);
      const right = describeResponse(response);
      return `${what} was told ${describeResponse(outcome.response)} at revision ${outcome.revision}; right is ${right}`;
    }
    if (outcome.revision !== this.model.revision) {
      const what = describeOperation(operation, index);
      return `${what} was told revision ${outcome.revision}; right is ${this.model.revision}`;
    }
    return null;
  }

  /** Executes what writes revision `revision`; null, or what is wrong. */
  write(index: number, revision: number): string | null {
    const wrong = this.execute(index);
    if (wrong !== null || this.model.revision === revision) return wrong;
    const { request } = this.#operations[index]!;
    return `${describeRequest(request)} would not have changed anything at revision ${revision}`;
  }

  /** Checks all who changed nothing and were told the present revision; null, or what is wrong. */
  checkReaders(): string | null {
    const { readers, readersFrom } = this.#order;
    const end = readersFrom[this.model.revision + 1] ?? 0;
    for (let at = readersFrom[this.model.revision] ?? 0; at < end; at += 1) {
      const wrong = this.execute(readers[at]!);
      if (wrong !== null) return wrong;
    }
    return null;
  }
}
