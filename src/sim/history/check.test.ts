// Histories with a witness, and what a checker says when it gives up.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkHistory } from "./check.js";
import { del, deleted, done, failed, found, get, kv, ok, put, unknown } from "./histories-for-tests.js";
import type { HistoryOperation, Request } from "./operation.js";
import { searchRegisters } from "./register-search.js";
import { checkByReplay } from "./replay-check.js";
import { searchStore } from "./store-search.js";

describe("histories with a witness", () => {
  const a1: Request = put("a", "1");
  const b1: Request = put("b", "1");
  const said = (operations: HistoryOperation[], witness: [Request, number | null][]): string => {
    const executed = witness.map(([request, operation]) => ({ request, operation }));
    const { verdict, evidence } = checkHistory(operations, { witness: executed });
    return verdict === "linearizable" ? verdict : `${verdict}: ${evidence}`;
  };
  const puts = [ok([0, 1], a1, 2, done()), ok([2, 3], b1, 3, done())];

  test("as executed", () =>
    assert.equal(
      said(puts, [
        [a1, 0],
        [b1, 1],
      ]),
      "linearizable",
    ));
  test("with writes of others", () => {
    const seen = ok([4, 5], get("c"), 4, found(kv("c", "9", 4, 4, 1)));
    assert.equal(
      said(
        [...puts, seen],
        [
          [a1, 0],
          [b1, 1],
          [put("c", "9"), null],
        ],
      ),
      "linearizable",
    );
    assert.match(
      said(
        [...puts, seen],
        [
          [a1, 0],
          [b1, 1],
          [put("c", "8"), null],
        ],
      ),
      /violation.*was told c=9/,
    );
  });
  test("in another order than told", () => {
    assert.match(
      said(puts, [
        [b1, 1],
        [a1, 0],
      ]),
      /violation: .* was told revision 3; right is 2/,
    );
  });
  test("never executed", () => assert.match(said(puts, [[a1, 0]]), /violation: .*not enough writes/));
  test("never executed, but another in its place", () => {
    const witness: [Request, number | null][] = [
      [a1, 0],
      [b1, null],
    ];
    assert.match(said(puts, witness), /violation: .*never executed/);
  });
  test("executed twice", () => {
    const lost = [unknown(0, a1)];
    assert.equal(said(lost, [[a1, 0]]), "linearizable");
    assert.match(
      said(lost, [
        [a1, 0],
        [a1, 0],
      ]),
      /violation: .*executed twice/,
    );
  });
  test("executed as something else", () => {
    assert.match(
      said(puts, [
        [a1, 0],
        [put("b", "2"), 1],
      ]),
      /violation: .*was executed as put b=2/,
    );
  });
  test("a failed operation that was executed", () => {
    assert.match(said([failed([0, 1], a1)], [[a1, 0]]), /violation: .*failed, but was executed/);
  });
  test("an unknown one that was executed before it was called", () => {
    const read = ok([0, 1], get("a"), 2, found(kv("a", "1", 2, 2, 1)));
    assert.match(said([read, unknown(2, a1)], [[a1, 1]]), /violation: .*returned before/);
  });
  test("a revision after the last", () => {
    const read = ok([4, 5], get("a"), 3, found(kv("a", "1", 2, 2, 1)));
    assert.match(
      said(
        [puts[0]!, read],
        [
          [a1, 0],
          [del("b"), null],
        ],
      ),
      /violation: revision 3 was told, but/,
    );
  });
});

describe("undecided", () => {
  const writes = Array.from({ length: 8 }, (_, i) => unknown(i, put("a", `${i}`)));
  const operations = [...writes, ok([20, 21], put("b", "1"), 9, done()), ok([22, 23], get("a"), 9, found())];

  test("the search for places of unknown writes gives up at its limit, and says so", () => {
    const { verdict, evidence } = checkByReplay(operations, { maxReplayed: 100 });
    assert.equal(verdict, "undecided");
    assert.match(evidence, /gave up after \d+ revisions/);
    assert.equal(
      checkByReplay([
        ...writes.slice(0, 3),
        ok([20, 21], put("b", "1"), 5, done()),
        ok([22, 23], get("a"), 5, found()),
      ]).verdict,
      "violation",
    );
  });
  test("so do the searches", () => {
    assert.equal(searchStore(operations, 100).verdict, "undecided");
    const gets = Array.from({ length: 8 }, (_, i) =>
      ok([10, 11], get("a"), 9, found(kv("a", `${7 - i}`, 2, 9, 8))),
    );
    const never = ok([30, 31], get("a"), 9, found(kv("a", "no", 2, 9, 8)));
    assert.equal(searchRegisters([...writes, ...gets, never], { maxStates: 100 }).verdict, "undecided");
  });
  test("keys above the limit of operations are left out, and the evidence tells it", () => {
    const { evidence } = searchRegisters([...writes, ok([20, 21], put("b", "1"), 9, done())], {
      maxSearched: 3,
    });
    assert.match(evidence, /1 of 2 keys ordered by search, 1 operations/);
  });
});

describe("the first choice is the right one, however many unknown writes there are", () => {
  const many = (of: (i: number) => Request): HistoryOperation[] =>
    Array.from({ length: 100 }, (_, i) => unknown(1 + i / 1000, of(i)));
  const good = (...operations: HistoryOperation[]): void => {
    const { verdict, evidence } = checkByReplay(operations, { maxReplayed: 0 });
    assert.equal(verdict, "linearizable", evidence);
  };

  test("an unknown put that was seen counts in the version: there is no room for another before it", () => {
    good(
      ok([0, 1], put("a", "first"), 2, done()),
      ...many((i) => put("a", `${i}`)),
      ...many((i) => put(`other/${i}`, "")),
      ok([5, 6], get("a"), 5, found(kv("a", "7", 2, 5, 2))),
    );
  });
  test("who was told that he deleted a key did: no unknown delete is needed for it to be gone", () => {
    const deletes = many(() => del("b"));
    const puts = [unknown(1, put("c", "1")), unknown(1, put("c", "2"))];
    const gone = ok([6, 7], get("b"), 6, found());
    const seen = ok([9, 10], get("c"), 7, found(kv("c", "3", 3, 7, 3)));
    good(
      ok([0, 1], put("b", "1"), 2, done()),
      ok([3, 4], put("d", "1"), 5, done()),
      ok([4, 5], del("b"), 6, deleted(1)),
      ok([8, 8.5], put("c", "3"), 7, done()),
      ...deletes,
      ...puts,
      gone,
      seen,
    );
  });
});
