// Random small histories, made by a linearizable store and then perhaps spoilt: all checkers say what a search of
// every order says.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isLinearizable, someOrder } from "./brute-force-for-tests.js";
import { checkHistory } from "./check.js";
import {
  del,
  get,
  linearizableHistory,
  localGet,
  type Plan,
  put,
  putAsking,
  swap,
} from "./histories-for-tests.js";
import type {
  Compare,
  HistoryOperation,
  KeyValue,
  Outcome,
  PlainRequest,
  PlainResponse,
  Request,
} from "./operation.js";
import { type Held, type RegisterOperation, type RegisterStep, registerModel } from "./register.js";
import { searchRegisters } from "./register-search.js";
import { checkByReplay } from "./replay-check.js";
import { searchStore } from "./store-search.js";
import { search } from "./wgl.js";

const someKey = fc.constantFrom("a", "b");
/** Few, so that what was read does not tell who wrote it. */
const someValue = fc.constantFrom("1", "2");
const plainOf: fc.Arbitrary<PlainRequest> = fc.oneof(
  fc.tuple(someKey, someValue).map(([key, value]) => put(key, value)),
  fc.tuple(someKey, someValue).map(([key, value]) => putAsking(key, value)),
  someKey.map((key) => get(key)),
  someKey.map((key) => get(key, "\0")),
  someKey.map((key) => del(key)),
  someKey.map((key) => del(key, "c")),
);
const compareOf: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({
    key: someKey,
    target: fc.constant("value" as const),
    relation: fc.constantFrom("=", "!=", "<"),
    operand: someValue,
  }),
  fc.record({
    key: someKey,
    target: fc.constantFrom("version", "create", "mod"),
    relation: fc.constantFrom("=", "!=", ">", "<"),
    operand: fc.integer({ min: 0, max: 3 }),
  }),
);
const requestOf: fc.Arbitrary<Request> = fc.oneof(
  { weight: 5, arbitrary: plainOf },
  { weight: 1, arbitrary: someKey.map(localGet) },
  {
    weight: 1,
    arbitrary: fc.tuple(someKey, someValue, someValue).map(([key, from, to]) => swap(key, from, to)),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("txn" as const),
      compares: fc.array(compareOf, { maxLength: 2 }),
      success: fc.array(plainOf, { maxLength: 2 }),
      failure: fc.array(plainOf, { maxLength: 2 }),
    }),
  },
);
const delayOf = fc.integer({ min: 0, max: 6 });
const planOf: fc.Arbitrary<Plan> = fc.record({
  request: requestOf,
  call: fc.integer({ min: 0, max: 12 }),
  delays: fc.tuple(delayOf, delayOf),
  fate: fc.constantFrom("ok", "ok", "ok", "ok", "ok", "lost answer", "lost answer", "lost request", "failed"),
  age: fc.integer({ min: 0, max: 2 }),
});
const plansOf = fc.array(planOf, { minLength: 1, maxLength: 6, size: "max" });
const morePlansOf = fc.array(planOf, { minLength: 5, maxLength: 6, size: "max" });

/** One change of one operation, chosen by numbers. */
interface Spoil {
  readonly which: number;
  readonly how: number;
  readonly by: number;
}
const spoilOf: fc.Arbitrary<Spoil> = fc.record({
  which: fc.nat(1000),
  how: fc.nat(7),
  by: fc.constantFrom(-1, 1, 2),
});

function spoil(operations: readonly HistoryOperation[], { which, how, by }: Spoil): HistoryOperation[] {
  const spoilt = [...operations];
  const at = which % operations.length;
  const one = operations[at]!;
  const { outcome } = one;
  const end = Number.isFinite(one.return) ? one.return : one.call + 3;
  if (how === 0) {
    const call = Math.max(0, one.call + 3 * by);
    spoilt[at] = { ...one, call, return: Math.max(call, one.return) };
  } else if (how === 1) {
    spoilt[at] = { ...one, return: Math.max(one.call, one.return + 3 * by) };
  } else if (how === 2) {
    spoilt[at] = { ...one, return: end, outcome: { kind: "failed" } };
  } else if (how === 3) {
    spoilt[at] = { ...one, outcome: { kind: "unknown" } };
  } else if (outcome.kind === "ok" && how === 4) {
    spoilt[at] = { ...one, outcome: { ...outcome, revision: Math.max(1, outcome.revision + by) } };
  } else if (outcome.kind === "ok") {
    spoilt[at] = { ...one, outcome: spoilAnswer(outcome, how, by) };
  }
  return spoilt;
}

