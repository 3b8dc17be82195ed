// Histories as text: JSON lines, one operation each, as docs/history-format.md describes.
// Rule: what is written is read back the same, and nothing is read that is not understood.
import type {
  Compare,
  HistoryOperation,
  KeyValue,
  Outcome,
  PlainRequest,
  PlainResponse,
  Request,
  Response,
} from "./operation.js";

/** The caller's error: a line of the text is not an operation. */
export class HistoryFormatError extends Error {
  override readonly name = "HistoryFormatError";
  readonly code = "history-format";
  /** Counted from 1. */
  readonly line: number;
  /** Where in the line, as in `outcome.response.kvs[0].key`; empty for all of it. */
  readonly field: string;

  constructor(line: number, field: string, problem: string) {
    super(`line ${line}${field === "" ? "" : `, field ${field}`}: ${problem}`);
    this.line = line;
    this.field = field;
  }
}

/** One line an operation, each with its newline; an infinite return time is left out. */
export function encodeHistory(operations: readonly HistoryOperation[]): string {
  let text = "";
  for (const operation of operations) {
    const { process: client, call, request, outcome } = operation;
    const end = outcome.kind === "unknown" ? {} : { return: operation.return };
    text += `${JSON.stringify({ process: client, call, ...end, request, outcome })}\n`;
  }
  return text;
}

/** Empty lines are skipped. Throws HistoryFormatError. */
export function parseHistory(text: string): HistoryOperation[] {
  const operations: HistoryOperation[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    operations.push(parseLine(line, index + 1));
  }
  return operations;
}

