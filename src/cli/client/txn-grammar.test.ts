// The grammar of transactions, with etcdctl's texts for what it refuses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../failures.js";
import { bytesOfText } from "../format/utf8.js";
import { lineReader } from "./standard-input.js";
import { parseCompare, parseRequest, readTxn } from "./txn-grammar.js";

const rangeEnd = new Uint8Array(0);
const key = bytesOfText("a");

test("comparisons", () => {
  assert.deepEqual(parseCompare('mod("a") > "0"'), { result: 1, target: 2, key, rangeEnd, modRevision: 0 });
  assert.deepEqual(parseCompare('m( "a") <   "7"'), { result: 2, target: 2, key, rangeEnd, modRevision: 7 });
  assert.deepEqual(parseCompare('ver("a") = "-1" and more'), {
    ...{ result: 0, target: 0, key, rangeEnd },
    version: -1,
  });
  assert.deepEqual(parseCompare('c("a") != "3"'), { result: 3, target: 1, key, rangeEnd, createRevision: 3 });
  assert.deepEqual(parseCompare('val("a") = "x\\n\\xff"'), {
    ...{ result: 0, target: 3, key, rangeEnd },
    value: Uint8Array.of(0x78, 0x0a, 0xff),
  });
  assert.deepEqual(parseCompare('value("a") = `"`').value, bytesOfText('"'));
  assert.deepEqual(parseCompare('lease("a") = "1f"'), { result: 0, target: 4, key, rangeEnd, lease: 31n });
});

const REFUSED_COMPARES: readonly (readonly [string, string])[] = [
  ['foo("a") > "0"', 'malformed comparison: foo("a") > "0" (unknown target foo)'],
  ['mod("a") > "b"', 'invalid txn compare request: mod("a") > "b"'],
  ['mod("a") > "99999999999999999999"', 'invalid txn compare request: mod("a") > "99999999999999999999"'],
  ['ver("a") > "0x1"', 'invalid txn compare request: ver("a") > "0x1"'],
  ['mod("a") > 0', 'malformed comparison: mod("a") > 0; got mod("a") > ""'],
  ['mod"a") > 0', 'malformed comparison: mod"a") > 0'],
  ['mod("a")> "0"', 'malformed comparison: mod("a")> "0"; got mod("a")  ""'],
  ['mod("a") >"0"', 'malformed comparison: mod("a") >"0"; got mod("a") >"0" ""'],
  ['mod(a) > "0"', 'malformed comparison: mod(a) > "0"; got mod("")  ""'],
  ['mod("a" ) > "0"', 'malformed comparison: mod("a" ) > "0"; got mod("a")  ""'],
  ['val("\\q") = "a"', 'malformed comparison: val("\\q") = "a"; got val("")  ""'],
  ['mod("a") >= "0"', 'malformed comparison: mod("a") >= "0" (unknown operator >=; one of = != > <)'],
];

for (const [line, text] of REFUSED_COMPARES) {
  test(`refused comparison: ${line}`, () => {
    assert.throws(() => parseCompare(line), new UsageError(text));
  });
}

test("requests", () => {
  assert.deepEqual(parseRequest("put a 'x y' --prev-kv"), {
    requestPut: {
      ...{ key, value: bytesOfText("x y"), lease: 0n },
      ...{ prevKv: true, ignoreValue: false, ignoreLease: false },
    },
  });
  assert.deepEqual(parseRequest('put a "x\\ty"').requestPut?.value, bytesOfText("x\ty"));
  assert.deepEqual(parseRequest('put a x"y').requestPut?.value, bytesOfText('x"y'));
  assert.deepEqual(parseRequest("put x --lease=1f y").requestPut?.lease, 31n);
  assert.deepEqual(parseRequest("put -- a -b").requestPut?.value, bytesOfText("-b"));
  const range = parseRequest("get a --prefix --limit 1 --sort-by VALUE --order descend --rev=3").requestRange;
  assert.deepEqual(
    [range?.rangeEnd, range?.limit, range?.sortTarget, range?.sortOrder, range?.revision],
    [bytesOfText("b"), 1, 4, 2, 3],
  );
  assert.deepEqual(parseRequest("get a --keys-only=true --prefix=false").requestRange?.keysOnly, true);
  assert.deepEqual(parseRequest("del a z").requestDeleteRange, {
    key,
    rangeEnd: bytesOfText("z"),
    prevKv: false,
  });
});

const REFUSED_REQUESTS: readonly (readonly [string, string])[] = [
  ["get", "invalid txn compare request: get"],
  ["GET a", "invalid txn request: GET a"],
  ["txn a", "invalid txn request: txn a"],
  ["put a --bad b", "invalid txn request: put a --bad b"],
  ["get a -w json", "invalid txn request: get a -w json"],
  ['put a "\\q"', 'invalid syntax: "\\q"'],
  ["put a --ignore-value x", "put command needs only 1 argument when 'ignore-value' is set"],
  ["get a --prefix --from-key", "`--prefix` and `--from-key` cannot be set at the same time, choose one"],
];

for (const [line, text] of REFUSED_REQUESTS) {
  test(`refused request: ${line}`, () => {
    assert.throws(() => parseRequest(line), new UsageError(text));
  });
}

test("put without a value is refused: a line has no standard input", () => {
  const text = "put command needs 1 argument and input from stdin or 2 arguments";
  assert.throws(() => parseRequest("put a"), new UsageError(text));
});

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += 7) yield Buffer.from(text.slice(at, at + 7));
}

test("a transaction is three parts, each ended by an empty line", async () => {
  const lines = lineReader(chunksOf('mod("a") > "0"\n\n put a b \nget a\n  \n\nrest'));
  const prompts: string[] = [];
  const { compare, success, failure } = await readTxn(lines.next, (text) => prompts.push(text));
  assert.deepEqual([compare.length, success.length, failure.length], [1, 2, 0]);
  assert.deepEqual(prompts, [
    "compares:",
    "success requests (get, put, del):",
    "failure requests (get, put, del):",
  ]);
});

test("a transaction that ends early is refused", async () => {
  for (const text of ["", "\n", "\nput a b\n", "\n\nget a\n", "\n\nget a"]) {
    await assert.rejects(
      readTxn(lineReader(chunksOf(text)).next, () => {}),
      /^UsageError: EOF/,
    );
  }
});
