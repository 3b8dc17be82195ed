// Wrong readings of the rules of acceptors and learners (A1-A4, L1-L4, S13).
import type { Mutant } from "./mutant.js";

const FOLLOWING = "src/paxos/following.ts";

export const ACCEPTOR_MUTANTS: readonly Mutant[] = [
  {
    name: "M1",
    what: "a promise leaves before it is on disk",
    file: FOLLOWING,
    find: "out.sendAfterSync([from], part)",
    replace: "out.send([from], part)",
  },
  {
    name: "M2",
    what: "`accepted` leaves before the vote is on disk",
    file: FOLLOWING,
    find: "out.sendAfterSync([from], { kind",
    replace: "out.send([from], { kind",
  },
  {
    name: "M7",
    what: "a promise leaves out the slots that are faulty",
    file: "src/paxos/acceptor.ts",
    find: "if (range.to < Math.max(from, first) || range.from > to)",
    replace: "if (range.from > 0)",
  },
  {
    name: "M12",
    what: "an accept below the promise is taken",
    file: "src/paxos/acceptor-rules.ts",
    find: "return ballot !== NO_BALLOT && ballot >= promised;",
    replace: "return ballot !== NO_BALLOT;",
  },
  {
    name: "M18",
    what: "a watermark makes votes of other ballots chosen",
    file: "src/paxos/learning.ts",
    find: "if (vote?.ballot === ballot)",
    replace: "if (vote !== undefined)",
    also: [
      {
        file: "src/paxos/learning.ts",
        find: "if (vote.slot <= upTo && vote.ballot === ballot)",
        replace: "if (vote.slot <= upTo)",
      },
    ],
  },
  {
    name: "M19",
    what: "a learner goes on after a gap with the next value that it knows",
    file: "src/paxos/learner.ts",
    find: "const slot = this.chosenUpTo + 1;",
    replace: "const slot = this.above.size > 2 ? Math.min(...this.above.keys()) : this.chosenUpTo + 1;",
  },
  {
    name: "F1",
    what: "a late accept is stored over a slot that is known chosen",
    file: FOLLOWING,
    find: "if (p.learner.isChosen(slot))",
    replace: "if (false)",
  },
  {
    name: "F2",
    what: "a leader that learns another value than its own for a slot leads on",
    file: "src/paxos/learning.ts",
    find: "stopLeading(p, now, true);",
    replace: "p.proposer.remove(proposal);",
  },
  {
    name: "F4",
    what: "a replica leads on after its own acceptor has promised another ballot",
    file: FOLLOWING,
    find: 'out.promise = p.acceptor.promised;\n    if (p.proposer.phase !== "idle")',
    replace: "out.promise = p.acceptor.promised;\n    if (false)",
    also: [
      {
        file: "src/paxos/state.ts",
        find: '=== "leading" && this.acceptor.promised === this.proposer.ballot',
        replace: '=== "leading"',
      },
    ],
  },
  {
    name: "F20",
    what: "`accepted.upTo` is the highest slot accepted, gaps or not",
    file: FOLLOWING,
    find: "const upTo = p.contiguousAt(m.ballot);",
    replace: "const upTo = m.firstSlot + m.values.length - 1;",
  },
  {
    name: "F30",
    what: "an acceptor that is behind drops accepts of slots that it is not near",
    file: FOLLOWING,
    find: "if (p.learner.isChosen(slot))",
    replace: "if (p.learner.isChosen(slot) || slot > p.learner.chosenUpTo + 2)",
    // Nor does it say that it has taken them.
    also: [
      {
        file: FOLLOWING,
        find: "slots.push(slot);",
        replace:
          "if (p.learner.isChosen(slot) || p.acceptor.votes.get(slot)?.ballot === m.ballot)\n            slots.push(slot);",
      },
    ],
  },
];
