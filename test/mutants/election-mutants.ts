// Wrong readings of who should lead and how reads are confirmed (2.6, 2.7).
import type { Mutant } from "./mutant.js";

const ELECTION = "src/paxos/election.ts";
const LEADERSHIP = "src/paxos/leadership.ts";
const SERVING = "src/paxos/serving.ts";

export const ELECTION_MUTANTS: readonly Mutant[] = [
  {
    name: "M31",
    what: "a leader answers reads without asking whether it still leads",
    file: SERVING,
    find: "if (!p.heartbeats.isConfirmed(round, membership, p.self))",
    replace: "if (round < 0)",
  },
  {
    name: "M32",
    what: "a new leader confirms reads before everything reported to it is chosen",
    file: SERVING,
    find: "if (proposer.phaseOne.recoverUpTo > slot)",
    replace: "if (slot < 0)",
    also: [
      {
        file: SERVING,
        find: "if (!proposer.phaseOne.isCovered(slot + 1, p.membership))",
        replace: "if (slot < 0)",
      },
    ],
  },
  {
    name: "M33",
    what: "a read is confirmed by the answers to a round that began before it",
    file: SERVING,
    find: "reads.ride(p.heartbeats.round, slot);",
    replace: "reads.ride(p.heartbeats.round - 4, slot);",
  },
  {
    name: "M33 position",
    what: "a read is answered from where the leader was a round ago",
    file: SERVING,
    find: "answerRead(p, request, slot, out);",
    replace: "answerRead(p, request, Math.max(0, slot - 1), out);",
  },
  {
    name: "M42",
    what: "a candidate prepares without asking whether a quorum is willing",
    file: LEADERSHIP,
    find: "if (!election.isElectable(membership))",
    replace: "if (election.canvass === null)",
  },
  {
    name: "M42 deaf",
    what: "a leader that no quorum hears leads on",
    file: LEADERSHIP,
    find: "if (now - p.proposer.startedAt >= p.electionMs && !p.isQuorumConnected(now))",
    replace: "if (now < 0)",
    also: [
      {
        file: LEADERSHIP,
        find: "quorumConnected: p.isQuorumConnected(now)",
        replace: "quorumConnected: true",
      },
    ],
  },
  {
    name: "M43",
    what: "the waits of candidates are not random",
    file: "src/paxos/chance.ts",
    find: "return low + this.next() * (high - low);",
    replace: "return low;",
  },
  {
    name: "F25",
    what: "who is handed the leadership is refused, for the others have just heard the leader",
    file: LEADERSHIP,
    find: "p.election.see(m.ballot);\n    startPrepare(p, now, out);",
    replace: "p.election.see(m.ballot);\n    p.election.postpone(now, 0, 0);",
  },
  {
    name: "F28",
    what: "a replica without a link to the leader has no way to it",
    file: ELECTION,
    find: "if (this.linked.has(leader))",
    replace: "if (leader > 0)",
  },
  {
    name: "F33",
    what: "a refused canvass is repeated only after a whole timeout",
    file: ELECTION,
    find: "this.postpone(now, this.timeout / 25, this.timeout / 4);",
    replace: "this.postpone(now, this.timeout, 2 * this.timeout);",
  },
  {
    name: "F33 fresh",
    what: "a replica that has just started says yes to every candidate",
    file: ELECTION,
    find: "return !this.isFresh(now, membership) && !this.hearsLeader(now);",
    replace: "return !this.hearsLeader(now);",
  },
];
