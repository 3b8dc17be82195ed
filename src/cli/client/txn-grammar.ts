// The text of a transaction as etcdctl reads it: lines of comparisons, an empty line, requests for success, an
// empty line, requests for failure, an empty line.
import type { Command } from "commander";
import {
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  type RequestOp,
  type TxnRequest,
} from "../../proto/gen/rpc.js";
import { UsageError } from "../failures.js";
import { quote, unquote } from "../format/go-quote.js";
import { bytesOfText } from "../format/utf8.js";
import { withoutBooleanValues } from "./boolean-flags.js";
import { parseInteger } from "./go-numbers.js";
import { delCommand, getCommand, putCommand } from "./request-commands.js";
import { delRequest, getRequest, putRequest } from "./requests.js";

const RESULTS: ReadonlyMap<string, Compare_CompareResult> = new Map([
  ["=", Compare_CompareResult.EQUAL],
  ["!=", Compare_CompareResult.NOT_EQUAL],
  [">", Compare_CompareResult.GREATER],
  ["<", Compare_CompareResult.LESS],
]);

/** Gives a line without its end, null after the last one that has an end. */
export type NextLine = () => Promise<string | null>;

/** `prompt` is called with what is to come, before each part. */
export async function readTxn(next: NextLine, prompt: (text: string) => void): Promise<TxnRequest> {
  prompt("compares:");
  const compare = await readBlock(next, parseCompare);
  prompt("success requests (get, put, del):");
  const success = await readBlock(next, parseRequest);
  prompt("failure requests (get, put, del):");
  const failure = await readBlock(next, parseRequest);
  return { compare, success, failure };
}

async function readBlock<T>(next: NextLine, parse: (line: string) => T): Promise<T[]> {
  const block: T[] = [];
  for (;;) {
    const line = (await next())?.trim();
    if (line === undefined) {
      throw new UsageError("EOF: each of the three parts of a transaction ends with an empty line");
    }
    if (line === "") return block;
    block.push(parse(line));
  }
}

/** `value("key") = "text"`: the two strings quoted as in Go, a space on each side of the operator. */
export function parseCompare(line: string): Compare {
  const paren = line.indexOf("(");
  if (paren < 0) throw new UsageError(`malformed comparison: ${line}`);
  const target = line.slice(0, paren);
  const { key, operator, value } = scanCompare(line, target, paren + 1);
  const result = RESULTS.get(operator);
  if (result === undefined) {
    throw new UsageError(`malformed comparison: ${line} (unknown operator ${operator}; one of = != > <)`);
  }
  const compare = { result, key: bytesOfText(key), rangeEnd: new Uint8Array(0) };
  switch (target) {
    case "ver":
    case "version":
      return { ...compare, target: Compare_CompareTarget.VERSION, version: revisionOf(line, value) };
    case "c":
    case "create":
      return { ...compare, target: Compare_CompareTarget.CREATE, createRevision: revisionOf(line, value) };
    case "m":
    case "mod":
      return { ...compare, target: Compare_CompareTarget.MOD, modRevision: revisionOf(line, value) };
    case "val":
    case "value":
      return { ...compare, target: Compare_CompareTarget.VALUE, value: bytesOfText(value) };
    case "lease":
      return { ...compare, target: Compare_CompareTarget.LEASE, lease: integerOf(line, value, 16) };
    default:
      throw new UsageError(`malformed comparison: ${line} (unknown target ${target})`);
  }
}

interface Scanned {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
}

/** Go's `Sscanf("%q) %s %q")` from `at` on; what follows the second string is not looked at. */
function scanCompare(line: string, target: string, at: number): Scanned {
  const fail = (key: string, operator: string): never => {
    const got = `${target}(${quote(bytesOfText(key))}) ${operator} ""`;
    throw new UsageError(`malformed comparison: ${line}; got ${got}`);
  };
  const key = unquote(line, skipSpace(line, at));
  if (key === null) return fail("", "");
  const [head, operator] = /^\)[ \t]+([^ \t]+)/.exec(line.slice(key.end)) ?? fail(key.text, "");
  const value = unquote(line, skipSpace(line, key.end + head!.length));
  return value === null
    ? fail(key.text, operator!)
    : { key: key.text, operator: operator!, value: value.text };
}

function skipSpace(line: string, at: number): number {
  let next = at;
  while (line[next] === " " || line[next] === "\t") next += 1;
  return next;
}

function integerOf(line: string, value: string, base: 10 | 16): bigint {
  const parsed = parseInteger(value, base);
  if ("fault" in parsed) throw new UsageError(`invalid txn compare request: ${line}`);
  return parsed.value;
}

function revisionOf(line: string, value: string): number {
  const number = Number(integerOf(line, value, 10));
  if (!Number.isSafeInteger(number)) throw new UsageError(`invalid txn compare request: ${line}`);
  return number;
}

/** Words of a request: plain, in 'single' quotes as they are, in "double" quotes as in Go. */
function splitWords(line: string): string[] {
  const words = line.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\t\n\f\r ][^\t\n\f\r ]*/g) ?? [];
  return words.map((word) => {
    if (word.startsWith("'")) return word.slice(1, -1);
    if (!word.startsWith('"')) return word;
    const read = unquote(word, 0);
    if (read === null) throw new UsageError(`invalid syntax: ${word}`);
    return read.text;
  });
}

/** `put`, `get` or `del` with the arguments and flags of the command of that name. */
export function parseRequest(line: string): RequestOp {
  const words = splitWords(line);
  if (words.length < 2) throw new UsageError(`invalid txn compare request: ${line}`);
  const command = requestCommand(words[0]!);
  if (command === null) throw new UsageError(`invalid txn request: ${line}`);
  let request: RequestOp | null = null;
  const none = (): Uint8Array => new Uint8Array(0);
  command.action(() => {
    const { args } = command;
    if (command.name() === "put") request = { requestPut: putRequest(args, command.opts(), none) };
    else if (command.name() === "get") request = { requestRange: getRequest(args, command.opts()) };
    else request = { requestDeleteRange: delRequest(args, command.opts()) };
  });
  command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  try {
    command.parse(withoutBooleanValues(command, words.slice(1)), { from: "user" });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`invalid txn request: ${line}`);
  }
  if (request === null) throw new UsageError(`invalid txn request: ${line}`);
  return request;
}

function requestCommand(name: string): Command | null {
  switch (name) {
    case "put":
      return putCommand();
    case "get":
      return getCommand();
    case "del":
      return delCommand();
    default:
      return null;
  }
}
