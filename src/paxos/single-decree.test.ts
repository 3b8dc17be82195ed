// Single-decree Paxos: every reachable state of small configurations, and the five-server races (S4).
// Messages are a set that only grows, so loss, duplication and any order are all explored.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vote } from "./acceptor-rules.js";
import type { ReplicaId } from "./ballot.js";
import { ballotOf, describeBallot } from "./ballot.js";
import { majorityOf } from "./membership.js";
import type { AcceptorStep, DecreeReply, DecreeRequest } from "./single-decree.js";
import { Acceptor, Learner, Proposer } from "./single-decree.js";
import type { Value } from "./value.js";

const [X, Y] = [Uint8Array.of(0x0a), Uint8Array.of(0x0b)];
const WISHES = [X, Y, Uint8Array.of(0x0c)];
const nameOf = (value: Value) => "xyz"[value[0]! - X[0]!]!;

interface World {
  readonly acceptors: Acceptor[];
  readonly proposers: Proposer[];
  /** Everything ever sent; delivered any number of times, or never. */
  readonly requests: Map<string, DecreeRequest>;
  readonly replies: Map<string, { from: ReplicaId; reply: DecreeReply }>;
  readonly learner: Learner;
}

function copyOf(world: World): World {
  return {
    acceptors: world.acceptors.map((acceptor) => acceptor.copy()),
    proposers: world.proposers.map((proposer) => proposer.copy()),
    requests: new Map(world.requests),
    replies: new Map(world.replies),
    learner: world.learner.copy(),
  };
}

function keyOf(world: World): string {
  const roles = [...world.acceptors, ...world.proposers].map((role) => role.describe()).join(";");
  return `${roles}|${[...world.requests.keys()].sort()}|${[...world.replies.keys()].sort()}`;
}

function keyOfVote(vote: Vote | null): string {
  return vote === null ? "-" : `${describeBallot(vote.ballot)}=${nameOf(vote.value)}`;
}

function keyOfMessage(message: DecreeRequest | DecreeReply): string {
  if (message.kind === "ask") return "ask";
  if (message.kind === "promise") return `promise ${message.ballot} ${keyOfVote(message.vote)}`;
  if (message.kind === "reject") return `reject ${message.ballot} ${message.promised}`;
  return `${message.kind} ${message.ballot} ${"value" in message ? nameOf(message.value) : ""}`;
}

function hear(world: World, from: ReplicaId, reply: DecreeReply | null): void {
  if (reply === null || reply.kind === "reject") return;
  world.replies.set(`${from} ${keyOfMessage(reply)}`, { from, reply });
  if (reply.kind === "accepted") world.learner.receive(from, reply);
}

function* successors(world: World, attempts: number): Generator<World> {
  for (const [at, proposer] of world.proposers.entries()) {
    if (proposer.highest < ballotOf(attempts, 1)) {
      const next = copyOf(world);
      const { send } = next.proposers[at]!.propose(WISHES[at]!);
      next.requests.set(keyOfMessage(send!), send!);
      yield next;
    }
    for (const { from, reply } of world.replies.values()) {
      const next = copyOf(world);
      const { send } = next.proposers[at]!.receive(from, reply);
      if (send !== null) next.requests.set(keyOfMessage(send), send);
      yield next;
    }
  }
  for (const at of world.acceptors.keys()) {
    for (const request of world.requests.values()) {
      const next = copyOf(world);
      hear(next, at + 1, next.acceptors[at]!.receive(request).reply);
      yield next;
    }
  }
}

/** Walks every state; the learner asserts that no second value is ever chosen. Returns states and choices. */
function explore(size: readonly number[], Kind: typeof Acceptor): { states: number; chosen: Set<string> } {
  const [acceptors = 0, proposers = 0, attempts = 0] = size;
  const membership = majorityOf(Array.from({ length: acceptors }, (_, i) => i + 1));
  const first: World = {
    acceptors: membership.voters.map(() => new Kind()),
    proposers: Array.from({ length: proposers }, (_, i) => new Proposer(i + 1, membership)),
    requests: new Map(),
    replies: new Map(),
    learner: new Learner(membership),
  };
  const seen = new Set([keyOf(first)]);
  const chosen = new Set<string>();
  const open = [first];
  while (open.length > 0) {
    for (const next of successors(open.pop()!, attempts)) {
      const key = keyOf(next);
      if (seen.has(key)) continue;
      seen.add(key);
      if (next.learner.chosen !== null) chosen.add(nameOf(next.learner.chosen));
      open.push(next);
    }
  }
  return { states: seen.size, chosen };
}

