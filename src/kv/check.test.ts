// Static checks and the codec: what is refused before it is proposed, and bytes that are no command.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { applyCommand } from "./apply.js";
import { checkCommand, checkQuery, growsState } from "./check.js";
import { decodeCommand, encodeCommand } from "./codec.js";
import type { KvCommand } from "./commands.js";
import { KeyIndex } from "./key-index.js";
import { KeyRanges } from "./key-ranges.js";
import { bytesOfLatin1, latin1OfBytes } from "./latin1.js";
import { MemoryRecordStore } from "./memory-record-store.js";
import { MvccStore } from "./mvcc-store.js";
import {
  compact,
  del,
  deleteRequest,
  put,
  putRequest,
  range,
  txn,
  txnRequest,
} from "./requests-for-tests.js";
import { FRESH_DIGEST } from "./running-digest.js";

const some = putRequest("k", "v");

describe("checks before proposing", () => {
  const commands: readonly [string, KvCommand, ReturnType<typeof checkCommand>][] = [
    ["a put", put("a", ""), null],
    ["a put without a key", put("", "x"), "emptyKey"],
    ["a put that ignores a value it gives", put("a", "x", { ignoreValue: true }), "valueProvided"],
    ["a put that ignores a lease it gives", put("a", "", { ignoreLease: true, lease: 1n }), "leaseProvided"],
    ["a delete without a key", del("", "z"), "emptyKey"],
    ["an inverted range", del("z", "a"), null],
    ["a compaction at nonsense, which the state answers", compact(-7), null],
    ["an empty transaction", txn([], []), null],
    ["an operation that is none", txn([], [{}]), "keyNotFound"],
    ["two operations in one", txn([], [{ requestPut: some, requestRange: range("a") }]), "malformed"],
    [
      "a bad order in a transaction",
      txn([], [{ requestRange: range("a", { sortOrder: 3 as 0 }) }]),
      "invalidSortOption",
    ],
    [
      "a refusal in the branch that will not run",
      txn([], [], [{ requestPut: putRequest("", "") }]),
      "emptyKey",
    ],
    [
      "a nested transaction over the rest of the limit",
      txn(
        [],
        [
          ...new Array(127).fill({ requestRange: range("a") }),
          { requestTxn: txnRequest([], [{ requestPut: some }]) },
        ],
      ),
      "tooManyOps",
    ],
  ];
  for (const [name, command, expected] of commands) {
    test(`${name}: ${expected ?? "nothing against it"}`, () => assert.equal(checkCommand(command), expected));
  }

  test("a transaction that is asked as a query changes nothing in any branch", () => {
    const writing = txnRequest(
      [],
      [],
      [{ requestTxn: txnRequest([], [{ requestDeleteRange: deleteRequest("a") }]) }],
    );
    assert.equal(checkQuery({ kind: "txn", request: writing }), "malformed");
    assert.equal(checkQuery({ kind: "txn", request: txnRequest([], [{ requestRange: range("a") }]) }), null);
    assert.equal(
      checkQuery({ kind: "range", request: range("a", { sortTarget: 9 as 0 }) }),
      "invalidSortOption",
    );
  });
});

