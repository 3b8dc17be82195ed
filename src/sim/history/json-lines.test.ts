// The format of histories: what is written is read back, the document's example is right, and errors name their place.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkHistory } from "./check.js";
import { del, get, linearizableHistory, localGet, put, putAsking, swap } from "./histories-for-tests.js";
import { encodeHistory, HistoryFormatError, parseHistory } from "./json-lines.js";

const document = readFileSync(new URL("../../../../docs/history-format.md", import.meta.url), "utf8");
const example = /```jsonl\n([\s\S]*?)```/.exec(document)![1]!;

test("the example of docs/history-format.md is read, and is linearizable", () => {
  const operations = parseHistory(example);
  assert.equal(operations.length, 6);
  assert.equal(operations[1]!.return, Number.POSITIVE_INFINITY);
  const { verdict, evidence } = checkHistory(operations);
  assert.equal(verdict, "linearizable", evidence);
  assert.deepEqual(parseHistory(encodeHistory(operations)), operations);
});

test("what is written is read back the same", () => {
  const requests = [
    put("a", "1\n\xff"),
    putAsking("a", "2"),
    get("a", "\0"),
    localGet("a"),
    swap("a", "2", "3"),
    swap("a", "2", "4"),
    del("a", "b"),
    get("a"),
  ];
  const fates = ["ok", "failed", "lost answer", "lost request"] as const;
  const plans = fates.flatMap((fate, i) =>
    requests.map((request, j) => ({ request, call: 10 * i + j, delays: [1, 2] as const, fate, age: 1 })),
  );
  const { operations } = linearizableHistory(plans);
  const text = encodeHistory(operations);
  assert.equal(text.split("\n").length, operations.length + 1);
  assert.deepEqual(parseHistory(text), operations);
  assert.deepEqual(parseHistory(`\n${text.replaceAll("\n", "\n\n")}`), operations);
});

function errorOf(line: string): string {
  try {
    parseHistory(`${example}${line}`);
  } catch (error) {
    assert.ok(error instanceof HistoryFormatError);
    assert.equal(error.code, "history-format");
    assert.equal(error.line, 7);
    assert.ok(error.message.includes(error.field));
    return error.message;
  }
  return "no error";
}

const line = (request: string, outcome: string, times = '"call":1,"return":2'): string =>
  `{"process":0,${times},"request":${request},"outcome":${outcome}}`;
const aGet = '{"kind":"get","key":"a"}';
const aPut = '{"kind":"put","key":"a","value":"1"}';
const unknown = '{"kind":"unknown"}';
const told = (response: string): string => `{"kind":"ok","revision":2,"response":${response}}`;
const errors: readonly (readonly [string, RegExp])[] = [
  ["{", /^line 7: not JSON: /],
  ["[]", /^line 7: must be an object$/],
  [line(aGet, unknown).replace('"process":0,', ""), /^line 7, field process: must be a number$/],
  [line(aGet, unknown, '"call":"1"'), /^line 7, field call: must be a number$/],
  [line(aGet, unknown, '"call":1,"retrun":2'), /^line 7, field retrun: is not known; there are process, /],
  [line(aGet, '{"kind":"failed"}', '"call":1'), /^line 7, field return: must be a number$/],
  [
    line(aGet, '{"kind":"failed"}', '"call":3,"return":2'),
    /^line 7, field return: is 2, before its call at 3$/,
  ],
  [
    line('{"kind":"move","key":"a"}', unknown),
    /^line 7, field request\.kind: must be one of get, put, delete, txn$/,
  ],
  [line('{"kind":"get","key":""}', unknown), /^line 7, field request\.key: must not be empty$/],
  [line('{"kind":"put","key":"a"}', unknown), /^line 7, field request\.value: must be a text$/],
  [
    line('{"kind":"get","key":"a","local":1}', unknown),
    /^line 7, field request\.local: must be true or false$/,
  ],
  [
    line('{"kind":"put","key":"a","value":"1","lease":1}', unknown),
    /^line 7, field request\.lease: is not known/,
  ],
  [
    line('{"kind":"txn","compares":[],"success":[{"kind":"txn"}],"failure":[]}', unknown),
    /field request\.success\[0\]\.kind: must be one of get, put, delete$/,
  ],
  [
    line('{"kind":"txn","compares":{},"success":[],"failure":[]}', unknown),
    /field request\.compares: must be a list$/,
  ],
  [
    line(
      '{"kind":"txn","compares":[{"key":"a","target":"mod","relation":"=","operand":"1"}],"success":[],"failure":[]}',
      unknown,
    ),
    /field request\.compares\[0\]\.operand: must be a number$/,
  ],
  [line(aGet, '{"kind":"maybe"}'), /field outcome\.kind: must be one of ok, failed, unknown$/],
  [line(aGet, told('{"kind":"put"}')), /field outcome\.response\.kind: must be one of get$/],
  [
    line(aGet, told('{"kind":"get","kvs":[{"key":"a"}]}')),
    /field outcome\.response\.kvs\[0\]\.value: must be a text$/,
  ],
  [
    line(aPut, told('{"kind":"put"}').replace("2", "2.5")),
    /field outcome\.revision: must be an integer from 0$/,
  ],
  [
    line('{"kind":"delete","key":"a"}', told('{"kind":"delete","deleted":-1}')),
    /field outcome\.response\.deleted: must be an integer from 0$/,
  ],
  [
    line(
      '{"kind":"txn","compares":[],"success":[],"failure":[]}',
      told('{"kind":"txn","succeeded":true,"responses":[{}]}'),
    ),
    /field outcome\.response\.responses: must be 0, one for each request of its branch$/,
  ],
];
test("an error names the line and the field", () => {
  for (const [text, message] of errors) assert.match(errorOf(text), message);
});
