// Multi-Paxos, one replica: `step` takes an event, `endTurn` closes a turn, an outbox says what to do. Pure,
// synchronous and deterministic: no clock, no timer, no disk, no network in here.
// Source: Lamport, "Paxos Made Simple", section 3; the rules are in docs/protocol.md.
import { assert, unreachable } from "../base/assert.js";
import type { Ballot, ReplicaId, Slot } from "./ballot.js";
import { describeState, digestState } from "./describe.js";
import { onDigest, onFenced, onResynced, watchDigests } from "./diverging.js";
import type { Event } from "./event.js";
import { onAccept, onHeartbeat, onPrepare } from "./following.js";
import { onInstalled, onOffered } from "./installing.js";
import {
  elapse,
  leave,
  onCanvass,
  onCanvassReply,
  onPromise,
  onReject,
  onTransfer,
  sendHeartbeat,
  sendPrepare,
  transfer,
} from "./leadership.js";
import { onLearn, onLearned } from "./learning.js";
import type { Message } from "./message.js";
import type { Outbox } from "./outbox.js";
import { onAccepted, onSynced, proposeWaiting, resend, resendLate } from "./proposing.js";
import {
  handOver,
  onForward,
  onForwarded,
  onHeartbeatAck,
  onReadIndex,
  onReadIndexReply,
  startReadRound,
  tellCallers,
} from "./serving.js";
import { type PaxosOptions, PaxosState } from "./state.js";
import { watchLost } from "./watching-losses.js";
import { watchRoom } from "./watching-room.js";

const NEVER = Number.POSITIVE_INFINITY;

export class Paxos {
  /** All state of all roles, for tests, the explorer and the playground: to read only. */
  readonly state: PaxosState;
  /** Call `endTurn` at this time at the latest, also when no event has come. */
  deadline: number;

  constructor(options: PaxosOptions) {
    this.state = new PaxosState(options);
    this.deadline = options.now;
  }

  /** The replica that leads as far as is known here; 0: none. */
  get leader(): ReplicaId {
    return this.state.noticedLeader;
  }

  /** The ballot of `leader`. */
  get ballot(): Ballot {
    return this.state.noticedBallot;
  }

  get isLeading(): boolean {
    return this.state.isLeading;
  }

  get chosenUpTo(): Slot {
    return this.state.learner.chosenUpTo;
  }

  get promised(): Ballot {
    return this.state.acceptor.promised;
  }

  /**
   * Takes in one event; the outbox is that of the turn. Any number of events make a turn, `endTurn` ends it.
   * Throws only on our own bugs.
   */
  step(event: Event, now: number, outbox: Outbox): void {
    const p = this.state;
    switch (event.kind) {
      case "message":
        onMessage(p, event.from, event.message, now, outbox);
        return;
      case "synced":
        onSynced(p, event.turn, now, outbox);
        return;
      case "propose":
        p.forwarding.add(event.number, event.settled, event.payload);
        return;
      case "abandon":
        p.forwarding.drop(event.number);
        return;
      case "read":
        p.reads.add(event.id);
        return;
      case "abandonRead":
        p.reads.abandon(event.id);
        return;
      case "linkUp":
        onLinkUp(p, event.peer, now, outbox);
        return;
      case "linkDown":
        p.election.linkDown(event.peer, now);
        return;
      case "transfer":
        transfer(p, event.to, now, outbox);
        return;
      case "leave":
        leave(p, now, outbox);
        return;
      case "compact":
        p.learner.compact(event.upTo);
        outbox.notices.push({ kind: "compact", upTo: event.upTo });
        return;
      case "offered":
        onOffered(p, event.from, event.upTo, now, outbox);
        return;
      case "installed":
        onInstalled(p, event.upTo, now, outbox);
        return;
      case "digest":
        onDigest(p, event.slot, event.digest, now, outbox);
        return;
      case "fenced":
        onFenced(p, event.members, now, outbox);
        return;
      case "resynced":
        onResynced(p, now);
        return;
      case "room":
        p.isFull = event.isFull;
        return;
      case "tick":
        return;
      default:
        unreachable(event);
    }
  }

  /** Ends a turn: what time brings, what waits to be proposed or asked, and the next deadline. */
  endTurn(now: number, outbox: Outbox): void {
    const p = this.state;
    watchDigests(p, now, outbox);
    watchRoom(p, now, outbox);
    elapse(p, now, outbox);
    resendLate(p, now, outbox);
    handOver(p, now, outbox);
    proposeWaiting(p, now, outbox);
    watchLost(p, now, outbox);
    startReadRound(p, now, outbox);
    tellCallers(p, outbox);
    askForMissing(p, now, outbox);
    if (p.learner.chosenUpTo > p.recordedUpTo) {
      p.recordedUpTo = p.learner.chosenUpTo;
      outbox.records.push({ kind: "chosen", upTo: p.recordedUpTo });
    }
    noticeLeader(p, now, outbox);
    this.deadline = deadlineOf(p, now);
    assert(p.learner.compactedUpTo <= p.learner.chosenUpTo, "compactedUpTo <= chosenUpTo");
    assert(p.acceptor.promised >= p.proposer.ballot, "no ballot is used without the own promise (P1)");
  }

