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
  {
    name: "whole files only",
    what: "a snapshot of which nobody has a whole copy is offered by nobody, though every frame of it is somewhere",
    file: "src/replica/snapshot-sender.ts",
    find: "this.#tellBroken(to, atLeast);",
    replace: "",
    shownBy: "snapshots/1057",
  },
  {
    name: "one source",
    what: "a frame that comes damaged is asked for nowhere else",
    file: "src/replica/snapshot-receiver.ts",
    find: "this.#ports.linked().find((peer) => !tried.has(peer))",
    replace: "undefined",
    shownBy: "snapshots/854",
  },
  {
    name: "frames unchecked",
    what: "the checksums of frames are not compared with what is in them",
    file: "src/replica/snapshot-format.ts",
    find: "if (crc32(bytes, this.frames, 4, length) !== crc)\n            return null;",
    replace: "",
    shownBy: "snapshots/4",
  },
  {
    name: "newest only",
    what: "of several damaged snapshots only the newest is offered",
    file: "src/replica/snapshot-sender.ts",
    find: "for (const info of this.#ports.files.broken.all) {",
    replace: "for (const info of this.#ports.files.broken.all.slice(0, 1)) {",
    shownBy: "snapshots-newer/1057",
  },
];
