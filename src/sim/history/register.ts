// What a history says of a single key, as a register that holds a value or nothing: revisions are left out, so that
// this check does not rest on them. Linearizability is local (Herlihy and Wing, theorem 1): if the whole store is
// linearizable, so is every key. Rule: what other keys decide is left open, never guessed.
import type { KeyTable } from "./key-table.js";
import type {
  Compare,
  HistoryOperation,
  KeyRange,
  PlainRequest,
  PlainResponse,
  Txn,
  TxnResponse,
} from "./operation.js";
import { isLocal, toldPlace } from "./operation.js";
import { compareTexts } from "./order.js";
import { relates } from "./store-model.js";
import type { SearchModel, SearchOperation } from "./wgl.js";

/** The value of a key, or null when it is missing. */
export type Held = string | null;

export type RegisterStep =
  | { readonly kind: "read"; readonly value: Held }
  | { readonly kind: "write"; readonly value: Held }
  | { readonly kind: "present"; readonly is: boolean }
  | { readonly kind: "compare"; readonly relation: Compare["relation"]; readonly operand: string }
  | { readonly kind: "not"; readonly all: readonly RegisterStep[] };

export interface RegisterOperation extends SearchOperation {
  /** Index in the history. */
  readonly source: number;
  /** What may have happened: the steps of one of these, in order. */
  readonly ways: readonly (readonly RegisterStep[])[];
}

/** Reads of more keys than this are left to the check by replay. */
const MOST_KEYS_READ = 16;

/** Per key what the history says of it, in its order; reads that may be old and unanswered reads say nothing. */
export function registersOf(
  operations: readonly HistoryOperation[],
  table: KeyTable,
): Map<string, RegisterOperation[]> {
  const registers = new Map<string, RegisterOperation[]>();
  for (const [source, operation] of operations.entries()) {
    const { request, outcome } = operation;
    if (outcome.kind === "failed" || isLocal(request)) continue;
    const isOptional = outcome.kind === "unknown";
    const { call } = operation;
    const likelyPlace = toldPlace(operation);
    const end = isOptional ? Number.POSITIVE_INFINITY : operation.return;
    for (const key of keysOf(operation, table)) {
      const ways = waysOf(operation, key).filter(
        (steps) => steps.length > 0 && (!isOptional || steps.some(({ kind }) => kind === "write")),
      );
      if (ways.length === 0) continue;
      const entry = { call, return: end, isOptional, likelyPlace, source, ways };
      const register = registers.get(key);
      if (register === undefined) registers.set(key, [entry]);
      else register.push(entry);
    }
  }
  return registers;
}

function keysOf({ request }: HistoryOperation, table: KeyTable): Iterable<string> {
  if (request.kind === "put") return [request.key];
  const keys = new Set<string>();
  const plains = request.kind === "txn" ? [...request.success, ...request.failure] : [request];
  for (const plain of plains) {
    if (plain.kind === "put") {
      keys.add(plain.key);
      continue;
    }
    const first = table.firstOf(plain.key);
    const end = table.endOf(plain.key, plain.rangeEnd);
    if (plain.kind === "get" && end - first > MOST_KEYS_READ) continue;
    for (let id = first; id < end; id += 1) keys.add(table.keys[id]!);
  }
  if (request.kind === "txn") for (const { key } of request.compares) keys.add(key);
  return keys;
}

function waysOf({ request, outcome }: HistoryOperation, key: string): RegisterStep[][] {
  if (outcome.kind === "ok") {
    const { response } = outcome;
    if (request.kind !== "txn") return [plainSteps(request, response as PlainResponse, key)];
    return [txnSteps(request, response as TxnResponse, key)];
  }
  if (request.kind !== "txn") return [plainSteps(request, null, key)];
  return [branchSteps(request, true, null, key), branchSteps(request, false, null, key)];
}

function txnSteps(request: Txn, response: TxnResponse, key: string): RegisterStep[] {
  return branchSteps(request, response.succeeded, response.responses, key);
}

function branchSteps(
  request: Txn,
  succeeded: boolean,
  responses: readonly PlainResponse[] | null,
  key: string,
): RegisterStep[] {
  const steps = guardsOf(request.compares, succeeded, key);
  for (const [i, plain] of (succeeded ? request.success : request.failure).entries()) {
    steps.push(...plainSteps(plain, responses?.[i] ?? null, key));
  }
  return steps;
}

/** A branch of success tells that all comparisons held; one of failure only something if all are of this key. */
function guardsOf(compares: readonly Compare[], succeeded: boolean, key: string): RegisterStep[] {
  const own = compares.filter((compare) => compare.key === key).map(guardOf);
  const certain = own.filter((step) => step !== null);
  if (succeeded) return certain;
  return certain.length === compares.length && certain.length > 0 ? [{ kind: "not", all: certain }] : [];
}

/** Of numbers a register knows only whether they are 0. */
function guardOf({ target, relation, operand }: Compare): RegisterStep | null {
  if (target === "value") return { kind: "compare", relation, operand: String(operand) };
  if (operand !== 0 || relation === "<") return null;
  return { kind: "present", is: relation !== "=" };
}

function covers({ key, rangeEnd }: KeyRange, other: string): boolean {
  if (rangeEnd === undefined || rangeEnd === "") return other === key;
  return compareTexts(other, key) >= 0 && (rangeEnd === "\0" || compareTexts(other, rangeEnd) < 0);
}

function plainSteps(request: PlainRequest, response: PlainResponse | null, key: string): RegisterStep[] {
  if (request.kind === "put") {
    if (request.key !== key) return [];
    const write = { kind: "write", value: request.value } as const;
    if (request.prevKv !== true || response?.kind !== "put") return [write];
    return [{ kind: "read", value: response.prevKv?.value ?? null }, write];
  }
  if (!covers(request, key)) return [];
  if (request.kind === "get") {
    if (response?.kind !== "get") return [];
    return [{ kind: "read", value: response.kvs.find((kv) => kv.key === key)?.value ?? null }];
  }
  const write = { kind: "write", value: null } as const;
  if (response?.kind !== "delete") return [write];
  if (response.deleted === 0) return [{ kind: "present", is: false }];
  const isOfOneKey = request.rangeEnd === undefined || request.rangeEnd === "";
  return isOfOneKey ? [{ kind: "present", is: true }, write] : [write];
}

/** The value after the steps, or undefined where they cannot be. */
function run(steps: readonly RegisterStep[], before: Held): Held | undefined {
  let value = before;
  for (const step of steps) {
    if (step.kind === "write") value = step.value;
    else if (!passes(step, value)) return undefined;
  }
  return value;
}

function passes(step: Exclude<RegisterStep, { kind: "write" }>, value: Held): boolean {
  switch (step.kind) {
    case "read":
      return value === step.value;
    case "present":
      return (value !== null) === step.is;
    case "compare":
      return value !== null && relates(step.relation, compareTexts(value, step.operand));
    case "not":
      return run(step.all, value) === undefined;
  }
}

export function registerModel(operations: readonly RegisterOperation[]): SearchModel<Held> {
  return {
    operations,
    initial: null,
    step: (value, index) => {
      const after = operations[index]!.ways.map((steps) => run(steps, value));
      return after.filter((held) => held !== undefined);
    },
    identity: (value) => (value === null ? "-" : `=${value}`),
    isBlind: (index) => operations[index]!.ways.every((steps) => steps[0]!.kind === "write"),
  };
}
