// A history as data: what each client asked at the API, when, and what it was told. Keys and values are short texts,
// whose characters are bytes (latin1) or the text itself (utf8); the words are etcd's.
// Source: Herlihy and Wing, "Linearizability", section 2; docs/history-format.md.

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

/** One key, or those from `key` up to but not including `rangeEnd`; "\0" is the end of all keys, "" means one key. */
export interface KeyRange {
  readonly key: string;
  readonly rangeEnd?: string;
}

export interface Get extends KeyRange {
  readonly kind: "get";
  /** Serializable: answered from the state of one replica, which may be an old one. */
  readonly local?: boolean;
}

export interface Put {
  readonly kind: "put";
  readonly key: string;
  readonly value: string;
  readonly prevKv?: boolean;
}

export interface Delete extends KeyRange {
  readonly kind: "delete";
}

/** For `value` the operand is a text, else a number; a missing key has 0 and no value. */
export interface Compare {
  readonly key: string;
  readonly target: "value" | "version" | "create" | "mod";
  readonly relation: "=" | "!=" | ">" | "<";
  readonly operand: string | number;
}

export type PlainRequest = Get | Put | Delete;

/** Transactions are not nested. */
export interface Txn {
  readonly kind: "txn";
  readonly compares: readonly Compare[];
  readonly success: readonly PlainRequest[];
  readonly failure: readonly PlainRequest[];
}

export type Request = PlainRequest | Txn;

export type PlainResponse =
  | { readonly kind: "get"; readonly kvs: readonly KeyValue[] }
  /** `prevKv` is null when there was none, or when it was not asked for. */
  | { readonly kind: "put"; readonly prevKv: KeyValue | null }
  | { readonly kind: "delete"; readonly deleted: number };

export interface TxnResponse {
  readonly kind: "txn";
  readonly succeeded: boolean;
  readonly responses: readonly PlainResponse[];
}

export type Response = PlainResponse | TxnResponse;

/** `failed`: it had no effect and never will. `unknown`: it takes effect at any time after its call, or never. */
export type Outcome =
  | { readonly kind: "ok"; readonly revision: number; readonly response: Response }
  | { readonly kind: "failed" }
  | { readonly kind: "unknown" };

/** Times are numbers of any one clock that all processes share; a return at the time of a call overlaps it. */
export interface HistoryOperation {
  readonly process: number;
  readonly call: number;
  /** Infinity when the outcome is unknown. */
  readonly return: number;
  readonly request: Request;
  readonly outcome: Outcome;
}

/** A command as it was executed, and the index of its operation in the history, if a client of it asked. */
export interface Executed {
  readonly request: Request;
  readonly operation: number | null;
}

/** What a checker says; a caller treats `undecided` as a failure. The evidence is for people. */
export interface Result {
  readonly verdict: "linearizable" | "violation" | "undecided";
  readonly evidence: string;
}

export function isLocal(request: Request): boolean {
  return request.kind === "get" && request.local === true;
}

/** The earliest time of effect: a local read may be of any state of the past. */
export function earliest(operation: HistoryOperation): number {
  return isLocal(operation.request) ? Number.NEGATIVE_INFINITY : operation.call;
}

/** Could change something; what only reads and was not answered says nothing. */
export function mayWrite(request: Request): boolean {
  if (request.kind !== "txn") return request.kind !== "get";
  return request.success.some(mayWrite) || request.failure.some(mayWrite);
}

/** Told as something that changed the store, and so raised the revision. */
export function toldOfChange(response: Response): boolean {
  switch (response.kind) {
    case "get":
      return false;
    case "put":
      return true;
    case "delete":
      return response.deleted > 0;
    case "txn":
      return response.responses.some(toldOfChange);
  }
}

/** Orders as told revisions do: a write, then what was told its revision; after all of them what was told nothing. */
export function toldPlace({ outcome }: HistoryOperation): number {
  if (outcome.kind !== "ok") return Number.POSITIVE_INFINITY;
  return 2 * outcome.revision + (toldOfChange(outcome.response) ? 0 : 1);
}

/** Every request that stands in another, or itself. */
export function plainRequests(request: Request): readonly PlainRequest[] {
  return request.kind === "txn" ? [...request.success, ...request.failure] : [request];
}
