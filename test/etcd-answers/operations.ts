// Operations for a comparison with etcd: the corners by hand, then many at random from a seed, over few keys, so
// that they meet. Revisions are relative to what the store had when an operation was made up.
import type { Random } from "../../src/base/random.js";
import type { KvCommand } from "../../src/kv/commands.js";
import {
  bytes,
  compact,
  compare,
  del,
  deleteRequest,
  put,
  putRequest,
  range,
  txn,
} from "../../src/kv/requests-for-tests.js";
import type { Compare, RangeRequest, RequestOp } from "../../src/proto/gen/rpc.js";

export type Operation = KvCommand | { readonly kind: "range"; readonly request: RangeRequest };

const KEYS = ["a", "aa", "ab", "b", "b\0", "b\xff", "c", "\0", "\xff", "\xff\xff"];
const ENDS = ["", "", "", "\0", "\0", "b", "c", "b\x01", "aa", "\xff\xff\xff", "a"];
const VALUES = ["", "x", "y", "xx", "\0", "\xff\xfe"];

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

function chance(random: Random, oneIn: number): boolean {
  return random.below(oneIn) === 0;
}

/** Mostly the newest; else around what there was, and what was compacted. */
function someRevision(random: Random, revision: number): number {
  if (!chance(random, 3)) return 0;
  return Math.max(-2, revision + 2 - random.below(Math.min(revision + 4, 60)));
}

function someRange(random: Random, revision: number): RangeRequest {
  const filter = (): number => (chance(random, 8) ? revision - random.below(20) : 0);
  return range(pick(random, KEYS), {
    rangeEnd: pick(random, ENDS),
    limit: chance(random, 3) ? random.below(5) : 0,
    revision: someRevision(random, revision),
    sortOrder: (chance(random, 3) ? random.below(3) : 0) as 0 | 1 | 2,
    sortTarget: (chance(random, 3) ? random.below(5) : 0) as 0 | 1 | 2 | 3 | 4,
    keysOnly: chance(random, 6),
    countOnly: chance(random, 8),
    minModRevision: filter(),
    maxModRevision: filter(),
    minCreateRevision: filter(),
    maxCreateRevision: filter(),
  });
}

function somePut(random: Random) {
  const ignoreValue = chance(random, 8);
  return putRequest(pick(random, KEYS), ignoreValue && !chance(random, 8) ? "" : pick(random, VALUES), {
    prevKv: chance(random, 3),
    ignoreValue,
    ignoreLease: chance(random, 10),
    lease: chance(random, 30) ? 12345n : 0n,
  });
}

function someDelete(random: Random) {
  return deleteRequest(pick(random, KEYS), chance(random, 2) ? pick(random, ENDS) : "", chance(random, 2));
}

function someCompare(random: Random, revision: number): Compare {
  const target = random.below(5) as 0 | 1 | 2 | 3 | 4;
  const number = target === 0 ? random.below(4) : chance(random, 3) ? 0 : revision - random.below(10);
  const operand = [
    { version: number },
    { createRevision: number },
    { modRevision: number },
    { value: bytes(pick(random, VALUES)) },
    { lease: BigInt(random.below(2)) },
  ][chance(random, 12) ? random.below(5) : target]!;
  const result = random.below(4) as 0 | 1 | 2 | 3;
  return compare(pick(random, KEYS), { target, result, rangeEnd: bytes(pick(random, ENDS)), ...operand });
}

function someBranch(random: Random, revision: number, depth: number): RequestOp[] {
  const ops: RequestOp[] = [];
  for (let left = random.below(4); left > 0; left -= 1) {
    const kind = random.below(depth > 0 ? 8 : 7);
    if (kind < 3) ops.push({ requestPut: somePut(random) });
    else if (kind < 4) ops.push({ requestDeleteRange: someDelete(random) });
    else if (kind < 7) ops.push({ requestRange: someRange(random, revision) });
    else ops.push({ requestTxn: someTxn(random, revision, depth - 1) });
  }
  return ops;
}

function someTxn(random: Random, revision: number, depth: number) {
  const compares: Compare[] = [];
  for (let left = random.below(3); left > 0; left -= 1) compares.push(someCompare(random, revision));
  const success = someBranch(random, revision, depth);
  return { compare: compares, success, failure: someBranch(random, revision, depth) };
}

export function someOperation(random: Random, revision: number): Operation {
  const kind = random.below(40);
  if (kind < 12) return { kind: "put", request: somePut(random) };
  if (kind < 16) return { kind: "deleteRange", request: someDelete(random) };
  if (kind < 26) return { kind: "range", request: someRange(random, revision) };
  if (kind < 39) return { kind: "txn", request: someTxn(random, revision, 2) };
  return compact(revision + 1 - random.below(25));
}

function rangeOf(key: string, more: Parameters<typeof range>[1] = {}): Operation {
  return { kind: "range", request: range(key, more) };
}

function op(key: string, value: string, more: Parameters<typeof putRequest>[2] = {}): RequestOp {
  return { requestPut: putRequest(key, value, more) };
}

function remove(key: string, rangeEnd = "", prevKv = false): RequestOp {
  return { requestDeleteRange: deleteRequest(key, rangeEnd, prevKv) };
}

function look(key: string, more: Parameters<typeof range>[1] = {}): RequestOp {
  return { requestRange: range(key, more) };
}

function nested(compares: Compare[], success: RequestOp[], failure: RequestOp[] = []): RequestOp {
  return { requestTxn: { compare: compares, success, failure } };
}

