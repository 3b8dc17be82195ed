// A8, exhaustively: every relation of the leader's ballot to the promise found and the promise held, of what is empty
// to what is faulty, and of those who ask for a new ballot to those who are there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ballot, ballotOf, LAST_SLOT, type Slot } from "./ballot.js";
import type { Event } from "./event.js";
import { Memberships, majorityOf } from "./membership.js";
import type { Faulty, Message } from "./message.js";
import { type LogRecord, Outbox } from "./outbox.js";
import { Paxos } from "./paxos.js";

/** Of replica 1, in the order of the ballots. */
const B = [ballotOf(1, 1), ballotOf(2, 1), ballotOf(3, 1)] as const;

function start(found: Ballot, faulty: readonly Faulty[], chosenUpTo = 0, replicas = 3): Paxos {
  return new Paxos({
    self: 2,
    incarnation: 1,
    memberships: new Memberships(majorityOf(Array.from({ length: replicas }, (_, i) => i + 1)), 64),
    recovered: { promised: found, chosenUpTo, compactedUpTo: 0, accepted: [], learned: [], faulty },
    seed: 1,
    now: 0,
    heartbeatMs: 50,
    electionMs: 500,
  });
}

function turn(paxos: Paxos, number: number, ...messages: Message[]): Outbox {
  const outbox = new Outbox(number);
  for (const message of messages) paxos.step({ kind: "message", from: 1, message }, 0, outbox);
  paxos.endTurn(0, outbox);
  return outbox;
}

function heartbeat(ballot: Ballot, emptyAbove: Slot, round = 1): Message {
  const rest = { chosenUpTo: 0, quorumConnected: true, full: false, digests: [] };
  return { kind: "heartbeat", ballot, round, emptyAbove, ...rest };
}

function answer({ sendNow }: Outbox): string {
  const { message } = sendNow[0]!;
  return message.kind === "heartbeatAck" ? `ack${message.damaged ? " damaged" : ""}` : message.kind;
}

const FREE: Faulty = { from: 1, to: LAST_SLOT, ballot: 0 };

test("the word of a leader is taken where its ballot is above the promise found, and not below the one held", () => {
  for (const found of [0, ...B]) {
    for (const held of [found, ...B.filter((ballot) => ballot > found)]) {
      for (const ballot of B) {
        const paxos = start(found, [FREE]);
        if (held > found) turn(paxos, 1, { kind: "prepare", ballot: held, fromSlot: 1 });
        const copy = paxos.copy();
        const outbox = turn(copy, 2, heartbeat(ballot, 4));
        const { acceptor } = copy.state;
        const isTaken = ballot >= held && ballot > found;
        const what = `found ${found}, held ${held}, heartbeat of ${ballot}`;
        const said = ballot < held ? "reject" : isTaken ? "ack" : "ack damaged";
        assert.equal(answer(outbox), said, what);
        assert.deepEqual(outbox.records, isTaken ? [{ kind: "void", from: 5, ballot }] : [], what);
        assert.deepEqual(acceptor.faulty, isTaken ? [{ from: 1, to: 4, ballot: 0 }] : [FREE], what);
        assert.equal(acceptor.promised, Math.max(held, isTaken ? ballot : 0), what);
        assert.equal(
          outbox.promise,
          isTaken && ballot > held ? ballot : 0,
          "a raised promise is made durable",
        );
      }
    }
  }
});

