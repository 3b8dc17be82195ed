// Requests as people write them in scenarios: `put k1=3.17`, `local get k1`, `delete k1 to k5`,
// `txn if create of k1 > 0 then put k1=1 else nothing`; `put k1=3.17~400` fills the value up to 400 characters with
// full stops. What is written is read back the same.
import { unreachable } from "../base/assert.js";
import type { Compare, KeyRange, PlainRequest, Request } from "./history/operation.js";

/** The text is not a request; the message says why. */
export class RequestTextError extends Error {
  override readonly name = "RequestTextError";
}

const BARE = /^[\w./:+-]+$/;
const TOKENS = /"(?:[^"\\]|\\.)*"|[\w./:+-]+|!=|[=<>,~]|\S/g;
/** Fewer are written as they are. */
const FEWEST_FILLED = 4;
const MOST_FILLED = 1 << 20;
const TARGETS = ["value", "version", "create", "mod"] as const;
const RELATIONS = ["=", "!=", ">", "<"] as const;

export function requestText(request: Request): string {
  if (request.kind !== "txn") return plainText(request);
  const { compares, success, failure } = request;
  const when = compares.length === 0 ? "always" : compares.map(compareText).join(" and ");
  const branch = (requests: readonly PlainRequest[]) =>
    requests.length === 0 ? "nothing" : requests.map(plainText).join(", ");
  return `txn if ${when} then ${branch(success)} else ${branch(failure)}`;
}

function quote(text: string): string {
  return BARE.test(text) ? text : JSON.stringify(text);
}

function valueText(value: string): string {
  const bare = value.replace(/\.+$/, "");
  const isFilled = bare !== "" && value.length - bare.length >= FEWEST_FILLED;
  return isFilled ? `${quote(bare)}~${value.length}` : quote(value);
}

function plainText(request: PlainRequest): string {
  switch (request.kind) {
    case "get":
      return `${request.local === true ? "local " : ""}get ${rangeText(request)}`;
    case "put":
      return `put ${quote(request.key)}=${valueText(request.value)}${request.prevKv === true ? " previous" : ""}`;
    case "delete":
      return `delete ${rangeText(request)}`;
    default:
      return unreachable(request);
  }
}

function rangeText({ key, rangeEnd }: KeyRange): string {
  return rangeEnd === undefined ? quote(key) : `${quote(key)} to ${quote(rangeEnd)}`;
}

function compareText({ key, target, relation, operand }: Compare): string {
  return `${target} of ${quote(key)} ${relation} ${typeof operand === "string" ? quote(operand) : operand}`;
}

/** Throws `RequestTextError`. */
export function parseRequestText(text: string): Request {
  const reader = new TokenReader(text.match(TOKENS) ?? []);
  const request = reader.takes("txn") ? txnOf(reader) : plainOf(reader);
  reader.end();
  return request;
}

class TokenReader {
  readonly #tokens: readonly string[];
  #next: number;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
    this.#next = 0;
  }

  get #shown(): string {
    return this.#tokens[this.#next] ?? "the end";
  }

  /** The next token is `word`, and is taken. */
  takes(word: string): boolean {
    if (this.#tokens[this.#next] !== word) return false;
    this.#next += 1;
    return true;
  }

  oneOf<Word extends string>(words: readonly Word[]): Word {
    const word = words.find((one) => this.takes(one));
    if (word === undefined) throw new RequestTextError(`${this.#shown} where ${words.join(", ")} may stand`);
    return word;
  }

  text(): string {
    const token = this.#tokens[this.#next];
    if (token === undefined || !(token.startsWith('"') || BARE.test(token))) {
      throw new RequestTextError(`${this.#shown} where a key or a value must stand`);
    }
    this.#next += 1;
    return token.startsWith('"') ? unquote(token) : token;
  }

  value(): string {
    const text = this.text();
    if (!this.takes("~")) return text;
    const length = this.number();
    if (length > MOST_FILLED) throw new RequestTextError(`a value of ${length} characters is too long`);
    return text.padEnd(length, ".");
  }

  number(): number {
    const token = this.text();
    if (!/^-?\d{1,15}$/.test(token)) throw new RequestTextError(`${token} is not a whole number`);
    return Number(token);
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw new RequestTextError(`${this.#shown} after the end`);
  }
}

function unquote(token: string): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    throw new RequestTextError(`${token} is not a text in quotes, as JSON has them`);
  }
}

function txnOf(reader: TokenReader): Request {
  reader.oneOf(["if"]);
  const compares = reader.takes("always") ? [] : listOf(reader, "and", compareOf);
  const branch = () => (reader.takes("nothing") ? [] : listOf(reader, ",", plainOf));
  reader.oneOf(["then"]);
  const success = branch();
  reader.oneOf(["else"]);
  return { kind: "txn", compares, success, failure: branch() };
}

function listOf<Part>(reader: TokenReader, between: string, partOf: (reader: TokenReader) => Part): Part[] {
  const parts = [partOf(reader)];
  while (reader.takes(between)) parts.push(partOf(reader));
  return parts;
}

function compareOf(reader: TokenReader): Compare {
  const target = reader.oneOf(TARGETS);
  reader.oneOf(["of"]);
  const key = reader.text();
  const relation = reader.oneOf(RELATIONS);
  return { key, target, relation, operand: target === "value" ? reader.text() : reader.number() };
}

function plainOf(reader: TokenReader): PlainRequest {
  const kind = reader.oneOf(["local", "get", "put", "delete"]);
  if (kind === "local") reader.oneOf(["get"]);
  const key = reader.text();
  if (kind === "put") {
    reader.oneOf(["="]);
    const value = reader.value();
    return { kind, key, value, ...(reader.takes("previous") ? { prevKv: true } : {}) };
  }
  const range = { key, ...(reader.takes("to") ? { rangeEnd: reader.text() } : {}) };
  if (kind === "delete") return { kind, ...range };
  return { kind: "get", ...range, ...(kind === "local" ? { local: true } : {}) };
}
