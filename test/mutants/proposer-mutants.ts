// Wrong readings of the rules of proposers: phase 1, recovery, counting (P1-P8, S7).
import type { Mutant } from "./mutant.js";

const LEADERSHIP = "src/paxos/leadership.ts";
const PHASE_ONE = "src/paxos/phase-one.ts";
const PROPOSING = "src/paxos/proposing.ts";

const OWN_BALLOT = `const ballot = ballotAbove(highest, p.self);
    assert(p.acceptor.prepare(ballot), "the own ballot is above every promise");`;

export const PROPOSER_MUTANTS: readonly Mutant[] = [
  {
    name: "M4",
    what: "a candidate does not make its own ballot durable",
    file: LEADERSHIP,
    find: "out.promise = ballot;",
    replace: "",
  },
  {
    name: "M5",
    what: "ballots are counted from the start of the process, not from the highest promise",
    file: LEADERSHIP,
    find: OWN_BALLOT,
    replace: "const ballot = ballotAbove(p.proposer.ballot, p.self);\n    p.acceptor.promised = ballot;",
  },
  {
    name: "M10",
    what: "recovery takes the value that was reported first",
    file: "src/paxos/acceptor-rules.ts",
    find: "if (highest === null || report.ballot > highest.ballot)",
    replace: "if (highest === null)",
  },
  {
    name: "M11",
    what: "the first part of a promise counts for every slot",
    file: PHASE_ONE,
    find: "if (slot >= range.from && slot <= range.to)",
    replace: "if (range.to > 0)",
  },
  {
    name: "M13",
    what: "one vote too few makes a phase-2 quorum",
    file: "src/paxos/membership.ts",
    find: ">= membership.phase2",
    replace: ">= membership.phase2 - 1",
  },
  {
    name: "M13 twice",
    what: "an acknowledgement that comes twice is two votes",
    file: "src/paxos/proposer.ts",
    find: "if (!proposal.votes.includes(voter))\n            proposal.votes.push(voter);\n        return isPhase2Quorum(memberships.of(proposal.slot, chosenUpTo), proposal.votes);",
    replace:
      "proposal.votes.push(voter);\n        return proposal.votes.length >= memberships.of(proposal.slot, chosenUpTo).phase2;",
  },
  {
    name: "M14",
    what: "votes of any ballot count for a slot",
    file: PROPOSING,
    find: "if (!p.isLeading || m.ballot !== p.proposer.ballot)",
    replace: "if (!p.isLeading)",
  },
  {
    name: "M15",
    what: "acknowledgements of an older ballot of the same leader count",
    file: PROPOSING,
    find: "if (!p.isLeading || m.ballot !== p.proposer.ballot)",
    replace: "if (!p.isLeading || m.ballot % 65536 !== p.self)",
  },
  {
    name: "M16",
    what: "a new leader leaves the slots empty in which nobody reports a vote",
    file: "src/paxos/proposer.ts",
    find: "return this.phaseOne.valueAt(slot) ?? NOOP;",
    replace: "return this.phaseOne.valueAt(slot);",
  },
  {
    name: "M17",
    what: "a new leader proposes again only what it has voted for itself",
    file: PHASE_ONE,
    find: "if (vote !== undefined)",
    replace: "if (vote !== undefined && report.replica === this.ballot % 65536)",
  },
  {
    name: "M30",
    what: "the leader counts its own vote before it is on disk",
    file: PROPOSING,
    find: "return p.proposer.inFlight.get(slot);\n}",
    replace: "const own = p.proposer.inFlight.get(slot);\n    count(p, own, p.self);\n    return own;\n}",
  },
  {
    name: "F6",
    what: "slots are proposed beyond the window of which the membership is known",
    file: "src/paxos/membership.ts",
    find: "return slot - this.alpha <= chosenUpTo;",
    replace: "return slot > 0;",
  },
  {
    name: "F8",
    what: "a promise speaks also for the slots that it leaves out because they are chosen",
    file: PHASE_ONE,
    find: "const from = Math.max(part.from, part.chosenUpTo + 1);",
    replace: "const from = part.from;",
  },
  {
    name: "F21",
    what: "a leader never proposes in a slot that someone called chosen",
    file: PROPOSING,
    find: "slot <= phaseOne.chosenUpTo && now < askUntil && p.election.linked.has(phaseOne.chosenBy)",
    replace: "slot <= phaseOne.chosenUpTo",
  },
  {
    name: "F22",
    what: "a faulty slot never counts, whatever value of a higher ballot is in hand",
    file: PHASE_ONE,
    find: "if (vote === null || vote.ballot < range.ballot)",
    replace: "if (vote !== undefined)",
  },
  {
    name: "M9",
    what: "a faulty slot counts as one in which nothing was accepted",
    file: PHASE_ONE,
    find: "if (slot < range.from || slot > range.to)",
    replace: "if (range.from > 0)",
  },
  {
    name: "F24",
    what: "a leader's watermark covers only what it has proposed itself",
    file: LEADERSHIP,
    find: "chosenUpTo: p.learner.chosenUpTo,\n        round,",
    replace:
      "chosenUpTo: p.proposer.nextSlot > p.proposer.firstSlot ? p.learner.chosenUpTo : 0,\n        round,",
  },
];
