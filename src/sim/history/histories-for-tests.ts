// Histories for tests: short ways of writing operations, and histories made by a store that is linearizable.

import { KeyTable } from "./key-table.js";
import type {
  HistoryOperation,
  KeyValue,
  PlainRequest,
  PlainResponse,
  Request,
  Response,
} from "./operation.js";
import { isLocal, toldOfChange } from "./operation.js";
import { StoreModel } from "./store-model.js";

export const get = (key: string, rangeEnd?: string): PlainRequest =>
  rangeEnd === undefined ? { kind: "get", key } : { kind: "get", key, rangeEnd };
export const localGet = (key: string): Request => ({ kind: "get", key, local: true });
export const put = (key: string, value: string): PlainRequest => ({ kind: "put", key, value });
export const putAsking = (key: string, value: string): PlainRequest => ({
  kind: "put",
  key,
  value,
  prevKv: true,
});
export const del = (key: string, rangeEnd?: string): PlainRequest =>
  rangeEnd === undefined ? { kind: "delete", key } : { kind: "delete", key, rangeEnd };
/** Puts `to` if the key holds `from`; reads it otherwise. */
export const swap = (key: string, from: string, to: string): Request => ({
  kind: "txn",
  compares: [{ key, target: "value", relation: "=", operand: from }],
  success: [put(key, to)],
  failure: [get(key)],
});

export const kv = (key: string, value: string, create: number, mod: number, version: number): KeyValue => ({
  key,
  value,
  createRevision: create,
  modRevision: mod,
  version,
});
export const found = (...kvs: KeyValue[]): PlainResponse => ({ kind: "get", kvs });
export const done = (prevKv: KeyValue | null = null): PlainResponse => ({ kind: "put", prevKv });
export const deleted = (count: number): PlainResponse => ({ kind: "delete", deleted: count });
export const succeeded = (...responses: PlainResponse[]): Response => ({
  kind: "txn",
  succeeded: true,
  responses,
});
export const otherwise = (...responses: PlainResponse[]): Response => ({
  kind: "txn",
  succeeded: false,
  responses,
});

type Times = readonly [call: number, end: number];

export function ok(
  [call, end]: Times,
  request: Request,
  revision: number,
  response: Response,
): HistoryOperation {
  return { process: call, call, return: end, request, outcome: { kind: "ok", revision, response } };
}
export function unknown(call: number, request: Request): HistoryOperation {
  return { process: call, call, return: Number.POSITIVE_INFINITY, request, outcome: { kind: "unknown" } };
}
export function failed([call, end]: Times, request: Request): HistoryOperation {
  return { process: call, call, return: end, request, outcome: { kind: "failed" } };
}

/** What a client does: when, and how it goes. */
export interface Plan {
  readonly request: Request;
  readonly call: number;
  /** From the call to its effect, and from there to the return. */
  readonly delays: readonly [number, number];
  readonly fate: "ok" | "failed" | "lost answer" | "lost request";
  /** How many revisions ago the state was that a local read sees. */
  readonly age: number;
}

/** A linearizable history: each request takes effect at one time between its call and its return. */
export function linearizableHistory(plans: readonly Plan[]): {
  readonly operations: HistoryOperation[];
  readonly executed: { readonly request: Request; readonly operation: number }[];
} {
  const store = new StoreModel(new KeyTable(plans.map(({ request }) => request)));
  const past = [store.copy()];
  const operations: HistoryOperation[] = [];
  const executed: { request: Request; operation: number }[] = [];
  const inOrder = [...plans.keys()].sort((a, b) => effectOf(plans[a]!) - effectOf(plans[b]!) || a - b);
  for (const index of inOrder) {
    const { request, call, delays, fate, age } = plans[index]!;
    const end = call + delays[0] + delays[1];
    const base = { process: index, call, request };
    if (fate === "failed") operations[index] = { ...base, return: end, outcome: { kind: "failed" } };
    if (fate === "failed" || fate === "lost request") {
      operations[index] ??= unknown(call, request);
      continue;
    }
    const seen = isLocal(request) ? past[Math.max(0, past.length - 1 - age)]!.copy() : store;
    const response = seen.apply(request);
    if (toldOfChange(response)) past.push(store.copy());
    if (!isLocal(request)) executed.push({ request, operation: index });
    operations[index] =
      fate === "lost answer"
        ? unknown(call, request)
        : { ...base, return: end, outcome: { kind: "ok", revision: seen.revision, response } };
  }
  return { operations, executed };
}

const effectOf = ({ call, delays }: Plan): number => call + delays[0];
