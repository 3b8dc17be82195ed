// Phase 1, exhaustively: every combination of what three acceptors can say of a slot, against P3; the wanted
// answer is worked out from the rule's text, by trying every quorum.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ballot, ballotOf, LAST_SLOT } from "./ballot.js";
import { type Membership, majorityOf } from "./membership.js";
import type { PromiseMessage } from "./message.js";
import { PhaseOne } from "./phase-one.js";
import { NOOP } from "./value.js";

const BALLOT = ballotOf(9, 1);
const SLOT = 5;
const [LOW, HIGH] = [ballotOf(1, 2), ballotOf(2, 3)];
const [V, W] = [Uint8Array.of(1, 1), Uint8Array.of(1, 2)];

interface Said {
  readonly name: string;
  readonly covers: boolean;
  readonly vote?: { readonly ballot: Ballot; readonly value: Uint8Array };
  /** A damaged record, of this ballot at most; 0: not known. */
  readonly fault?: Ballot;
}

const SAYS: readonly Said[] = [
  { name: "silent", covers: false },
  { name: "chosen", covers: false },
  { name: "nothing", covers: true },
  { name: "low", covers: true, vote: { ballot: LOW, value: V } },
  { name: "high", covers: true, vote: { ballot: HIGH, value: W } },
  { name: "faulty low", covers: true, fault: LOW },
  { name: "faulty high", covers: true, fault: HIGH },
  { name: "faulty unknown", covers: false, fault: 0 },
];

function promiseOf(said: Said): PromiseMessage {
  const isChosen = said.name === "chosen";
  return {
    kind: "promise",
    ballot: BALLOT,
    from: 1,
    to: LAST_SLOT,
    accepted: said.vote === undefined ? [] : [{ slot: SLOT, ...said.vote }],
    faulty: said.fault === undefined ? [] : [{ from: SLOT, to: SLOT, ballot: said.fault }],
    chosenUpTo: isChosen ? SLOT : 0,
    compactedUpTo: 0,
  };
}

function wanted(says: readonly Said[], membership: Membership): Uint8Array | null {
  let highest: Said["vote"];
  for (const { vote } of says) if (vote !== undefined && vote.ballot > (highest?.ballot ?? 0)) highest = vote;
  const covering = says.filter((said) => {
    if (said.fault === undefined) return said.covers;
    return said.fault !== 0 && highest !== undefined && said.fault <= highest.ballot;
  });
  if (covering.length < membership.phase1) return null;
  return highest?.value ?? NOOP;
}

test("P3: of every combination of three promises, the value that may be proposed, or none", () => {
  const flexible: Membership = { voters: [1, 2, 3], phase1: 3, phase2: 1 };
  for (const membership of [majorityOf([1, 2, 3]), flexible]) {
    for (const a of SAYS) {
      for (const b of SAYS) {
        for (const c of SAYS) {
          const says = [a, b, c];
          const phaseOne = new PhaseOne(BALLOT);
          for (const [at, said] of says.entries())
            if (said.name !== "silent") phaseOne.add(at + 1, promiseOf(said));
          const isCovered = phaseOne.isCovered(SLOT, membership);
          const value = isCovered ? (phaseOne.valueAt(SLOT) ?? NOOP) : null;
          assert.deepEqual(value, wanted(says, membership), says.map(({ name }) => name).join(", "));
        }
      }
    }
  }
});

test("P3: outsiders and repeated promises make no quorum", () => {
  const phaseOne = new PhaseOne(BALLOT);
  for (const replica of [1, 1, 7, 8]) phaseOne.add(replica, promiseOf(SAYS[2]!));
  assert.equal(phaseOne.isCovered(SLOT, majorityOf([1, 2, 3])), false);
  phaseOne.add(3, promiseOf(SAYS[2]!));
  assert.equal(phaseOne.isCovered(SLOT, majorityOf([1, 2, 3])), true);
});

test("A1: parts arrive in any order and any number of times, and a slot is covered when its part has come", () => {
  const parts: PromiseMessage[] = [
    [1, 4],
    [5, 5],
    [6, LAST_SLOT],
  ].map(([from, to]) => ({ ...promiseOf(SAYS[2]!), from: from!, to: to! }));
  const membership = majorityOf([2]);
  for (let order = 0; order < 27; order += 1) {
    const phaseOne = new PhaseOne(BALLOT);
    const came = new Set<number>();
    for (const at of [order % 3, Math.floor(order / 3) % 3, Math.floor(order / 9)]) {
      phaseOne.add(2, parts[at]!);
      came.add(at);
      for (const [part, { from }] of parts.entries()) {
        assert.equal(phaseOne.isCovered(from, membership), came.has(part));
      }
    }
  }
});

test("2.7: recovery reaches to everything that any promise reports, accepted, damaged or chosen", () => {
  for (const said of SAYS.filter(({ name }) => name !== "silent")) {
    const phaseOne = new PhaseOne(BALLOT);
    phaseOne.add(2, promiseOf(said));
    assert.equal(phaseOne.recoverUpTo, said.name === "nothing" ? 0 : SLOT, said.name);
  }
});

test("A8: above `uniformAbove` every slot is covered as the last one is, and nothing is reported there", () => {
  const membership = majorityOf([1, 2, 3]);
  const part = (from: number, to: number, more: Partial<PromiseMessage> = {}): PromiseMessage => {
    const none = { accepted: [], faulty: [], chosenUpTo: 0, compactedUpTo: 0 };
    return { kind: "promise", ballot: BALLOT, from, to, ...none, ...more };
  };
  const vote = (slot: number) => ({ accepted: [{ slot, ballot: LOW, value: V }] });
  const parts: readonly PromiseMessage[][] = [
    [],
    [part(1, LAST_SLOT)],
    [part(7, LAST_SLOT)],
    [part(1, 5), part(6, LAST_SLOT, vote(6))],
    [part(1, LAST_SLOT, { chosenUpTo: 4 })],
    [part(1, LAST_SLOT, vote(3))],
    [part(1, LAST_SLOT, { faulty: [{ from: 2, to: 8, ballot: 0 }] })],
    [part(1, LAST_SLOT, { faulty: [{ from: 5, to: LAST_SLOT, ballot: 0 }] })],
    [part(2, 4)],
  ];
  let covered = 0;
  for (const one of parts) {
    for (const two of parts) {
      for (const three of parts) {
        const phaseOne = new PhaseOne(BALLOT);
        for (const [i, says] of [one, two, three].entries())
          for (const said of says) phaseOne.add(i + 1, said);
        const isCovered = phaseOne.isCovered(LAST_SLOT, membership);
        covered += isCovered ? 1 : 0;
        for (let slot = phaseOne.uniformAbove + 1; slot <= 10; slot += 1) {
          assert.equal(phaseOne.isCovered(slot, membership), isCovered);
          assert.equal(phaseOne.valueAt(slot), undefined);
          assert.ok(slot > phaseOne.recoverUpTo);
        }
      }
    }
  }
  assert.ok(covered > 100);
});