function spoilAnswer(outcome: Outcome & { kind: "ok" }, how: number, by: number): Outcome {
  const { response } = outcome;
  if (response.kind !== "txn") return { ...outcome, response: spoilPlain(response, how, by) };
  const [first, ...others] = response.responses;
  if (first === undefined || how === 7) {
    return { ...outcome, response: { ...response, succeeded: !response.succeeded } };
  }
  return { ...outcome, response: { ...response, responses: [spoilPlain(first, how, by), ...others] } };
}

function spoilPlain(response: PlainResponse, how: number, by: number): PlainResponse {
  const kvOf = (kv: KeyValue): KeyValue => {
    if (how === 5) return { ...kv, value: kv.value === "1" ? "2" : "1" };
    if (how === 6) return { ...kv, version: kv.version + by };
    return { ...kv, modRevision: kv.modRevision + by };
  };
  switch (response.kind) {
    case "delete":
      return { kind: "delete", deleted: Math.max(0, response.deleted + by) };
    case "put":
      return { kind: "put", prevKv: response.prevKv === null ? null : kvOf(response.prevKv) };
    case "get": {
      const [first, ...others] = response.kvs;
      return { kind: "get", kvs: first === undefined ? [] : [kvOf(first), ...others] };
    }
  }
}

const show = (operations: readonly HistoryOperation[], evidence: string): string =>
  `${evidence}\n${operations.map((operation) => JSON.stringify(operation)).join("\n")}`;

describe("checkers agree with a search of every order", () => {
  test("histories of a linearizable store pass, with and without a witness", () => {
    const property = fc.property(plansOf, (plans) => {
      const { operations, executed } = linearizableHistory(plans);
      for (const check of [checkByReplay, searchStore, searchRegisters, checkHistory]) {
        const { verdict, evidence } = check(operations);
        assert.equal(verdict, "linearizable", show(operations, `${check.name}: ${evidence}`));
      }
      const { verdict, evidence } = checkHistory(operations, { witness: executed });
      assert.equal(verdict, "linearizable", show(operations, `witness: ${evidence}`));
    });
    fc.assert(property, { numRuns: 2000, seed: 20261123 });
  });

  test("so do long ones, with many writes of unknown outcome", () => {
    const property = fc.property(
      fc.array(planOf, { minLength: 30, maxLength: 60, size: "max" }),
      fc.integer({ min: 1, max: 4 }),
      (plans, pace) => {
        const spread = plans.map((plan, i) => ({ ...plan, call: plan.call + pace * i }));
        const { operations, executed } = linearizableHistory(spread);
        const found = [
          checkByReplay(operations),
          searchRegisters(operations),
          checkByReplay(operations, { witness: executed }),
        ];
        for (const { verdict, evidence } of found)
          assert.equal(verdict, "linearizable", show(operations, evidence));
      },
    );
    fc.assert(property, { numRuns: 60, seed: 20261123 });
  });

  test("spoilt ones get the same verdict from all", () => {
    const counts = { linearizable: 0, violation: 0, seenByValues: 0 };
    const property = fc.property(
      morePlansOf,
      fc.array(spoilOf, { minLength: 2, maxLength: 4, size: "max" }),
      (plans, spoils) => {
        const operations = spoils.reduce(spoil, linearizableHistory(plans).operations);
        const expected = isLinearizable(operations) ? "linearizable" : "violation";
        counts[expected] += 1;
        for (const check of [checkByReplay, searchStore, checkHistory]) {
          const { verdict, evidence } = check(operations);
          assert.equal(verdict, expected, show(operations, `${check.name}: ${evidence}`));
        }
        const byValues = searchRegisters(operations);
        if (byValues.verdict === "violation") counts.seenByValues += 1;
        if (expected === "linearizable")
          assert.equal(byValues.verdict, expected, show(operations, byValues.evidence));
      },
    );
    fc.assert(property, { numRuns: 4000, seed: 20261123 });
    assert.ok(counts.linearizable > 1000 && counts.violation > 1000, JSON.stringify(counts));
    assert.ok(counts.seenByValues > 300, JSON.stringify(counts));
  });

  test("longer ones with many unknown writes get the verdict that the search of the store gives", () => {
    const counts = { linearizable: 0, violation: 0, undecided: 0 };
    const property = fc.property(
      fc.array(planOf, { minLength: 9, maxLength: 14, size: "max" }),
      fc.array(spoilOf, { minLength: 2, maxLength: 6, size: "max" }),
      fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }),
      (plans, spoils, lost) => {
        const harder = plans.map((plan, i): Plan => (lost[i] ? { ...plan, fate: "lost answer" } : plan));
        const operations = spoils.reduce(spoil, linearizableHistory(harder).operations);
        const expected = searchStore(operations, 20_000);
        counts[expected.verdict] += 1;
        if (expected.verdict === "undecided") return;
        const { verdict, evidence } = checkByReplay(operations);
        assert.equal(verdict, expected.verdict, show(operations, evidence));
      },
    );
    fc.assert(property, { numRuns: 1000, seed: 20261123 });
    assert.ok(
      counts.linearizable > 300 && counts.violation > 200 && counts.undecided < 50,
      JSON.stringify(counts),
    );
  });
});

