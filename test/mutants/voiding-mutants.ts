// Wrong readings of how free slots heal that damage has made faulty (A8).
import type { Mutant } from "./mutant.js";

const VOIDING = "src/paxos/voiding.ts";
const FOLLOWING = "src/paxos/following.ts";

export const VOIDING_MUTANTS: readonly Mutant[] = [
  {
    name: "A8 found",
    what: "what is hidden is called void at a ballot at which it may have been voted for",
    file: VOIDING,
    find: "if (m.ballot <= acceptor.foundPromise)",
    replace: "if (m.ballot < acceptor.foundPromise)",
    also: [
      {
        file: VOIDING,
        find: "|| ballot <= acceptor.foundPromise",
        replace: "|| ballot < acceptor.foundPromise",
      },
    ],
  },
  {
    name: "A8 promised",
    what: "the word of a leader is taken by one that has promised a higher ballot",
    file: FOLLOWING,
    find: "if (m.ballot < p.acceptor.promised) {",
    replace: "if (m.ballot < p.acceptor.promised) {\n        voidsByHeartbeat(p, m, out);",
    also: [{ file: VOIDING, find: "assert(acceptor.promised === ballot,", replace: "assert(true," }],
  },
  {
    name: "A8 above",
    what: "a leader calls slots empty in which its promises have reported something",
    file: "src/paxos/phase-one.ts",
    find: "let above = this.recoverUpTo;",
    replace: "return this.chosenUpTo;\n        let above = 0;",
  },
  {
    name: "A8 below",
    what: "faults go that are not above what the leader calls empty",
    file: "src/paxos/acceptor.ts",
    find: "if (from <= above)",
    replace: "if (from > above)",
  },
  {
    name: "A8 unsaid",
    what: "what is found void is not written into the log",
    file: VOIDING,
    find: 'out.records.push({ kind: "void", from: emptyAbove + 1, ballot });',
    replace: "",
  },
  {
    name: "A8 for ever",
    what: "no leader takes a new ballot for a replica that asks for one",
    file: "src/paxos/renewing.ts",
    find: "if (!isPhase1Quorum(p.membership, covering))",
    replace: "if (covering.length >= 0)",
  },
];
