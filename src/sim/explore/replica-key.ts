// The state of a core as text, equal for states that behave alike in everything that is explored. Left out is what
// only time, chance, reads, forwarded commands, questions and notices depend on: nothing explored looks at it.
import type { Ballot, Slot } from "../../paxos/ballot.js";
import type { Proposal } from "../../paxos/proposer.js";
import type { PaxosState } from "../../paxos/state.js";
import type { Value } from "../../paxos/value.js";
import { describeValue } from "../describe-message.js";

/** `syncedTurn`: everything up to that turn is on disk; a turn's number matters only if it is above. */
export function describeCore(p: PaxosState, syncedTurn: number, mayHide: boolean): string {
  const { acceptor, learner } = p;
  const votes = [...acceptor.votes.values()].map((vote) => textOf(vote.slot, vote.ballot, vote.value)).sort();
  const faulty = acceptor.faulty.map(({ from, to, ballot }) => `${from}-${to}:${ballot}`);
  return [
    `a${acceptor.promised}`,
    votes.join(),
    faulty.join(),
    // Of no account where nothing is hidden.
    acceptor.isFreeFaulty ? acceptor.foundPromise : "",
    `l${learner.chosenUpTo} ${learner.compactedUpTo} ${learner.recentFrom} ${p.recordedUpTo}`,
    valuesOf(learner.above),
    valuesOf(learner.recent),
    describeProposer(p, syncedTurn, mayHide),
  ].join("|");
}

function textOf(slot: Slot, ballot: Ballot, value: Value): string {
  return `${slot}:${ballot}:${describeValue(value)}`;
}

function valuesOf(values: ReadonlyMap<Slot, Value>): string {
  return [...values].map(([slot, value]) => textOf(slot, 0, value)).join();
}

/** What an idle proposer keeps of its last ballot is never looked at again: every handler asks for the phase first. */
function describeProposer({ proposer }: PaxosState, syncedTurn: number, mayHide: boolean): string {
  if (proposer.phase === "idle") return "";
  const { phaseOne, emptyAbove } = proposer;
  const isPromiseUnsynced = proposer.phase === "preparing" && proposer.promiseTurn > syncedTurn;
  const reports = phaseOne.reports
    .map((report) => {
      const votes = [...report.accepted.values()].map((vote) => textOf(vote.slot, vote.ballot, vote.value));
      const spoken = report.spoken.map(({ from, to }) => `${from}-${to}`);
      const faulty = report.faulty.map(({ from, to, ballot }) => `${from}-${to}:${ballot}`);
      return `${report.replica}:${spoken}:${votes.sort()}:${faulty}`;
    })
    .sort();
  const flying = [...proposer.inFlight.values()].map((proposal) => describeProposal(proposal, syncedTurn));
  return [
    `p${proposer.phase} ${proposer.ballot} ${proposer.firstSlot} ${proposer.nextSlot} ${isPromiseUnsynced}`,
    // It matters only to one whose log has lost its end (A8).
    mayHide ? emptyAbove : "",
    `${proposer.waiting.length - proposer.waitingFrom} ${phaseOne.highestReported}`,
    `${phaseOne.chosenUpTo} ${phaseOne.chosenBy}`,
    reports.join(),
    flying.sort().join(),
  ].join("|");
}

function describeProposal({ slot, value, votes, turn }: Proposal, syncedTurn: number): string {
  return `${textOf(slot, 0, value)}:${[...votes].sort((a, b) => a - b)}:${turn > syncedTurn}`;
}
