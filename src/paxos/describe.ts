// Seeing inside: one line per role, and a digest of all state, so that traces can be read and states compared.
import { EMPTY_DIGEST, mixBytes, mixNumber } from "../base/digest.js";
import { describeBallot, LAST_SLOT, type Slot } from "./ballot.js";
import type { Message } from "./message.js";
import type { PaxosState } from "./state.js";
import { commandsOf, isNoop, type Value } from "./value.js";

export function describeSlot(slot: Slot): string {
  return slot === LAST_SLOT ? "end" : String(slot);
}

/** `noop`, or the commands: `"x=1"` where the payload is short and printable, else its length. */
export function describeValue(value: Value): string {
  if (isNoop(value)) return "noop";
  const commands = commandsOf(value).map(({ payload }) => {
    const isText = payload.length <= 40 && payload.every((byte) => byte >= 0x20 && byte < 0x7f);
    return isText ? `"${String.fromCharCode(...payload)}"` : `${payload.length} bytes`;
  });
  return `[${commands.join(" ")}]`;
}

export function describeMessage(m: Message): string {
  switch (m.kind) {
    case "prepare":
      return `prepare ${describeBallot(m.ballot)} from=${m.fromSlot}`;
    case "promise": {
      const votes = m.accepted.map((a) => `${a.slot}:${describeBallot(a.ballot)}:${describeValue(a.value)}`);
      const faulty = m.faulty.map((f) => `${f.from}-${describeSlot(f.to)}:${describeBallot(f.ballot)}`);
      const range = `${m.from}-${describeSlot(m.to)}`;
      const lists = `accepted=[${votes.join(" ")}] faulty=[${faulty.join(" ")}]`;
      return `promise ${describeBallot(m.ballot)} ${range} ${lists} chosenUpTo=${m.chosenUpTo}`;
    }
    case "accept": {
      const values = m.values.map(describeValue).join(" ");
      return `accept ${describeBallot(m.ballot)} slot=${m.firstSlot} ${values} chosenUpTo=${m.chosenUpTo}`;
    }
    case "accepted": {
      const slots = m.slots.length > 0 ? ` slots=${m.slots.join(",")}` : "";
      return `accepted ${describeBallot(m.ballot)} upTo=${m.upTo}${slots}`;
    }
    case "reject":
      return `reject ${describeBallot(m.ballot)} promised=${describeBallot(m.promised)}`;
    case "heartbeat":
      return `heartbeat ${describeBallot(m.ballot)} chosenUpTo=${m.chosenUpTo}${m.quorumConnected ? "" : " alone"}`;
    case "heartbeatAck":
      return `heartbeatAck ${describeBallot(m.ballot)}`;
    case "canvass":
      return `canvass chosenUpTo=${m.chosenUpTo}`;
    case "canvassReply": {
      const answer = `${m.willing ? "yes" : "no"} promised=${describeBallot(m.promised)}`;
      return `canvassReply ${answer} chosenUpTo=${m.chosenUpTo} leader=${m.leader}`;
    }
    case "learn":
      return `learn from=${m.fromSlot}`;
    case "learned":
      return `learned ${m.entries.map((e) => `${e.slot}:${describeValue(e.value)}`).join(" ")}`;
    case "forward":
      return `forward ${m.commands.map((c) => `${c.origin}#${c.number}`).join(" ")}`;
    case "forwarded": {
      const commands = m.numbers.map((n) => `${m.origin}#${n}`).join(" ");
      return `forwarded ${commands} ${describeBallot(m.ballot)} chosenUpTo=${m.chosenUpTo}`;
    }
    case "readIndex":
      return `readIndex of ${m.origin}`;
    case "readIndexReply":
      return `readIndexReply to ${m.origin} slot=${m.slot} ${describeBallot(m.ballot)} chosenUpTo=${m.chosenUpTo}`;
    case "transfer":
      return `transfer ${describeBallot(m.ballot)} to=${m.to}`;
  }
}

/** A line per role, stable for equal states. */
export function describeState(p: PaxosState): string {
  const votes = [...p.acceptor.votes.values()]
    .sort((a, b) => a.slot - b.slot)
    .map((v) => `${v.slot}:${describeBallot(v.ballot)}:${describeValue(v.value)}`);
  const faulty = p.acceptor.faulty.map((f) => `${f.from}-${describeSlot(f.to)}`);
  const above = [...p.learner.above.keys()].sort((a, b) => a - b);
  const flying = [...p.proposer.inFlight.values()].map((f) => `${f.slot}:${f.votes.join("+")}`);
  const leader = `${p.election.leader} ${describeBallot(p.election.leaderBallot)}`;
  const links = [...p.election.linked].sort((a, b) => a - b);
  const proposer = `${p.proposer.phase} ${describeBallot(p.proposer.ballot)} next=${p.proposer.nextSlot}`;
  return [
    `acceptor promised=${describeBallot(p.acceptor.promised)} votes=[${votes.join(" ")}] faulty=[${faulty.join(" ")}]`,
    `learner chosenUpTo=${p.learner.chosenUpTo} above=[${above.join(" ")}]`,
    `proposer ${proposer} inFlight=[${flying.join(" ")}]`,
    `election leader=${leader}${p.election.isSuspected ? " suspected" : ""} links=[${links.join(" ")}]`,
    `callers commands=${p.forwarding.pending.size} reads=${p.reads.open.size}`,
    ...(p.digests.isFenced ? ["fenced: the state here is not that of the majority"] : []),
  ].join("\n");
}

/** Digest of what the protocol rests on: promise, votes, chosen values, ballots and counts. */
export function digestState(p: PaxosState): number {
  let digest = mixNumber(EMPTY_DIGEST, p.acceptor.promised);
  for (const vote of [...p.acceptor.votes.values()].sort((a, b) => a.slot - b.slot)) {
    digest = mixBytes(mixNumber(mixNumber(digest, vote.slot), vote.ballot), vote.value);
  }
  for (const range of p.acceptor.faulty) {
    digest = mixNumber(mixNumber(mixNumber(digest, range.from), range.to), range.ballot);
  }
  digest = mixNumber(mixNumber(digest, p.learner.chosenUpTo), p.learner.compactedUpTo);
  for (const slot of [...p.learner.above.keys()].sort((a, b) => a - b)) {
    digest = mixBytes(mixNumber(digest, slot), p.learner.above.get(slot)!);
  }
  digest = mixNumber(mixNumber(digest, p.proposer.ballot), p.proposer.phase.length);
  digest = mixNumber(
    mixNumber(digest, p.proposer.nextSlot),
    p.proposer.waiting.length - p.proposer.waitingFrom,
  );
  for (const proposal of [...p.proposer.inFlight.values()].sort((a, b) => a.slot - b.slot)) {
    digest = mixBytes(mixNumber(digest, proposal.slot), proposal.value);
    for (const voter of [...proposal.votes].sort((a, b) => a - b)) digest = mixNumber(digest, voter);
  }
  digest = mixNumber(mixNumber(digest, p.election.leader), p.election.leaderBallot);
  digest = mixNumber(mixNumber(digest, p.forwarding.pending.size), p.reads.nextId);
  digest = mixNumber(digest, p.digests.isFenced ? 1 : 0);
  for (const { replica, slot, digest: voice } of p.digests.newest(p.membership.voters)) {
    digest = mixNumber(mixNumber(mixNumber(digest, replica), slot), voice);
  }
  return digest;
}
