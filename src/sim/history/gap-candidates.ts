// Which writes of unknown outcome can stand at a revision that nobody was told.
// Rule: one is left out only if it cannot stand there in any order: it was called too late; what was seen of this
// revision is not what it writes; it alone can have written what was seen of another revision; or the next that is
// seen of its key was written before, or leaves no room for one more version.
import { describeOperation } from "./describe.js";
import type { HistoryOperation, PlainRequest, Put, Request } from "./operation.js";
import { plainRequests } from "./operation.js";
import { earliestReturns, type RevisionOrder } from "./revision-order.js";
import { addTo, type Sight, Sights, sightsOf } from "./sights.js";
import type { StoreModel } from "./store-model.js";

/** What was seen of the write at a revision: these keys with these values; null where only its creation shows. */
type Trace = Map<string, { readonly value: string | null; readonly operation: number }>;

export class GapCandidates {
  readonly #operations: readonly HistoryOperation[];
  readonly #order: RevisionOrder;
  readonly #returns: Float64Array;
  readonly #traces = new Map<number, Trace>();
  /** Candidates of the revisions that have a trace. */
  readonly #fitting = new Map<number, number[]>();
  /** Where an unknown write must stand, if anywhere. */
  readonly #bound = new Map<number, number>();
  /** The others, by call. */
  readonly #free: number[] = [];
  readonly sights: Sights;

