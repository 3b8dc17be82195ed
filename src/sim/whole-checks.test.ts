// The checks over everything: sound memories pass, at any of the two depths, and each kind of wrong one is named.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvCommand, KvResult } from "../kv/commands.js";
import { ballotOf } from "../paxos/ballot.js";
import { Memberships, majorityOf } from "../paxos/membership.js";
import { commandsOf, encodeBatch, NOOP, type Value } from "../paxos/value.js";
import { PutResponse } from "../proto/gen/rpc.js";
import { castVote, Ghost, InvariantBroken, payloadKey, putVote } from "./ghost.js";
import { onDurable, onExecute } from "./observe.js";
import { Executions } from "./watched-machine.js";
import { WholeChecks, type WholeWorld } from "./whole-checks.js";

const BALLOT = ballotOf(1, 1);
const SLOTS = 60;

function valueIn(slot: number): Value {
  return encodeBatch([
    { origin: 1, incarnation: 1, number: slot, settled: 0, payload: Uint8Array.of(slot, 7) },
    { origin: 2, incarnation: 1, number: slot, settled: 0, payload: Uint8Array.of(slot, 8) },
  ]);
}

interface Memory {
  readonly ghost: Ghost;
  readonly executions: Executions;
  readonly world: WholeWorld;
}

/** Three replicas, of which two voted in each slot and all executed it. */
function memory(): Memory {
  const ghost = new Ghost(new Memberships(majorityOf([1, 2, 3]), 64));
  const executions = new Executions(
    (broken) => {
      throw broken;
    },
    () => 0,
  );
  const command = { kind: "put" } as unknown as KvCommand;
  for (let slot = 1; slot <= SLOTS; slot += 1) {
    const value = valueIn(slot);
    const commands = commandsOf(value);
    for (const { payload } of commands) ghost.submitted.add(payloadKey(payload));
    for (const id of [1, 2]) {
      castVote(ghost.replica(id), slot, BALLOT, value);
      onDurable(ghost, id, { kind: "accepted", slot, ballot: BALLOT, value });
    }
    for (const id of [1, 2]) onExecute(ghost, id, { slot, value });
    for (const [at, { payload }] of commands.entries()) {
      const revision = 2 * slot + at;
      const result: KvResult = { kind: "put", revision, response: PutResponse.fromPartial({}) };
      executions.note(1, slot, at, command, payload, result);
    }
  }
  return { ghost, executions, world: { ghost, executions, hosts: new Map(), queue: { size: 0 } } };
}

test("what is sound passes, again and again and as a whole", () => {
  const { world } = memory();
  const checks = new WholeChecks(world);
  for (let i = 0; i < 10; i += 1) checks.check();
  checks.checkAll();
});

const WRONGS: readonly (readonly [string, RegExp, (wrong: Memory) => void])[] = [
  [
    "a vote that is another than the others' of its ballot",
    /^oneValueABallot: slot 5 at b1\.1: 3 has noop/,
    ({ ghost }) => castVote(ghost.replica(3), 5, BALLOT, NOOP),
  ],
  [
    "a proposal that is another than the votes",
    /^oneValueABallot: slot 5/,
    ({ ghost }) => putVote(ghost.proposed, 5, BALLOT, NOOP),
  ],
  [
    "a second value with a quorum",
    /^agreement: slot 5: noop is chosen at b2\.1/,
    ({ ghost }) => {
      for (const id of [2, 3]) putVote(ghost.replica(id).durableVotes, 5, ballotOf(2, 1), NOOP);
    },
  ],
  [
    "a value that was called chosen, and nobody has",
    /^agreement: slot 5: .* is called chosen, by no quorum$/,
    ({ ghost }) => ghost.replica(1).durableVotes.delete(5),
  ],
  [
    "a chosen value that a quorum would not report",
    /^quorumLog: slot 5: 1 logs/,
    ({ ghost }) => {
      for (const id of [1, 2]) ghost.replica(id).chosenUpTo = 4;
      putVote(ghost.replica(2).durableVotes, 5, ballotOf(2, 1), NOOP);
    },
  ],
  [
    "a replica that knows more chosen than is",
    /^watermarks: 1 is at slot 61, chosen are 60$/,
    ({ ghost }) => {
      ghost.replica(1).chosenUpTo = SLOTS + 1;
    },
  ],
  [
    "a read of what is not chosen",
    /^watermarks: slot 61 was seen/,
    ({ ghost }) => {
      ghost.visibleUpTo = SLOTS + 1;
    },
  ],
  [
    "an execution of what is not chosen",
    /^executedIsChosen: slot 5: command 1 is not chosen there$/,
    ({ executions }) => {
      const at = executions.executed.findIndex(({ slot }) => slot === 5) + 1;
      executions.executed[at] = { ...executions.executed[at]!, bytes: Uint8Array.of(9) };
    },
  ],
  [
    "commands in another order",
    /^executedIsChosen: slot 5: command 0 is not chosen there$/,
    ({ executions }) => {
      const at = executions.executed.findIndex(({ slot }) => slot === 5);
      executions.executed.splice(at, 2, executions.executed[at + 1]!, executions.executed[at]!);
    },
  ],
];

test("each kind of wrong memory is named, by the whole check and within a few of the others", () => {
  for (const [what, message, spoil] of WRONGS) {
    for (const isWhole of [true, false]) {
      const wrong = memory();
      const checks = new WholeChecks(wrong.world);
      if (!isWhole) checks.check();
      spoil(wrong);
      const run = () => {
        if (isWhole) checks.checkAll();
        else for (let i = 0; i < 10; i += 1) checks.check();
      };
      if (!isWhole && /executedIsChosen/.test(message.source)) continue;
      assert.throws(run, { name: InvariantBroken.name, message }, what);
    }
  }
});

test("tasks that are left behind in virtual time show", () => {
  const { world } = memory();
  assert.throws(
    () => new WholeChecks({ ...world, queue: { size: 5001 } }).check(),
    /^InvariantBroken: bounds: /,
  );
});