const heldOf = fc.constantFrom<Held>(null, "1", "2");
const stepOf: fc.Arbitrary<RegisterStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("read" as const), value: heldOf }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("write" as const), value: heldOf }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("present" as const), is: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("compare" as const),
      relation: fc.constantFrom("=", "!=", "<"),
      operand: someValue,
    }),
  },
);
const waysOf = fc.array(fc.array(stepOf, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 2 });
const registerOf: fc.Arbitrary<RegisterOperation[]> = fc.array(
  fc
    .record({
      call: fc.nat(10),
      lasts: fc.nat(5),
      isOptional: fc.constantFrom(false, false, true),
      likelyPlace: fc.nat(3),
      ways: waysOf,
    })
    .map(({ call, lasts, isOptional, likelyPlace, ways }) => {
      const end = isOptional ? Number.POSITIVE_INFINITY : call + lasts;
      return { call, return: end, isOptional, likelyPlace, ways, source: 0 };
    }),
  { minLength: 1, maxLength: 6, size: "max" },
);

/** Every subset of the optional ones, in every order. */
function hasOrder(operations: readonly RegisterOperation[]): boolean {
  const { step, initial } = registerModel(operations);
  const required = [...operations.keys()].filter((i) => !operations[i]!.isOptional);
  const optional = [...operations.keys()].filter((i) => operations[i]!.isOptional);
  const isInTime = (order: readonly number[]): boolean =>
    order.every((later, at) =>
      order.slice(0, at).every((i) => operations[later]!.return >= operations[i]!.call),
    );
  for (let subset = 0; subset < 2 ** optional.length; subset += 1) {
    const chosen = optional.filter((_, i) => Math.floor(subset / 2 ** i) % 2 === 1);
    const isFound = someOrder([...required, ...chosen], [], (order) => {
      if (!isInTime(order)) return false;
      let held: readonly Held[] = [initial];
      for (const index of order) held = held.flatMap((value) => step(value, index));
      return held.length > 0;
    });
    if (isFound) return true;
  }
  return false;
}

test("the search of a register agrees with a search of every order, also with alternatives", () => {
  const counts = { linearizable: 0, violation: 0 };
  const property = fc.property(registerOf, (operations) => {
    const expected = hasOrder(operations) ? "linearizable" : "violation";
    counts[expected] += 1;
    assert.equal(search(registerModel(operations), 100_000).verdict, expected);
  });
  fc.assert(property, { numRuns: 4000, seed: 20261123 });
  assert.ok(counts.linearizable > 1000 && counts.violation > 1000, JSON.stringify(counts));
});
