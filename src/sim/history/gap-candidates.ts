// Which writes of unknown outcome can stand at a revision that nobody was told.
// Rule: one is left out only if it cannot stand there in any order: it was called too late; what was seen of this
// revision is not what it writes; it alone can have written what was seen of another revision; or the next that is
// seen of its key was written before, or leaves no room for one more version.
import { describeOperation } from "./describe.js";
import type { HistoryOperation, KeyValue, PlainResponse, Put, Request } from "./operation.js";
import { plainRequests, toldOfChange } from "./operation.js";
import { earliestReturns, type RevisionOrder } from "./revision-order.js";
import type { StoreModel } from "./store-model.js";

/** A key as it was at a revision. */
interface Sight {
  readonly at: number;
  readonly kv: KeyValue;
  readonly operation: number;
}

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
  /** Of the keys that free ones put, by revision. */
  readonly #sights = new Map<string, Sight[]>();
  readonly #knownPuts = new Map<string, number[]>();

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
    this.#watch(
      new Set(this.#free.flatMap((index) => putsOf(operations[index]!.request).map(({ key }) => key))),
    );
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
      const deadline = this.#deadlineOf(this.#operations[index]!.request, revision, model);
      if (deadline !== null) found.push({ index, deadline });
    }
    // Latest deadline first, and of equals the one called last: the end of the list is tried first.
    found.reverse();
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
    const { key, value, modRevision, createRevision } = kv;
    if (this.#isGap(modRevision)) this.#traceOf(modRevision).set(key, { value, operation });
    if (createRevision === modRevision || !this.#isGap(createRevision)) return;
    const trace = this.#traceOf(createRevision);
    if (!trace.has(key)) trace.set(key, { value: null, operation });
  }

  #traceOf(revision: number): Trace {
    let trace = this.#traces.get(revision);
    if (trace === undefined) {
      trace = new Map();
      this.#traces.set(revision, trace);
    }
    return trace;
  }

  /** Collects what is seen of some keys, and where they are put for sure. */
  #watch(keys: ReadonlySet<string>): void {
    for (const [index, operation] of this.#operations.entries()) {
      for (const sight of sightsOf(operation, index)) {
        if (keys.has(sight.kv.key)) addTo(this.#sights, sight.kv.key, sight);
      }
      const { outcome, request } = operation;
      if (outcome.kind !== "ok" || !toldOfChange(outcome.response)) continue;
      for (const { key } of putsDone(request, outcome.response)) {
        if (keys.has(key)) addTo(this.#knownPuts, key, outcome.revision);
      }
    }
    for (const sights of this.#sights.values()) sights.sort((a, b) => a.at - b.at);
    for (const revisions of this.#knownPuts.values()) revisions.sort((a, b) => a - b);
  }

  /** The revision by which a write like this one is needed, Infinity if none is; null if it cannot stand here. */
  #deadlineOf(request: Request, revision: number, model: StoreModel): number | null {
    if (request.kind !== "put") return Number.POSITIVE_INFINITY;
    const sights = this.#sights.get(request.key) ?? [];
    const next = sights[lowerBound(sights.length, (i) => sights[i]!.at >= revision)];
    if (next === undefined) return Number.POSITIVE_INFINITY;
    const { createRevision, modRevision, version } = next.kv;
    if (modRevision < revision) return null;
    if (createRevision > revision) return Number.POSITIVE_INFINITY;
    const now = model.kvOf(request.key);
    // From its creation to its sight nothing deleted the key.
    if (now === null ? createRevision !== revision : createRevision !== now.createRevision) return null;
    const puts = this.#knownPuts.get(request.key) ?? [];
    const from = lowerBound(puts.length, (i) => puts[i]! > revision);
    const to = lowerBound(puts.length, (i) => puts[i]! > modRevision);
    return (now?.version ?? 0) + 1 + to - from <= version ? modRevision : null;
  }
}

const putName = (key: string, value: string | null): string => JSON.stringify([key, value]);

function addTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function putsOf(request: Request): Put[] {
  return plainRequests(request).filter((plain) => plain.kind === "put");
}

function putsDone(
  request: Request,
  response: { readonly kind: string; readonly succeeded?: boolean },
): Put[] {
  if (request.kind !== "txn") return putsOf(request);
  return (response.succeeded === true ? request.success : request.failure).filter(
    ({ kind }) => kind === "put",
  ) as Put[];
}

function* sightsOf({ outcome }: HistoryOperation, operation: number): Generator<Sight> {
  if (outcome.kind !== "ok") return;
  const { revision, response } = outcome;
  const isWrite = toldOfChange(response);
  const responses: readonly PlainResponse[] = response.kind === "txn" ? response.responses : [response];
  for (const plain of responses) {
    if (plain.kind === "delete") continue;
    for (const kv of plain.kind === "get" ? plain.kvs : plain.prevKv === null ? [] : [plain.prevKv]) {
      // What a write saw and did not write itself was there before it.
      yield { at: isWrite && kv.modRevision < revision ? revision - 1 : revision, kv, operation };
    }
  }
}

/** The first of `count` from which on `isReached` holds. */
function lowerBound(count: number, isReached: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isReached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