describe("codec of commands", () => {
  const commands = [
    put("a", "b"),
    put("k".repeat(1_000_000), "\0\xff", { prevKv: true, lease: -5n }),
    del("a", "b", true),
    txn([], [{ requestTxn: txnRequest([], [{ requestPut: some }]) }]),
    compact(2 ** 53 - 1),
  ];
  for (const command of commands) {
    test(`a ${command.kind} is the same after encoding and decoding`, () => {
      const again = decodeCommand(encodeCommand(command));
      assert.deepEqual(encodeCommand(again), encodeCommand(command));
      assert.equal(again.kind, command.kind);
    });
  }

  test("depth is limited by the bytes alone: a deep nesting is no command, on every stack", () => {
    let request = txnRequest([], []);
    for (let depth = 0; depth < 60; depth += 1) request = txnRequest([], [{ requestTxn: request }]);
    const encoded = encodeCommand({ kind: "txn", request });
    assert.throws(() => decodeCommand(encoded), { name: "MalformedCommand" });
  });

  for (const [name, bytes] of [
    ["nothing", []],
    ["an unknown kind", [9, 1, 2]],
    ["a key that ends too early", [1, 10, 5, 97]],
    ["a number of eleven bytes", [4, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
  ] as const) {
    test(`${name} is no command`, () =>
      assert.throws(() => decodeCommand(Uint8Array.from(bytes)), { name: "MalformedCommand" }));
  }

  test("a revision above what a number holds is taken for the largest that it holds", () => {
    const command = decodeCommand(Uint8Array.of(4, 8, 255, 255, 255, 255, 255, 255, 255, 255, 127));
    assert.deepEqual(command, compact(Number.MAX_SAFE_INTEGER));
  });

  test("any bytes are refused by decoding, or give a result or a refusal", () => {
    const base = [encodeCommand(put("a", "b")), encodeCommand(commands[3]!), encodeCommand(del("a", "\0"))];
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(fc.constantFrom(...base), fc.nat(200), fc.nat(255)).map(([bytes, at, value]) => {
        const changed = bytes.slice();
        changed[at % changed.length] = value;
        return changed;
      }),
    );
    const store = new MvccStore(new MemoryRecordStore(), new KeyIndex(), 1, -1, FRESH_DIGEST);
    fc.assert(
      fc.property(any, (bytes) => {
        let command: KvCommand;
        try {
          command = decodeCommand(bytes);
        } catch (error) {
          assert.equal((error as Error).name, "MalformedCommand");
          return;
        }
        const before = store.revision;
        const result = applyCommand(store, command);
        assert.equal(result.revision, store.revision);
        assert.ok(result.kind !== "refused" || store.revision === before);
      }),
      { numRuns: 3_000, seed: 11 },
    );
  });
});

describe("keys", () => {
  test("latin1 keeps every byte, at any length, and the order of bytes", () => {
    const all = Uint8Array.from({ length: 70_000 }, (_, i) => i);
    assert.deepEqual(bytesOfLatin1(latin1OfBytes(all)), all);
    assert.equal(latin1OfBytes(new Uint8Array(0)), "");
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        const texts = Math.sign(Buffer.compare(a, b));
        const order = latin1OfBytes(a) < latin1OfBytes(b) ? -1 : latin1OfBytes(a) > latin1OfBytes(b) ? 1 : 0;
        assert.equal(order, texts);
      }),
    );
  });

  test("a set of ranges holds what one of its ranges holds", () => {
    const key = fc.constantFrom("", "a", "aa", "b", "c", "d", "e");
    const ranges = fc.array(fc.tuple(key, fc.option(key)), { maxLength: 12 });
    fc.assert(
      fc.property(ranges, key, (added, asked) => {
        const set = new KeyRanges();
        for (const [start, end] of added) set.add(start, end);
        const expected = added.some(([start, end]) => asked >= start && (end === null || asked < end));
        assert.equal(set.has(asked), expected);
      }),
      { numRuns: 2_000, seed: 3 },
    );
  });
});

test("what may put something makes the state larger, in whichever branch; a deletion and a compaction do not", () => {
  const puts = { requestPut: putRequest("a", "b") };
  const deletes = { requestDeleteRange: deleteRequest("a") };
  const nested = { requestTxn: txnRequest([], [deletes], [puts]) };
  for (const command of [put("a", "b"), txn([], [puts]), txn([], [deletes], [puts]), txn([], [nested])]) {
    assert.equal(growsState(command), true);
  }
  for (const command of [del("a"), compact(3), txn([], [deletes], [deletes]), txn([], [])]) {
    assert.equal(growsState(command), false);
  }
});
