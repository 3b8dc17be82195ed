// Histories known to be bad, by hand: every checker that can notice does, and the evidence names what is wrong.
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

/** `byValues`: it shows even without revisions. */
function bad(name: string, evidence: RegExp, byValues: boolean, ...operations: HistoryOperation[]): void {
  test(name, () => {
    assert.equal(isLinearizable(operations), false, "brute force");
    const replayed = checkByReplay(operations);
    assert.equal(replayed.verdict, "violation");
    assert.match(replayed.evidence, evidence);
    assert.equal(searchStore(operations).verdict, "violation", "search of the store");
    assert.equal(
      searchRegisters(operations).verdict,
      byValues ? "violation" : "linearizable",
      "search by key",
    );
    assert.equal(checkHistory(operations).verdict, "violation");
  });
}

bad(
  "a stale read",
  /returned before .* was called/,
  true,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], get("a"), 1, found()),
);
bad(
  "a stale read that tells the newest revision",
  /was told no key at revision 2; right is a=1/,
  true,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], get("a"), 2, found()),
);
bad(
  "a lost update",
  /version/,
  true,
  ok([0, 1], put("a", "0"), 2, done()),
  ok([2, 9], swap("a", "0", "1"), 3, succeeded(done())),
  ok([3, 8], swap("a", "0", "2"), 4, succeeded(done())),
  ok([10, 11], get("a"), 4, found(kv("a", "2", 2, 4, 2))),
);
bad(
  "a write that was visible, then gone",
  /returned before .* was called|no key/,
  true,
  ok([0, 9], put("a", "1"), 2, done()),
  ok([1, 2], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
  ok([3, 4], get("a"), 1, found()),
);
bad(
  "a read of the future",
  /returned before .* was called/,
  true,
  ok([0, 1], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
  ok([2, 3], put("a", "1"), 2, done()),
);
bad(
  "a local read of the future",
  /returned before .* was called/,
  false,
  ok([0, 1], localGet("a"), 2, found(kv("a", "1", 2, 2, 1))),
  ok([2, 3], put("a", "1"), 2, done()),
);
bad(
  "a revision that was told twice",
  /revision 2 was told twice/,
  false,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], put("b", "1"), 2, done()),
);
bad(
  "revisions against real time",
  /returned before .* was called/,
  false,
  ok([0, 1], put("a", "1"), 3, done()),
  ok([2, 3], put("b", "1"), 2, done()),
);
bad(
  "a transaction that was applied by half",
  /was told a=1 .*; right is a=1 .*, b=1/,
  true,
  ok(
    [0, 1],
    { kind: "txn", compares: [], success: [put("a", "1"), put("b", "1")], failure: [] },
    2,
    succeeded(done(), done()),
  ),
  ok([2, 3], get("a", "\0"), 2, found(kv("a", "1", 2, 2, 1))),
);
bad(
  "a wrong count of deletes",
  /was told 2 deleted at revision 3; right is 1 deleted/,
  false,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], del("a", "z"), 3, deleted(2)),
);
bad(
  "a delete that found nothing where something was",
  /was told 0 deleted at revision 2; right is 1 deleted/,
  true,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], del("a"), 2, deleted(0)),
);
bad(
  "a wrong previous value",
  /was told put over a=3/,
  true,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], putAsking("a", "2"), 3, done(kv("a", "3", 2, 2, 1))),
);
bad(
  "a failed write that shows up",
  /for more than 1|no write of unknown outcome/,
  true,
  failed([0, 1], put("a", "1")),
  ok([2, 3], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
);
bad(
  "a value that nobody wrote",
  /no write of unknown outcome can stand at revision 2: .* saw a=2 of it/,
  true,
  unknown(0, put("a", "1")),
  ok([2, 3], get("a"), 2, found(kv("a", "2", 2, 2, 1))),
);
bad(
  "an unknown write that took effect twice",
  /no write of unknown outcome can stand at revision/,
  true,
  unknown(0, put("a", "1")),
  unknown(0, put("b", "1")),
  ok([1, 2], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
  ok([3, 4], del("a"), 3, deleted(1)),
  ok([5, 6], put("c", "1"), 5, done()),
  ok([7, 8], get("a"), 5, found(kv("a", "1", 4, 4, 1))),
);
bad(
  "an unknown write that took effect before it was called",
  /no write of unknown outcome/,
  true,
  ok([0, 1], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
  unknown(2, put("a", "1")),
);
bad(
  "a local read of a revision that never was",
  /told revision 3, but there were not enough writes/,
  false,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([4, 5], localGet("a"), 3, found(kv("a", "1", 2, 2, 1))),
);
bad(
  "a local read of a state that never was",
  /was told a=2/,
  false,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([4, 5], localGet("a"), 2, found(kv("a", "2", 2, 2, 1))),
);
bad(
  "a wrong version",
  /version 2\) at revision 2; right is a=1 .*version 1\)/,
  false,
  ok([0, 1], put("a", "1"), 2, done()),
  ok([2, 3], get("a"), 2, found(kv("a", "1", 2, 2, 2))),
);
bad("an answer of another kind", /was told 0 deleted/, false, ok([0, 1], get("a"), 1, deleted(0)));
bad(
  "a value that its known write did not write, beside an unknown write",
  /was told a=3 .*, but operation 1 .* is what wrote that revision/,
  true,
  unknown(0, put("b", "1")),
  ok([1, 2], put("a", "1"), 3, done()),
  ok([3, 4], get("a"), 3, found(kv("a", "3", 3, 3, 1))),
);
bad(
  "a value that two saw differently, beside an unknown write",
  /was told a=1 \(create 2, mod 2, version 2\), but operation 1 .* was told a=1 \(create 2, mod 2, version 1\)/,
  false,
  unknown(0, put("a", "1")),
  ok([1, 2], get("a"), 2, found(kv("a", "1", 2, 2, 1))),
  ok([3, 4], get("a"), 2, found(kv("a", "1", 2, 2, 2))),
);
bad(
  "a value that was seen before it was written, beside an unknown write",
  /at revision 2, before it was written/,
  false,
  unknown(0, put("a", "1")),
  ok([1, 2], get("a"), 2, found(kv("a", "1", 3, 3, 1))),
);