test("no interleaving of two or three proposers and two or three acceptors chooses two values", () => {
  // Acceptors, proposers, attempts of each, and the number of states, which must not change unnoticed.
  const sizes = [
    [2, 2, 1, 169],
    [2, 3, 1, 2197],
    [3, 2, 1, 4761],
    [2, 2, 2, 11881],
  ] as const;
  for (const size of sizes) {
    const { states, chosen } = explore(size, Acceptor);
    assert.equal(states, size[3], size.join(" "));
    assert.deepEqual([...chosen].sort(), size[1] === 3 ? ["x", "y", "z"] : ["x", "y"]);
  }
});

/** Answers before its disk is written, and crashes after every promise. */
class Forgetful extends Acceptor {
  override receive(request: DecreeRequest): AcceptorStep {
    const step = super.receive(request);
    if (step.reply?.kind === "promise") this.promised = this.vote?.ballot ?? 0;
    return step;
  }

  override copy(): Forgetful {
    return new Forgetful(this);
  }
}

test("acceptors that answer before they write let two values be chosen: the walk sees it (S13)", () => {
  assert.throws(() => explore([2, 2, 1], Forgetful), /one value is chosen/);
});

/** Five servers that are acceptors, and as many proposers as a race needs; nothing moves by itself. */
class Race {
  readonly acceptors = [1, 2, 3, 4, 5].map(() => new Acceptor());
  readonly learner = new Learner(majorityOf([1, 2, 3, 4, 5]));

  proposer(self: ReplicaId): Proposer {
    return new Proposer(self, this.learner.membership);
  }

  /** Delivers `request` to the acceptors `to` and their answers to `proposer`; returns what it sends next. */
  deliver(request: DecreeRequest, to: readonly ReplicaId[], proposer: Proposer): DecreeRequest | null {
    let sent: DecreeRequest | null = null;
    for (const id of to) {
      const { reply } = this.acceptors[id - 1]!.receive(request);
      if (reply === null) continue;
      if (reply.kind === "accepted") this.learner.receive(id, reply);
      sent = proposer.receive(id, reply).send ?? sent;
    }
    return sent;
  }
}

test("S4: a value accepted by a minority that no promise reports is lost, and may be", () => {
  const race = new Race();
  const [first, second] = [race.proposer(1), race.proposer(5)];
  const accept = race.deliver(first.propose(X).send!, [1, 2, 3], first)!;
  race.deliver(accept, [1, 2], first);
  assert.equal(race.learner.chosen, null);
  const newer = race.deliver(second.propose(Y).send!, [3, 4, 5], second)!;
  race.deliver(newer, [3, 4, 5], second);
  race.deliver(accept, [3], first);
  assert.equal(race.learner.chosen, Y);
});

test("S4: a value accepted by a minority that a promise reports is proposed again", () => {
  const race = new Race();
  const [first, second] = [race.proposer(1), race.proposer(5)];
  race.deliver(race.deliver(first.propose(X).send!, [1, 2, 3], first)!, [3], first);
  race.deliver(race.deliver(second.propose(Y).send!, [3, 4, 5], second)!, [3, 4, 5], second);
  assert.equal(race.learner.chosen, X);
});

test("S4: a value accepted by a majority is found by every later proposer, even after crashes", () => {
  for (const quorum of [
    [3, 4, 5],
    [1, 4, 5],
    [2, 3, 4],
  ]) {
    const race = new Race();
    const [first, second] = [race.proposer(1), race.proposer(5)];
    race.deliver(race.deliver(first.propose(X).send!, [1, 2, 3], first)!, [1, 2, 3], first);
    assert.equal(race.learner.chosen, X);
    for (const [at, acceptor] of race.acceptors.entries()) race.acceptors[at] = new Acceptor(acceptor);
    race.deliver(race.deliver(second.propose(Y).send!, quorum, second)!, quorum, second);
    assert.equal(second.proposal, X);
    assert.equal(race.learner.chosen, X);
  }
});