test("only what is above goes, of every fault; where no free slot is faulty, and for no word at all, nothing does", () => {
  const hole: Faulty = { from: 2, to: 3, ballot: B[0] };
  const cases: readonly [faulty: readonly Faulty[], above: Slot, left: readonly Faulty[]][] = [
    [[FREE], 0, []],
    [[FREE], 1, [{ from: 1, to: 1, ballot: 0 }]],
    [[hole, { ...FREE, from: 6 }], 0, []],
    [[hole, { ...FREE, from: 6 }], 2, [{ ...hole, to: 2 }]],
    [[hole, { ...FREE, from: 6 }], 3, [hole]],
    [[hole, { ...FREE, from: 6 }], 5, [hole]],
    [[hole, { ...FREE, from: 6 }], 6, [hole, { from: 6, to: 6, ballot: 0 }]],
    [[hole, { ...FREE, from: 6 }], LAST_SLOT, [hole, { ...FREE, from: 6 }]],
    [[hole], 0, [hole]],
    [[{ from: 5, to: 9, ballot: 0 }], 4, [{ from: 5, to: 9, ballot: 0 }]],
    [[], 0, []],
  ];
  for (const [faulty, above, left] of cases) {
    const paxos = start(B[0], faulty);
    const outbox = turn(paxos, 1, heartbeat(B[1], above));
    assert.deepEqual(paxos.state.acceptor.faulty, left, JSON.stringify({ faulty, above }));
    const isTold = JSON.stringify(left) !== JSON.stringify(faulty);
    assert.equal(outbox.records.length, isTold ? 1 : 0);
    assert.equal(answer(outbox), "ack");
    assert.deepEqual(turn(paxos, 2, heartbeat(B[1], above, 2)).records, [], "once");
  }
});

test("votes of this life are told as ever: those at the ballot that voided, and those before it", () => {
  for (const [before, after] of [
    [true, true],
    [true, false],
    [false, true],
  ]) {
    const paxos = start(B[0], [FREE]);
    const accept = (ballot: Ballot, firstSlot: Slot): Message => {
      return { kind: "accept", ballot, firstSlot, values: [Uint8Array.of(0)], chosenUpTo: 0 };
    };
    if (before) turn(paxos, 1, accept(B[0], 7));
    turn(paxos, 2, heartbeat(B[1], 4));
    if (after) turn(paxos, 3, accept(B[1], 8));
    const parts = paxos.state.acceptor.promiseParts(B[2], 1, 0, 0);
    const told = parts.flatMap(({ accepted }) => accepted.map(({ slot, ballot }) => [slot, ballot]));
    assert.deepEqual(told, [...(before ? [[7, B[0]]] : []), ...(after ? [[8, B[1]]] : [])]);
    assert.deepEqual(parts.at(-1)!.faulty, [{ from: 1, to: 4, ballot: 0 }]);
  }
});

test("one that leads takes its own word", () => {
  const paxos = start(B[0], [{ ...FREE, from: 3 }], 0, 5);
  const outbox = new Outbox(1);
  for (const peer of [1, 3, 4, 5]) paxos.step({ kind: "linkUp", peer }, 0, outbox);
  paxos.step({ kind: "message", from: 1, message: { kind: "transfer", ballot: B[1], to: 2 } }, 0, outbox);
  const ballot = paxos.promised;
  paxos.step({ kind: "synced", turn: 1 }, 0, outbox);
  const vote = { slot: 2, ballot: B[0], value: Uint8Array.of(0) };
  for (const from of [3, 4, 5]) {
    assert.equal(paxos.isLeading, false, "the own promise covers no free slot");
    const accepted = from === 4 ? [vote] : [];
    const part = { from: 1, to: LAST_SLOT, accepted, faulty: [], chosenUpTo: 0, compactedUpTo: 0 };
    paxos.step({ kind: "message", from, message: { kind: "promise", ballot, ...part } }, 0, outbox);
  }
  assert.equal(paxos.isLeading, true);
  assert.deepEqual(outbox.records[0], { kind: "void", from: 3, ballot });
  assert.deepEqual(paxos.state.acceptor.faulty, []);
  const said = outbox.sendNow.find(({ message }) => message.kind === "heartbeat")!.message;
  assert.ok(said.kind === "heartbeat" && said.emptyAbove === 2);
});

/** Replica 2 of five, which leads. */
class Leader {
  readonly paxos = start(0, [], 0, 5);
  now = 0;
  #turn = 0;

  constructor() {
    const outbox = new Outbox(1);
    for (const peer of [1, 3, 4, 5]) this.paxos.step({ kind: "linkUp", peer }, 0, outbox);
    const message: Message = { kind: "transfer", ballot: B[0], to: 2 };
    this.paxos.step({ kind: "message", from: 1, message }, 0, outbox);
    this.promised();
  }

