// What answers show of keys as they were at revisions, for the keys that writes of unknown outcome may put or delete.
// Rule: a key-value, once written, is the same to all who see it, until the next write of its key.
import type {
  HistoryOperation,
  KeyValue,
  PlainRequest,
  PlainResponse,
  Request,
  Response,
} from "./operation.js";
import { toldOfChange } from "./operation.js";

/** A key as it was at revision `at`, and who was told; `kv` is null for one that was missing. */
export interface Sight {
  readonly at: number;
  readonly key: string;
  readonly kv: KeyValue | null;
  readonly operation: number;
}

export class Sights {
  /** By key, in the order of `at`. */
  readonly #byKey = new Map<string, Sight[]>();
  /** By the revision that wrote it. */
  readonly #byWrite = new Map<number, Sight[]>();
  /** Where a key was put for sure, by key, in order. */
  readonly #puts = new Map<string, number[]>();
  /** Where a key was deleted, if it was there, by key, in order. */
  readonly #deletes = new Map<string, number[]>();

  /** `alsoPut`: where a key was put for sure, by whom nobody was told. */
  constructor(
    operations: readonly HistoryOperation[],
    keys: ReadonlySet<string>,
    alsoPut: Iterable<readonly [key: string, revision: number]>,
  ) {
    for (const [key, revision] of alsoPut) if (keys.has(key)) addTo(this.#puts, key, revision);
    for (const [index, operation] of operations.entries()) {
      for (const sight of sightsOf(operation, index)) {
        if (!keys.has(sight.key)) continue;
        addTo(this.#byKey, sight.key, sight);
        if (sight.kv !== null) addTo(this.#byWrite, sight.kv.modRevision, sight);
      }
      const { outcome, request } = operation;
      if (outcome.kind !== "ok" || !toldOfChange(outcome.response)) continue;
      for (const done of requestsDone(request, outcome.response)) {
        if (!keys.has(done.key)) continue;
        if (done.kind === "put") addTo(this.#puts, done.key, outcome.revision);
        else if (done.kind === "delete") addTo(this.#deletes, done.key, outcome.revision);
      }
    }
    for (const sights of this.#byKey.values()) sights.sort((a, b) => a.at - b.at);
    for (const byKey of [this.#puts, this.#deletes]) {
      for (const revisions of byKey.values()) revisions.sort((a, b) => a - b);
    }
  }

  /** The first at `revision` or later. */
  next(key: string, revision: number): Sight | undefined {
    const sights = this.#byKey.get(key) ?? [];
    return sights[lowerBound(sights.length, (i) => sights[i]!.at >= revision)];
  }

  /** Of what was written at `revision`. */
  writtenAt(revision: number): readonly Sight[] {
    return this.#byWrite.get(revision) ?? [];
  }

  /** How often `key` was put for sure, after one revision and up to another. */
  putsBetween(key: string, after: number, to: number): number {
    return countBetween(this.#puts.get(key) ?? [], after, to);
  }

  /** Whether a delete that changed something named `key` first, after one revision and up to another. */
  isDeletedBetween(key: string, after: number, to: number): boolean {
    return countBetween(this.#deletes.get(key) ?? [], after, to) > 0;
  }
}

function countBetween(revisions: readonly number[], after: number, to: number): number {
  const above = (revision: number): number => lowerBound(revisions.length, (i) => revisions[i]! > revision);
  return above(to) - above(after);
}

export function* sightsOf({ request, outcome }: HistoryOperation, operation: number): Generator<Sight> {
  if (outcome.kind !== "ok") return;
  const { revision, response } = outcome;
  const isWrite = toldOfChange(response);
  const requests = requestsDone(request, response);
  for (const [i, plain] of (response.kind === "txn" ? response.responses : [response]).entries()) {
    for (const kv of kvsIn(plain)) {
      const { key } = kv;
      // What a write saw was there before it, or is its own, which is known without it.
      if (!isWrite) yield { at: revision, key, kv, operation };
      else if (kv.modRevision < revision) yield { at: revision - 1, key, kv, operation };
    }
    if (!isWrite && isMissing(requests[i], plain)) {
      yield { at: revision, key: requests[i]!.key, kv: null, operation };
    }
  }
}

function kvsIn(response: PlainResponse): readonly KeyValue[] {
  if (response.kind === "get") return response.kvs;
  return response.kind === "put" && response.prevKv !== null ? [response.prevKv] : [];
}

/** Of the first key of the range, be it the only one or not. */
function isMissing(request: PlainRequest | undefined, response: PlainResponse): boolean {
  if (request === undefined) return false;
  return response.kind === "get"
    ? response.kvs.length === 0
    : response.kind === "delete" && response.deleted === 0;
}

/** One for each of the answers. */
export function requestsDone(request: Request, response: Response): readonly PlainRequest[] {
  if (request.kind !== "txn") return [request];
  return response.kind === "txn" && response.succeeded ? request.success : request.failure;
}

export function addTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
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