/** On a fresh store. */
export const corners: readonly Operation[] = [
  rangeOf("a"),
  compact(-1),
  compact(0),
  compact(0),
  compact(2),
  del("a"),
  txn([], []),
  txn([], [look("a", { revision: -1 })]),
  put("a", "1"),
  put("a", "1"),
  put("a", "2", { prevKv: true }),
  put("a", "", { ignoreValue: true, prevKv: true }),
  put("a", "x", { ignoreValue: true }),
  put("none", "", { ignoreValue: true }),
  put("none", "x", { ignoreLease: true }),
  put("a", "x", { ignoreLease: true, lease: 1n }),
  put("a", "x", { lease: 99n }),
  put("none", "", { lease: 99n, ignoreValue: true }),
  put("", "x"),
  rangeOf(""),
  rangeOf("", { rangeEnd: "\0" }),
  del("", "b"),
  compact(1),
  rangeOf("a", { revision: 2 }),
  rangeOf("a", { revision: 6 }),
  rangeOf("a", { revision: 7 }),
  rangeOf("a", { revision: 100 }),
  rangeOf("a", { revision: -5 }),
  // Changes of one transaction have one revision, and see each other.
  txn([], [op("b", "1"), look("\0", { rangeEnd: "\0" }), op("c", "2"), remove("a", "", true), look("a")]),
  txn([], [remove("nothing"), look("b")]),
  txn([], [remove("nothing"), op("d", "1"), remove("nothing")]),
  txn([compare("b", { target: 0, version: 1 })], [op("b", "then")], [op("b", "else")]),
  txn([compare("b", { target: 0, version: 1 })], [op("b", "then")], [op("b", "else")]),
  // Comparisons with missing keys.
  ...[0, 1, 2, 3, 4].flatMap((target) =>
    [0, 1, 2, 3].map((result) => txn([compare("none", { target, result } as Partial<Compare>)], [])),
  ),
  txn([compare("none", { target: 3, value: bytes("") })], [look("b")], [look("c")]),
  txn([compare("\0", { rangeEnd: bytes("\0"), target: 0, result: 1, version: 0 })], [look("b")]),
  txn([compare("\0", { rangeEnd: bytes("\0"), target: 0, result: 1, version: 1 })], [look("b")]),
  txn([compare("x", { rangeEnd: bytes("y"), target: 3, result: 3, value: bytes("q") })], []),
  txn([compare("", { target: 0 })], []),
  // Keys that are changed twice.
  txn([], [op("k", "1"), op("k", "2")]),
  txn([], [op("k", "1"), remove("k")]),
  txn([], [remove("k"), op("k", "1")]),
  txn([], [remove("j", "l"), op("k", "1")]),
  txn([], [remove("l", "j"), op("k", "1")]),
  txn([], [remove("j", "\0"), op("k", "1")]),
  rangeOf("\0", { rangeEnd: "\0" }),
  txn([], [op("k", "2"), remove("j", "\0")]),
  rangeOf("\0", { rangeEnd: "\0" }),
  txn([], [remove("j", "\0"), op("k", "1"), look("k")]),
  txn([], [remove("\0", "\0"), op("k", "1"), op("b", "1", { prevKv: true })]),
  txn([], [remove("b"), remove("a", "c", true)]),
  txn([], [op("k", "0"), nested([], [op("k", "1")])]),
  txn([], [nested([], [op("k", "1")], [op("k", "2")])]),
  txn([], [nested([], [op("k", "1")], [op("k", "2")]), nested([], [], [op("k", "3")])]),
  txn([], [nested([], [remove("k")]), nested([], [op("k", "3")])]),
  txn([], [nested([], [op("k", "3")]), nested([], [remove("k")])]),
  txn([], [nested([], [remove("k")]), op("k", "3")]),
  txn([], [op("m", "1")], [op("n", "1"), op("n", "2")]),
  // Comparisons of nested transactions are made before anything changes.
  txn(
    [],
    [
      op("z", "1"),
      nested([compare("z", { target: 0, version: 0 })], [look("z")], [look("a")]),
      nested([compare("z", { target: 0, result: 1, version: 0 })], [op("y", "1")], [op("x", "1"), look("x")]),
    ],
  ),
  // What is refused changes nothing.
  txn([], [op("p", "1"), look("p", { revision: 1_000 })]),
  txn([], [op("p", "1"), nested([], [look("p", { revision: 1 })])]),
  txn([], [op("p", "", { ignoreValue: true })]),
  txn([], [op("p", "1"), nested([], [op("q", "", { ignoreValue: true })])]),
  txn([], [op("p", "1", { lease: 7n })]),
  txn([], [op("p", "", { lease: 7n, ignoreValue: true })]),
  txn([], [look("p", { revision: 1_000 }), op("p", "1", { lease: 7n })]),
  rangeOf("p"),
  txn([], [{}]),
  txn([], [op("", "1")]),
  txn([], [look("")]),
  txn([], [remove("")]),
  txn([], [op("p", "1", { ignoreValue: true })]),
  txn(
    [],
    Array.from({ length: 128 }, (_, i) => op(`many-${i}`, "1")),
  ),
  txn(
    [],
    Array.from({ length: 129 }, (_, i) => op(`many-${i}`, "1")),
  ),
  txn(
    Array.from({ length: 129 }, () => compare("a", {})),
    [],
  ),
  txn(
    [],
    [
      ...Array.from({ length: 126 }, () => look("a", { countOnly: true })),
      nested([], [look("a"), look("b")]),
    ],
  ),
  txn([], [...Array.from({ length: 126 }, () => look("a", { countOnly: true })), nested([], [look("a")])]),
  txn([], [nested([], [nested([], [nested([], [op("deep", "1")])])])]),
  // Compaction and tombstones.
  del("\0", "\0", true),
  put("t", "1"),
  del("t"),
  put("t", "2"),
  rangeOf("\0", { rangeEnd: "\0", countOnly: true, limit: 1 }),
];