  constructor(operations: readonly HistoryOperation[], order: RevisionOrder, unknown: readonly number[]) {
    this.#operations = operations;
    this.#order = order;
    this.#returns = earliestReturns(operations, order);
    const byPut = this.#indexPuts(unknown);
    for (const [index, operation] of operations.entries()) {
      for (const sight of sightsOf(operation, index)) this.#trace(sight);
    }
    for (const [revision, trace] of this.#traces) {
      const fitting = this.#fittingIn(trace, byPut).filter((index) => this.#isCalledBy(index, revision));
      this.#fitting.set(revision, fitting);
      if (fitting.length === 1 && !this.#bound.has(fitting[0]!)) this.#bound.set(fitting[0]!, revision);
    }
    for (const index of unknown) if (!this.#bound.has(index)) this.#free.push(index);
    this.#free.sort((a, b) => operations[a]!.call - operations[b]!.call);
    const keys = unknown.flatMap((index) => plainRequests(operations[index]!.request).map(({ key }) => key));
    this.sights = new Sights(operations, new Set(keys), this.#tracedPuts());
  }

  /** All that may stand at this revision if nothing else were known: what `of` leaves out depends on their keys. */
  *possible(revision: number): Generator<number> {
    for (const index of this.#fitting.get(revision) ?? this.#free) {
      if (this.#isCalledBy(index, revision)) yield index;
    }
  }

  /** For evidence: who saw the write at this revision. */
  toldOf(revision: number): string {
    const trace = this.#traces.get(revision);
    if (trace === undefined) return "";
    const [[key, { value, operation }]] = [...trace] as [
      [string, { value: string | null; operation: number }],
    ];
    const seen = value === null ? `the creation of ${key}` : `${key}=${value}`;
    return `: ${describeOperation(this.#operations[operation]!, operation)} saw ${seen} of it`;
  }

  /** The best is last. */
  of(revision: number, model: StoreModel, taken: ReadonlySet<number>): number[] {
    const traced = this.#fitting.get(revision);
    const found: { index: number; deadline: number }[] = [];
    for (const index of traced ?? this.#free) {
      if (taken.has(index) || (this.#bound.get(index) ?? revision) !== revision) continue;
      if (!this.#isCalledBy(index, revision)) {
        if (traced === undefined) break;
        continue;
      }
      const { request } = this.#operations[index]!;
      const deadline = this.#deadlineOf(request, revision, model);
      if (deadline !== null && changes(model, request)) found.push({ index, deadline });
    }
    // The end is tried first: the earliest deadline, and of equals the one called last.
    found.sort((a, b) => (a.deadline === b.deadline ? 0 : b.deadline - a.deadline));
    return found.map(({ index }) => index);
  }

  /** Not before anything that returned before it was called. */
  #isCalledBy(index: number, revision: number): boolean {
    return this.#operations[index]!.call <= this.#returns[revision]!;
  }

  /** Unknown writes by each key and value that they may put, and by each key. */
  #indexPuts(unknown: readonly number[]): Map<string, number[]> {
    const byPut = new Map<string, number[]>();
    for (const index of unknown) {
      for (const { key, value } of putsOf(this.#operations[index]!.request)) {
        addTo(byPut, putName(key, value), index);
        addTo(byPut, putName(key, null), index);
      }
    }
    return byPut;
  }

  #fittingIn(trace: Trace, byPut: ReadonlyMap<string, readonly number[]>): number[] {
    let fitting: readonly number[] | null = null;
    for (const [key, { value }] of trace) {
      const able: readonly number[] = byPut.get(putName(key, value)) ?? [];
      fitting = fitting === null ? [...new Set(able)] : fitting.filter((index) => able.includes(index));
    }
    return [...(fitting ?? [])];
  }

  #isGap(revision: number): boolean {
    return revision >= 2 && revision <= this.#order.highest && this.#order.writes[revision] === -1;
  }

  #trace({ kv, operation }: Sight): void {
    if (kv === null) return;
    const { key, value, modRevision, createRevision } = kv;
    if (this.#isGap(modRevision)) this.#traceOf(modRevision).set(key, { value, operation });
    if (createRevision === modRevision || !this.#isGap(createRevision)) return;
    const trace = this.#traceOf(createRevision);
    if (!trace.has(key)) trace.set(key, { value: null, operation });
  }

  /** Who saw what was written at a gap saw a put: the key's version counts it, whoever asked for it. */
  *#tracedPuts(): Generator<readonly [key: string, revision: number]> {
    for (const [revision, trace] of this.#traces) for (const key of trace.keys()) yield [key, revision];
  }

  #traceOf(revision: number): Trace {
    let trace = this.#traces.get(revision);
    if (trace === undefined) {
      trace = new Map();
      this.#traces.set(revision, trace);
    }
    return trace;
  }

  /** The revision by which a write like this one is needed, or how likely it is; null if it cannot stand here. */
  #deadlineOf(request: Request, revision: number, model: StoreModel): number | null {
    if (request.kind === "txn" || request.kind === "get") return UNNEEDED;
    const next = this.sights.next(request.key, revision);
    if (next === undefined) return UNNEEDED;
    if (next.kv === null) return this.#deadlineOfDelete(request, revision, next.at, model);
    const { createRevision, modRevision, version } = next.kv;
    if (modRevision < revision) return null;
    if (createRevision > revision) return this.#deadlineOfDelete(request, revision, createRevision, model);
    // From its creation to its sight nothing deleted the key.
    if (request.kind === "delete") return createRevision < revision ? null : createRevision;
    const now = model.kvOf(request.key);
    if (now === null ? createRevision !== revision : createRevision !== now.createRevision) return null;
    const puts = this.sights.putsBetween(request.key, revision, modRevision);
    return (now?.version ?? 0) + 1 + puts <= version ? modRevision : null;
  }

  /** Of a put or a delete at `revision` of a key that is gone at `end`, or created anew there. */
  #deadlineOfDelete(request: PlainRequest, revision: number, end: number, model: StoreModel): number {
    if (this.sights.isDeletedBetween(request.key, revision, end)) return UNNEEDED;
    if (request.kind === "delete") return end;
    return model.kvOf(request.key) === null ? UNLIKELY : UNNEEDED;
  }
}

/** Above every revision. */
const UNNEEDED = Number.MAX_VALUE;
/** Something would have to undo it before it is seen. */
const UNLIKELY = Number.POSITIVE_INFINITY;

/** `model` remembers. */
function changes(model: StoreModel, request: Request): boolean {
  if (request.kind === "put") return true;
  const mark = model.mark();
  model.apply(request);
  const isChanged = model.revision !== mark.revision;
  model.goBack(mark);
  return isChanged;
}

const putName = (key: string, value: string | null): string => JSON.stringify([key, value]);

function putsOf(request: Request): Put[] {
  return plainRequests(request).filter((plain) => plain.kind === "put");
}
