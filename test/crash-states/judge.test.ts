// Each rule of the judge, broken by one word of what was found.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogRecord } from "../../src/paxos/outbox.js";
import { describeSlot } from "./expected-log.js";
import { type Fact, Facts, type Found } from "./fact.js";
import { Judge } from "./judge.js";

const value = (slot: number) => Uint8Array.of(slot, 1, 2);
const vote = (slot: number, ballot: number): LogRecord => ({
  kind: "accepted",
  slot,
  ballot,
  value: value(slot),
});
const chosen = (slot: number) => describeSlot(slot, null, value(slot));
const cast = (slot: number, ballot: number) => describeSlot(slot, ballot, value(slot));

const FACTS: readonly Fact[] = [
  { kind: "starting" },
  { kind: "started", incarnation: 1, diskId: "a" },
  { kind: "saving genesis", genesis: "11" },
  { kind: "saved genesis" },
  { kind: "turn", turn: { promise: 5, records: [vote(1, 5), vote(2, 5), vote(3, 5)] } },
  { kind: "turn", turn: { promise: 0, records: [{ kind: "chosen", upTo: 2 }] } },
  { kind: "proven", turns: 2 },
  { kind: "held", slot: 1 },
  { kind: "compacting", upTo: 1 },
  { kind: "compacted", upTo: 1 },
  { kind: "turn", turn: { promise: 9, records: [vote(4, 9)] } },
  { kind: "starting" },
];

const GOOD: Found = {
  incarnation: 2,
  diskId: "a",
  genesis: "11",
  promised: 5,
  compactedUpTo: 1,
  held: 1,
  log: `${chosen(2)} ${cast(3, 5)}`,
  faulty: "",
  state: "state 2",
  chosenUpTo: 2,
};

function verdict(change: Partial<Found>): string | null {
  const facts = new Facts();
  const judge = new Judge((slot) => `state ${slot}`);
  for (const fact of FACTS) facts.take(fact, () => 0);
  return judge.verdict({ ...GOOD, ...change }, facts);
}

test("what was told is there, with or without what was asked for since", () => {
  assert.equal(verdict({}), null);
  assert.equal(verdict({ promised: 9 }), null);
  assert.equal(verdict({ incarnation: 3 }), null);
  assert.equal(verdict({ promised: 9, log: `${GOOD.log} ${cast(4, 9)}` }), null);
  assert.equal(verdict({ held: 2, log: `${chosen(2)} ${cast(3, 5)}` }), null);
});

for (const [what, change, sentence] of [
  ["a promise falls", { promised: 4 }, /no number of turns/],
  ["a promise that nobody made", { promised: 10 }, /no number of turns/],
  ["a vote is lost", { log: chosen(2) }, /no number of turns/],
  ["a vote for another value", { log: `${chosen(2)} 3@5=0:1` }, /no number of turns/],
  ["a vote that was never cast", { log: `${GOOD.log} ${cast(5, 9)}` }, /no number of turns/],
  ["a vote without its promise", { log: `${GOOD.log} ${cast(4, 9)}` }, /no number of turns/],
  ["a value is no longer known chosen", { log: `${cast(2, 5)} ${cast(3, 5)}` }, /no number of turns/],
  [
    "more is compacted than was asked for",
    { compactedUpTo: 2, held: 2, log: cast(3, 5) },
    /no number of turns/,
  ],
  ["what was compacted is back", { compactedUpTo: 0, log: `${chosen(1)} ${GOOD.log}` }, /no number of turns/],
  ["compacted beyond the state", { compactedUpTo: 2, log: cast(3, 5) }, /beyond the state/],
  ["the state is lost", { held: 0, compactedUpTo: 0 }, /held, that of 1 was/],
  ["a state of slots that were not chosen", { held: 4 }, /only 2 slots were chosen/],
  ["another state", { state: "state 3" }, /the state is not the one after slot 2/],
  ["damage on a disk that has none", { faulty: "3-3@5" }, /faulty on a disk that is not damaged/],
  ["an incarnation again", { incarnation: 1 }, /incarnation 1 after 1/],
  ["an incarnation that nobody began", { incarnation: 4 }, /incarnation 4 after 1/],
  ["another disk", { diskId: "b" }, /disk id b after a/],
  ["the genesis is lost", { genesis: "" }, /the genesis is lost/],
  ["another genesis", { genesis: "12" }, /the genesis is another/],
] as const) {
  test(`${what}: found wrong`, () => assert.match(verdict(change) ?? "nothing", sentence));
}

test("where a state came from elsewhere the log may be compacted up to what it does not show", () => {
  const facts = new Facts();
  const judge = new Judge((slot) => `state ${slot}`);
  for (const fact of FACTS) facts.take(fact, () => 0);
  const found = { ...GOOD, held: 3, compactedUpTo: 3, log: "", chosenUpTo: 3, state: "state 3" };
  assert.match(judge.verdict(found, facts) ?? "", /only 2 slots were chosen/);
  facts.take({ kind: "offered", slot: 3 }, () => 0);
  assert.equal(judge.verdict(found, facts), null);
});
