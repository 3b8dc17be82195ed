// Operations and answers in words, for evidence: what was asked, what was told, what it should have been.
import type { HistoryOperation, KeyRange, KeyValue, Request, Response } from "./operation.js";
import { isLocal } from "./operation.js";

const LONGEST_LIST = 6;
const LONGEST_TEXT = 40;
const SHOWN_OF_LONG = 12;

function shorten(parts: readonly string[], between: string): string {
  if (parts.length <= LONGEST_LIST) return parts.join(between);
  return `${parts.slice(0, LONGEST_LIST).join(between)}${between}and ${parts.length - LONGEST_LIST} more`;
}

const rangeText = ({ key, rangeEnd }: KeyRange): string =>
  rangeEnd === undefined || rangeEnd === "" ? quote(key) : `${quote(key)} to ${quote(rangeEnd)}`;

/** Quoted only when it needs to be; a long one by its beginning. */
function quote(text: string): string {
  if (text.length > LONGEST_TEXT) return `${quote(text.slice(0, SHOWN_OF_LONG))}~${text.length}`;
  return /^[\w./:+-]+$/.test(text) ? text : JSON.stringify(text);
}

export function describeRequest(request: Request): string {
  switch (request.kind) {
    case "get":
      return `${isLocal(request) ? "local get" : "get"} ${rangeText(request)}`;
    case "put":
      return `put ${quote(request.key)}=${quote(request.value)}`;
    case "delete":
      return `delete ${rangeText(request)}`;
    case "txn": {
      const compares = request.compares.map(
        ({ key, target, relation, operand }) => `${target} of ${quote(key)} ${relation} ${operand}`,
      );
      const branch = (requests: readonly Request[]): string =>
        requests.length === 0 ? "nothing" : shorten(requests.map(describeRequest), ", ");
      const when = compares.length === 0 ? "always" : shorten(compares, " and ");
      return `txn if ${when} then ${branch(request.success)} else ${branch(request.failure)}`;
    }
  }
}

export function describeKv({ key, value, createRevision, modRevision, version }: KeyValue): string {
  return `${quote(key)}=${quote(value)} (create ${createRevision}, mod ${modRevision}, version ${version})`;
}

export function describeResponse(response: Response): string {
  switch (response.kind) {
    case "get":
      return response.kvs.length === 0 ? "no key" : shorten(response.kvs.map(describeKv), ", ");
    case "put":
      return response.prevKv === null ? "put" : `put over ${describeKv(response.prevKv)}`;
    case "delete":
      return `${response.deleted} deleted`;
    case "txn": {
      const parts = response.responses.map(describeResponse);
      return `${response.succeeded ? "succeeded" : "did not succeed"}: ${shorten(parts, "; ") || "nothing"}`;
    }
  }
}

/** `operation 3 (process 1, from 10 to 14: get a)`; operations are counted from 0. */
export function describeOperation(operation: HistoryOperation, index: number): string {
  const { process: client, call, request } = operation;
  const end = operation.outcome.kind === "unknown" ? "on" : `to ${operation.return}`;
  return `operation ${index} (process ${client}, from ${call} ${end}: ${describeRequest(request)})`;
}

export function sameKv(a: KeyValue | null, b: KeyValue | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.key === b.key &&
    a.value === b.value &&
    a.modRevision === b.modRevision &&
    a.createRevision === b.createRevision &&
    a.version === b.version
  );
}

export function sameResponse(a: Response, b: Response): boolean {
  switch (a.kind) {
    case "get": {
      if (b.kind !== "get" || a.kvs.length !== b.kvs.length) return false;
      return a.kvs.every((kv, i) => sameKv(kv, b.kvs[i]!));
    }
    case "put":
      return b.kind === "put" && sameKv(a.prevKv, b.prevKv);
    case "delete":
      return b.kind === "delete" && a.deleted === b.deleted;
    case "txn": {
      if (b.kind !== "txn" || a.succeeded !== b.succeeded) return false;
      if (a.responses.length !== b.responses.length) return false;
      return a.responses.every((response, i) => sameResponse(response, b.responses[i]!));
    }
  }
}

/** Two requests that ask the same in the same words. */
export function sameRequest(a: Request, b: Request): boolean {
  return a === b || describeFully(a) === describeFully(b);
}

function describeFully(request: Request): string {
  if (request.kind === "txn") {
    const { compares, success, failure } = request;
    const texts = compares.map(({ key, target, relation, operand }) => [key, target, relation, operand]);
    return JSON.stringify(["txn", texts, success.map(describeFully), failure.map(describeFully)]);
  }
  if (request.kind === "put") {
    return JSON.stringify(["put", request.key, request.value, request.prevKv === true]);
  }
  return JSON.stringify([request.kind, request.key, request.rangeEnd ?? "", isLocal(request)]);
}
