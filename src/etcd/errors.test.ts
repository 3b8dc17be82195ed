// The error table, written out: clients match these texts to the letter.
import assert from "node:assert/strict";
import test from "node:test";
import type { KvRefusal } from "../kv/commands.js";
import {
  Closed,
  CommandRefused,
  NoSpace,
  OutcomeUnknown,
  Overloaded,
  Unavailable,
} from "../replica/errors.js";
import { failureOf, noLeader, REFUSALS, refused, requestTooLarge } from "./errors.js";

const refusals: Readonly<Record<KvRefusal, readonly [number, string]>> = {
  emptyKey: [3, "etcdserver: key is not provided"],
  keyNotFound: [3, "etcdserver: key not found"],
  valueProvided: [3, "etcdserver: value is provided"],
  leaseProvided: [3, "etcdserver: lease is provided"],
  leaseNotFound: [5, "etcdserver: requested lease not found"],
  tooManyOps: [3, "etcdserver: too many operations in txn request"],
  duplicateKey: [3, "etcdserver: duplicate key given in txn request"],
  compacted: [11, "etcdserver: mvcc: required revision has been compacted"],
  futureRevision: [11, "etcdserver: mvcc: required revision is a future revision"],
  invalidSortOption: [3, "etcdserver: invalid sort option"],
  malformed: [3, "etcdserver: malformed request"],
};

test("refusals of the store", () => {
  for (const name of Object.keys(REFUSALS) as KvRefusal[]) {
    const { code, message } = refused(name);
    assert.deepEqual([code, message], refusals[name]);
  }
});

test("errors of the replica", () => {
  const table: readonly (readonly [Error, number, string])[] = [
    [new Overloaded("x"), 8, "etcdserver: too many requests"],
    [new NoSpace("x"), 8, "etcdserver: mvcc: database space exceeded"],
    [new OutcomeUnknown("x"), 14, "etcdserver: request timed out"],
    [new Unavailable("x"), 14, "etcdserver: request timed out"],
    [new Closed("x"), 14, "etcdserver: server stopped"],
    [new CommandRefused("why"), 2, "etcdserver: why"],
    [noLeader(), 14, "etcdserver: no leader"],
    [requestTooLarge(), 3, "etcdserver: request is too large"],
  ];
  for (const [error, code, text] of table) {
    const failure = failureOf(error, false)!;
    assert.deepEqual([failure.code, failure.message], [code, text], error.name);
  }
  assert.equal(failureOf(new OutcomeUnknown("x"), true)!.code, 1, "the client gave up itself");
  assert.equal(failureOf(new TypeError("bug"), false), null);
});
