// Wrong readings of the rules that these grids are about, each with a combination that must show it.
import type { Mutant } from "../mutants/mutant.js";

interface PlantedBug extends Mutant {
  /** As for `npm run grid -- --replay`. */
  readonly shownBy: string;
}

const PHASE_ONE = "src/paxos/phase-one.ts";

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "no-op for a damaged slot",
    what: "a damaged record counts as if nothing had been accepted there, so that a no-op takes its place",
    file: PHASE_ONE,
    find: "for (const range of report.faulty) {\n            if (slot < range.from",
    replace: "for (const range of []) {\n            if (slot < range.from",
    shownBy: "log/273",
  },
  {
    name: "F22",
    what: "where a record is damaged another's vote is not enough, though it cannot be lower",
    file: PHASE_ONE,
    find: "if (range.ballot === 0)\n                return false;\n            const vote",
    replace: "return false;\n            const vote",
    shownBy: "log-votes/17",
  },
  {
    name: "silent loss",
    what: "nobody says which slots are lost",
    file: "src/paxos/watching-losses.ts",
    find: "slots.push(slot);",
    replace: "",
    shownBy: "log/4095",
  },
  {
    name: "older state shown",
    what: "a replica whose log has lost a slot shows the state of an earlier time than it has shown before",
    file: "src/replica/opening.ts",
    find: "rebuildUpTo: wal.syncedChosenUpTo,",
    replace: "rebuildUpTo: recovered.compactedUpTo,",
    shownBy: "log/546",
  },
];