  /** What it prepares is promised: by itself, once that is synced, and by the others. */
  promised(): LogRecord[] {
    const records = this.#step({ kind: "synced", turn: 1000 });
    const part = { from: 1, to: LAST_SLOT, accepted: [], faulty: [], chosenUpTo: 0, compactedUpTo: 0 };
    for (const from of [1, 3, 4]) {
      const message: Message = { kind: "promise", ballot: this.paxos.promised, ...part };
      records.push(...this.#step({ kind: "message", from, message }));
    }
    assert.ok(this.paxos.isLeading);
    return records;
  }

  /** Whether it renews its ballot when the others acknowledge its heartbeat `ms` later, as content, damaged, or not. */
  isRenewed(acks: readonly (boolean | null)[], ms = 0): boolean {
    const { paxos } = this;
    const ballot = paxos.promised;
    this.now += 50;
    const outbox = new Outbox(100 + this.#turn);
    paxos.endTurn(this.now, outbox);
    this.now += ms;
    const of = { ballot, syncedUpTo: 0, digestSlot: 0, digest: 0, lease: false, full: false };
    const { round } = paxos.state.heartbeats;
    for (const [i, damaged] of acks.entries()) {
      const from = [1, 3, 4, 5][i]!;
      if (damaged === null) continue;
      this.#step({ kind: "message", from, message: { kind: "heartbeatAck", round, damaged, ...of } });
    }
    return paxos.promised > ballot;
  }

  #step(event: Event): LogRecord[] {
    this.#turn += 1;
    const outbox = new Outbox(100 + this.#turn);
    this.paxos.step(event, this.now, outbox);
    return outbox.records;
  }
}

test("a leader takes a new ballot for one who asks, where the others that are there can elect it again", () => {
  const [no, asks, away] = [false, true, null];
  const cases: readonly [acks: readonly (boolean | null)[], isRenewed: boolean, ms?: number][] = [
    [[no, no, no, no], false],
    [[no, no, asks, away], true],
    [[no, no, asks, asks], true],
    [[no, away, away, asks], false],
    [[no, asks, asks, asks], false],
    [[away, away, away, asks], false],
    [[no, no, asks, away], true, 499],
    [[no, no, asks, away], false, 500],
  ];
  for (const [acks, isRenewed, ms] of cases) {
    assert.equal(new Leader().isRenewed(acks, ms), isRenewed, JSON.stringify([acks, ms]));
  }
});

test("those whom a new ballot rests on were there after it was asked for, whoever answers first", () => {
  const [no, asks, away] = [false, true, null];
  const gone = new Leader();
  assert.equal(gone.isRenewed([no, no, away, away]), false);
  assert.equal(gone.isRenewed([away, no, asks, away]), false, "1 may be gone by now");
  assert.equal(gone.isRenewed([away, no, asks, away]), false);
  assert.equal(gone.isRenewed([no, no, asks, away]), true);
  const late = new Leader();
  assert.equal(late.isRenewed([asks, no, away, away]), false);
  assert.equal(late.isRenewed([away, away, no, away]), true, "3 has answered before, 4 does now");
  const healed = new Leader();
  assert.equal(healed.isRenewed([asks, no, away, away]), false);
  assert.equal(healed.isRenewed([no, no, no, no]), false, "nobody asks any more");
});

test("a leader takes a new ballot for those who ask once in 4 T at most, whatever becomes of it in between", () => {
  const acks = [false, false, true, null];
  const leader = new Leader();
  assert.equal(leader.isRenewed(acks), true);
  const at = leader.now;
  leader.promised();
  while (leader.now + 50 < at + 4 * 500) assert.equal(leader.isRenewed(acks), false);
  assert.equal(leader.isRenewed(acks), true);
  assert.equal(leader.now, at + 2000);
});

test("who asked at a ballot that is given up has to ask again; who has nothing faulty takes nobody's word", () => {
  const leader = new Leader();
  assert.equal(leader.isRenewed([false, false, true, null]), true);
  assert.deepEqual(leader.promised(), []);
  for (let i = 0; i < 60; i += 1) assert.equal(leader.isRenewed([false, false, null, null]), false);
});
