// Requests as text: what is written is read back the same, and what is no request is told in a sentence.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Compare, PlainRequest, Request } from "./history/operation.js";
import { parseRequestText, RequestTextError, requestText } from "./request-text.js";

test("requests as people write them", () => {
  const texts = [
    "get k3",
    "local get k3",
    "get k1 to k5",
    "put k1=3.17",
    "put k1=3.17 previous",
    "put k1=3.17~400 previous",
    'put "a key"="say \\"no\\""',
    "delete k1",
    "txn if always then nothing else nothing",
    "txn if create of k1 > 0 and value of k2 != 7 then put k1=1, get k2 else delete k1",
  ];
  for (const text of texts) assert.equal(requestText(parseRequestText(text)), text);
  assert.deepEqual(parseRequestText("put k1 = 3.17"), { kind: "put", key: "k1", value: "3.17" });
});

test("what is no request", () => {
  const cases: [string, RegExp][] = [
    ["", /^the end where local, get, put, delete may stand$/],
    ["take k1", /^take where/],
    ["get", /^the end where a key or a value must stand$/],
    ["put k1 3", /^3 where = may stand$/],
    ["put k1=3~", /^the end where a key or a value must stand$/],
    ["put k1=3~9999999", /^a value of 9999999 characters is too long$/],
    ["get k1 k2", /^k2 after the end$/],
    ['get "k1', /^" is not a text in quotes/],
    ['get "\\x"', /not a text in quotes/],
    ["txn if version of k1 > x then nothing else nothing", /^x is not a whole number$/],
    ["txn if always then txn else nothing", /^txn where/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseRequestText(text), { name: RequestTextError.name, message });
  }
});

test("any request is read back the same", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[\w.+-]{1,4}\.{0,9}$/));
  const optional = <T>(name: string, of: fc.Arbitrary<T>) =>
    fc.oneof(
      fc.constant({}),
      of.map((value) => ({ [name]: value })),
    );
  const plain = (isInTxn: boolean): fc.Arbitrary<PlainRequest> =>
    fc
      .tuple(fc.constantFrom("get", "put", "delete"), text, text, optional("rangeEnd", text), fc.boolean())
      .map(([kind, key, value, end, flag]) => {
        if (kind === "put") return { kind, key, value, ...(flag ? { prevKv: true } : {}) };
        if (kind === "delete") return { kind, key, ...end };
        return { kind: "get", key, ...end, ...(flag && !isInTxn ? { local: true } : {}) };
      });
  const compare: fc.Arbitrary<Compare> = fc
    .tuple(
      fc.constantFrom("value", "version", "create", "mod"),
      text,
      fc.constantFrom("=", "!=", ">", "<"),
      text,
      fc.integer(),
    )
    .map(([target, key, relation, word, number]) => {
      return { key, target, relation, operand: target === "value" ? word : number };
    });
  const plains = fc.array(plain(true), { maxLength: 3 });
  const txn = fc.record(
    {
      kind: fc.constant("txn" as const),
      compares: fc.array(compare, { maxLength: 3 }),
      success: plains,
      failure: plains,
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.oneof(plain(false), txn), (request: Request) => {
      assert.deepEqual(parseRequestText(requestText(request)), request);
    }),
  );
});
