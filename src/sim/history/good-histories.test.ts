// Histories known to be good, by hand: every checker says so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isLinearizable } from "./brute-force-for-tests.js";
import { checkHistory } from "./check.js";
import {
  del,
  deleted,
  done,
  failed,
  found,
  get,
  kv,
  localGet,
  ok,
  otherwise,
  put,
  putAsking,
  succeeded,
  swap,
  unknown,
} from "./histories-for-tests.js";
import type { HistoryOperation } from "./operation.js";
import { searchRegisters } from "./register-search.js";
import { checkByReplay } from "./replay-check.js";
import { searchStore } from "./store-search.js";

function good(name: string, ...operations: HistoryOperation[]): void {
  test(name, () => {
    assert.equal(isLinearizable(operations), true, "brute force");
    for (const check of [checkByReplay, searchStore, searchRegisters, checkHistory]) {
      const { verdict, evidence } = check(operations);
      assert.equal(verdict, "linearizable", `${check.name}: ${evidence}`);
    }
  });
}

good("nothing");
good(
  "reads before, between and after writes",
  ok([0, 1], get("a"), 1, found()),
  ok([2, 3], put("a", "1"), 2, done()),
  ok([4, 5], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
  ok([6, 7], putAsking("a", "2"), 3, done(kv("a", "1", 2, 2, 1))),
  ok([8, 9], get("a", "\0"), 3, found(kv("a", "2", 2, 3, 2))),
);
good(
  "two that overlap, in the order of their revisions and not of their calls",
  ok([0, 10], put("a", "1"), 3, done()),
  ok([1, 9], put("a", "2"), 2, done()),
  ok([11, 12], get("a"), 3, found(kv("a", "1", 2, 3, 2))),
);
good(
  "a read that overlaps a write may see it or not",
  ok([0, 10], put("a", "1"), 2, done()),
  ok([1, 2], get("a"), 1, found()),
  ok([3, 4], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
);
good(
  "a call at the time of a return overlaps it",
  ok([0, 5], put("a", "1"), 2, done()),
  ok([5, 6], get("a"), 1, found()),
);
good(
  "a delete of nothing, of one, and a version that starts again",
  ok([0, 1], del("a"), 1, deleted(0)),
  ok([2, 3], put("a", "1"), 2, done()),
  ok([4, 5], del("a", "c"), 3, deleted(1)),
  ok([6, 7], put("a", "2"), 4, done()),
  ok([8, 9], get("a"), 4, found(kv("a", "2", 4, 4, 1))),
);
good(
  "a transaction that swaps and one that does not",
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], swap("a", "1", "2"), 3, succeeded(done())),
  ok([4, 5], swap("a", "1", "3"), 3, otherwise(found(kv("a", "2", 2, 3, 2)))),
);
good(
  "an unknown write that shows up late",
  unknown(0, put("a", "1")),
  ok([1, 2], get("a"), 1, found()),
  ok([3, 4], put("b", "2"), 2, done()),
  ok([5, 6], get("a"), 3, found(kv("a", "1", 3, 3, 1))),
);
good("an unknown write that never shows up", unknown(0, put("a", "1")), ok([1, 2], get("a"), 1, found()));
good(
  "an unknown write that was overwritten before anyone saw it, told by the revision",
  unknown(0, put("a", "1")),
  ok([1, 2], put("a", "2"), 3, done()),
  ok([3, 4], get("a"), 3, found(kv("a", "2", 2, 3, 2))),
);
good(
  "unknown writes of which only one fits: the first choice must be taken back",
  unknown(0, put("a", "1")),
  unknown(1, del("b")),
  ok([2, 3], put("b", "1"), 2, done()),
  ok([4, 5], put("c", "1"), 4, done()),
  ok([6, 7], get("a", "\0"), 4, found(kv("c", "1", 4, 4, 1))),
);
good(
  "an unknown transaction, seen by one of its keys",
  unknown(0, { kind: "txn", compares: [], success: [put("a", "1"), put("b", "1")], failure: [] }),
  ok([1, 2], get("b"), 2, found(kv("b", "1", 2, 2, 1))),
  ok([3, 4], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
);
good(
  "a failed write that never shows up, an unknown and a failed read",
  failed([0, 1], put("a", "1")),
  unknown(2, get("a")),
  failed([2, 3], get("a")),
  ok([4, 5], get("a"), 1, found()),
);
good(
  "a local read of an old state",
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], put("a", "2"), 3, done()),
  ok([4, 5], localGet("a"), 2, found(kv("a", "1", 2, 2, 1))),
  ok([6, 7], localGet("a"), 1, found()),
);