function parseLine(line: string, number: number): HistoryOperation {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new HistoryFormatError(number, "", `not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const whole = new Field(value, "", number);
  const record = whole.record(["process", "call", "return", "request", "outcome"]);
  const call = record.get("call").number();
  const request = parseRequest(record.get("request"), true);
  const outcome = parseOutcome(record.get("outcome"), request);
  const client = record.get("process").count();
  if (outcome.kind === "unknown") {
    return { process: client, call, return: Number.POSITIVE_INFINITY, request, outcome };
  }
  const end = record.get("return").number();
  if (end < call) record.get("return").fail(`is ${end}, before its call at ${call}`);
  return { process: client, call, return: end, request, outcome };
}

/** A value with its place, so that an error can name it. */
class Field {
  readonly #value: unknown;
  readonly #path: string;
  readonly #line: number;

  constructor(value: unknown, path: string, line: number) {
    this.#value = value;
    this.#path = path;
    this.#line = line;
  }

  fail(problem: string): never {
    throw new HistoryFormatError(this.#line, this.#path, problem);
  }

  get isAbsent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  record(known: readonly string[]): Field {
    if (typeof this.#value !== "object" || this.#value === null || Array.isArray(this.#value)) {
      this.fail("must be an object");
    }
    for (const name of Object.keys(this.#value)) {
      if (!known.includes(name)) this.get(name).fail(`is not known; there are ${known.join(", ")}`);
    }
    return this;
  }

  get(name: string): Field {
    const record = this.#value as Record<string, unknown>;
    const value = Object.hasOwn(record, name) ? record[name] : undefined;
    return new Field(value, this.#path === "" ? name : `${this.#path}.${name}`, this.#line);
  }

  list(): Field[] {
    if (!Array.isArray(this.#value)) this.fail("must be a list");
    return this.#value.map((value, i) => new Field(value, `${this.#path}[${i}]`, this.#line));
  }

  text(): string {
    if (typeof this.#value !== "string") this.fail("must be a text");
    return this.#value;
  }

  number(): number {
    if (typeof this.#value !== "number" || !Number.isFinite(this.#value)) this.fail("must be a number");
    return this.#value;
  }

  /** An integer from 0. */
  count(): number {
    const value = this.number();
    if (!Number.isSafeInteger(value) || value < 0) this.fail("must be an integer from 0");
    return value;
  }

  flag(): boolean {
    if (typeof this.#value !== "boolean") this.fail("must be true or false");
    return this.#value;
  }

  oneOf<T extends string>(...words: T[]): T {
    const word = words.find((one) => one === this.#value);
    if (word === undefined) this.fail(`must be one of ${words.join(", ")}`);
    return word;
  }

  kind<T extends string>(...words: T[]): T {
    if (typeof this.#value !== "object" || this.#value === null) this.fail("must be an object");
    return this.get("kind").oneOf(...words);
  }
}

function parseRequest(field: Field, allowsTxn: true): Request;
function parseRequest(field: Field, allowsTxn: false): PlainRequest;
function parseRequest(field: Field, allowsTxn: boolean): Request {
  const kind = allowsTxn ? field.kind("get", "put", "delete", "txn") : field.kind("get", "put", "delete");
  if (kind === "txn") {
    field.record(["kind", "compares", "success", "failure"]);
    const plain = (name: string): PlainRequest[] =>
      field
        .get(name)
        .list()
        .map((one) => parseRequest(one, false));
    const compares = field.get("compares").list().map(parseCompare);
    return { kind, compares, success: plain("success"), failure: plain("failure") };
  }
  field.record([
    "kind",
    "key",
    ...{ get: ["rangeEnd", "local"], put: ["value", "prevKv"], delete: ["rangeEnd"] }[kind],
  ]);
  const key = field.get("key").text();
  const optional = <K extends string, V>(name: K, read: (value: Field) => V): Partial<Record<K, V>> => {
    const value = field.get(name);
    return value.isAbsent ? {} : ({ [name]: read(value) } as Record<K, V>);
  };
  if (key === "") field.get("key").fail("must not be empty");
  if (kind === "put") {
    const value = field.get("value").text();
    return { kind, key, value, ...optional("prevKv", (flag) => flag.flag()) };
  }
  const range = { key, ...optional("rangeEnd", (end) => end.text()) };
  if (kind === "delete") return { kind, ...range };
  const isInTxn = !allowsTxn;
  if (isInTxn && !field.get("local").isAbsent) field.get("local").fail("has no meaning in a txn");
  return { kind, ...range, ...optional("local", (flag) => flag.flag()) };
}

function parseCompare(field: Field): Compare {
  field.record(["key", "target", "relation", "operand"]);
  const target = field.get("target").oneOf("value", "version", "create", "mod");
  const operand = field.get("operand");
  return {
    key: field.get("key").text(),
    target,
    relation: field.get("relation").oneOf("=", "!=", ">", "<"),
    operand: target === "value" ? operand.text() : operand.number(),
  };
}

function parseOutcome(field: Field, request: Request): Outcome {
  const kind = field.kind("ok", "failed", "unknown");
  if (kind !== "ok") {
    field.record(["kind"]);
    return { kind };
  }
  field.record(["kind", "revision", "response"]);
  const response = parseResponse(field.get("response"), request);
  return { kind, revision: field.get("revision").count(), response };
}

function parseResponse(field: Field, request: Request): Response {
  if (request.kind !== "txn") return parsePlainResponse(field, request);
  field.kind("txn");
  field.record(["kind", "succeeded", "responses"]);
  const succeeded = field.get("succeeded").flag();
  const requests = succeeded ? request.success : request.failure;
  const responses = field.get("responses").list();
  if (responses.length !== requests.length) {
    field.get("responses").fail(`must be ${requests.length}, one for each request of its branch`);
  }
  return {
    kind: "txn",
    succeeded,
    responses: responses.map((response, i) => parsePlainResponse(response, requests[i]!)),
  };
}

function parsePlainResponse(field: Field, request: PlainRequest): PlainResponse {
  switch (field.kind(request.kind)) {
    case "get":
      field.record(["kind", "kvs"]);
      return { kind: "get", kvs: field.get("kvs").list().map(parseKv) };
    case "put": {
      field.record(["kind", "prevKv"]);
      const previous = field.get("prevKv");
      return { kind: "put", prevKv: previous.isAbsent ? null : parseKv(previous) };
    }
    case "delete":
      field.record(["kind", "deleted"]);
      return { kind: "delete", deleted: field.get("deleted").count() };
  }
}

function parseKv(field: Field): KeyValue {
  field.record(["key", "value", "createRevision", "modRevision", "version"]);
  return {
    key: field.get("key").text(),
    value: field.get("value").text(),
    createRevision: field.get("createRevision").count(),
    modRevision: field.get("modRevision").count(),
    version: field.get("version").count(),
  };
}