test("S4: of two values each accepted by a minority, the one with the higher ballot is proposed again", () => {
  const race = new Race();
  const [first, second, third] = [race.proposer(1), race.proposer(5), race.proposer(3)];
  const old = race.deliver(first.propose(X).send!, [1, 2, 3], first)!;
  race.deliver(race.deliver(second.propose(Y).send!, [3, 4, 5], second)!, [5], second);
  race.deliver(old, [1], first);
  third.highest = second.highest;
  const accept = race.deliver(third.propose(Uint8Array.of(0x0c)).send!, [1, 3, 5], third)!;
  race.deliver(accept, [1, 3, 5], third);
  assert.equal(race.learner.chosen, Y);
});

test("S4: two dueling proposers choose nothing while they duel, and one value when one of them waits", () => {
  const race = new Race();
  const [first, second] = [race.proposer(1), race.proposer(5)];
  const all = [1, 2, 3, 4, 5];
  let pending = race.deliver(first.propose(X).send!, all, first)!;
  for (let turn = 0; turn < 10; turn += 1) {
    const [rival, held, wish] = turn % 2 === 0 ? [second, first, Y] : [first, second, X];
    const next = race.deliver(rival.propose(wish).send!, all, rival)!;
    race.deliver(pending, all, held);
    assert.equal(race.learner.chosen, null);
    pending = next;
  }
  race.deliver(pending, all, first);
  assert.equal(race.learner.chosen, X);
});

test("S3: a late learner asks the acceptors and learns the same value", () => {
  const race = new Race();
  const first = race.proposer(1);
  race.deliver(race.deliver(first.propose(X).send!, [1, 2, 3], first)!, [1, 2, 3], first);
  const late = new Learner(majorityOf([1, 2, 3, 4, 5]));
  for (const [at, acceptor] of race.acceptors.entries()) {
    const { reply } = acceptor.receive({ kind: "ask" });
    if (reply?.kind === "accepted") late.receive(at + 1, reply);
  }
  assert.equal(late.chosen, X);
});

test("an acceptor makes every change durable, and nothing else", () => {
  const acceptor = new Acceptor();
  const [low, high] = [ballotOf(1, 1), ballotOf(2, 2)];
  assert.deepEqual(acceptor.receive({ kind: "ask" }), { durable: null, reply: null });
  assert.deepEqual(acceptor.receive({ kind: "prepare", ballot: high }).durable, {
    promised: high,
    vote: null,
  });
  assert.equal(acceptor.receive({ kind: "prepare", ballot: high }).durable, null);
  const refused = acceptor.receive({ kind: "accept", ballot: low, value: X });
  assert.deepEqual(refused, { durable: null, reply: { kind: "reject", ballot: low, promised: high } });
  const vote = { ballot: ballotOf(3, 1), value: X };
  assert.deepEqual(acceptor.receive({ kind: "accept", ...vote }).durable, { promised: vote.ballot, vote });
  assert.equal(acceptor.receive({ kind: "accept", ...vote }).durable, null);
  assert.throws(() => acceptor.receive({ kind: "accept", ballot: vote.ballot, value: Y }), /one value/);
});

test("copies are equal and independent; digests and descriptions tell states apart", () => {
  const race = new Race();
  const first = race.proposer(1);
  const accept = race.deliver(first.propose(X).send!, [1, 2, 3], first)!;
  const [acceptor, proposer, learner] = [race.acceptors[0]!, first, race.learner];
  for (const role of [acceptor, proposer, learner]) {
    const copy = role.copy();
    assert.equal(copy.digest(), role.digest());
    assert.equal(copy.describe(), role.describe());
  }
  const before = [acceptor.digest(), learner.digest()];
  const copies = [acceptor.copy(), learner.copy()];
  race.deliver(accept, [1, 2, 3], first);
  assert.notEqual(acceptor.digest(), before[0]);
  assert.notEqual(learner.digest(), before[1]);
  assert.deepEqual([copies[0]!.digest(), copies[1]!.digest()], before);
  assert.equal(acceptor.describe(), "promised b1.1, voted b1.1 0a");
  assert.equal(first.describe(), "b1.1, wish 0a, proposed 0a, promises 1 2 3");
  assert.equal(learner.describe(), "chosen 0a");
});