  copy(): Paxos {
    const copy = Object.create(Paxos.prototype) as Paxos;
    return Object.assign(copy, { state: this.state.copy(), deadline: this.deadline });
  }

  /** A 32-bit digest: equal states have equal digests. */
  digest(): number {
    return digestState(this.state);
  }

  /** A line per role, for people. */
  describe(): string {
    return describeState(this.state);
  }
}

function onMessage(p: PaxosState, from: ReplicaId, m: Message, now: number, out: Outbox): void {
  switch (m.kind) {
    case "prepare":
      onPrepare(p, from, m, now, out);
      return;
    case "promise":
      onPromise(p, from, m, now, out);
      return;
    case "accept":
      onAccept(p, from, m, now, out);
      return;
    case "accepted":
      onAccepted(p, from, m, out);
      return;
    case "reject":
      onReject(p, m, now);
      return;
    case "heartbeat":
      onHeartbeat(p, from, m, now, out);
      return;
    case "heartbeatAck":
      onHeartbeatAck(p, from, m, now, out);
      return;
    case "canvass":
      onCanvass(p, from, m, now, out);
      return;
    case "canvassReply":
      onCanvassReply(p, from, m, now);
      return;
    case "learn":
      onLearn(p, from, m, out);
      return;
    case "learned":
      onLearned(p, m, now, out);
      return;
    case "forward":
      onForward(p, from, m, out);
      return;
    case "forwarded":
      onForwarded(p, from, m, now, out);
      return;
    case "readIndex":
      onReadIndex(p, from, m, out);
      return;
    case "readIndexReply":
      onReadIndexReply(p, from, m, now, out);
      return;
    case "transfer":
      onTransfer(p, from, m, now, out);
      return;
    default:
      unreachable(m);
  }
}

/** A new connection: whatever the old one carried may be lost (P7). */
function onLinkUp(p: PaxosState, peer: ReplicaId, now: number, out: Outbox): void {
  p.election.linkUp(peer, now);
  if (p.isLeading) {
    sendHeartbeat(p, now, out);
    resend(p, peer, out);
  } else if (p.proposer.phase === "preparing") {
    sendPrepare(p, [peer], now, out);
  } else if (p.election.way === peer) {
    p.forwarding.handAgain();
    p.reads.retry(NEVER);
  }
}

/** L4: asks for what others know chosen and what has not come by itself. */
function askForMissing(p: PaxosState, now: number, out: Outbox): void {
  const { catchUp, learner, election } = p;
  if (now < catchUp.askAt || !catchUp.isBehind(learner.chosenUpTo)) return;
  catchUp.askAt = now + 2 * p.heartbeatMs;
  const source = catchUp.choose(election.linked);
  if (source === 0) return;
  out.send([source], { kind: "learn", fromSlot: learner.chosenUpTo + 1 });
}

function noticeLeader(p: PaxosState, now: number, out: Outbox): void {
  const isKnown = p.isLeading || p.election.hearsLeader(now) || p.election.via !== 0;
  const leader = isKnown ? p.election.leader : 0;
  const ballot = isKnown ? p.election.leaderBallot : 0;
  if (leader === p.noticedLeader && ballot === p.noticedBallot) return;
  p.noticedLeader = leader;
  p.noticedBallot = ballot;
  out.notices.push({ kind: "leader", leader, ballot });
}

function deadlineOf(p: PaxosState, now: number): number {
  let deadline = NEVER;
  switch (p.proposer.phase) {
    case "leading":
      deadline = p.heartbeats.nextAt;
      break;
    case "preparing":
      deadline = Math.min(p.proposer.preparedAt + p.heartbeatMs, p.proposer.startedAt + p.electionMs);
      break;
    case "idle":
      deadline = p.election.candidacyAt;
      if (p.election.canvass !== null || p.election.via !== 0) {
        deadline = Math.min(deadline, now + p.heartbeatMs);
      } else if (p.election.hearsLeader(now)) {
        deadline = Math.min(deadline, p.election.heardAt + p.electionMs);
      }
      break;
  }
  if (p.catchUp.isBehind(p.learner.chosenUpTo)) deadline = Math.min(deadline, p.catchUp.askAt);
  if (p.forwarding.pending.size > 0 || p.reads.attempts.length > 0 || p.reads.fresh.length > 0) {
    deadline = Math.min(deadline, now + p.heartbeatMs);
  }
  return Math.max(deadline, now);
}
