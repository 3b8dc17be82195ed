// Wrong readings of compaction, and of snapshots that take the place of a log (A5, L4, L5; 2.10).
import type { Mutant } from "./mutant.js";

const ACCEPTOR = "src/paxos/acceptor.ts";
const MACHINE = "src/replica/snapshotted-machine.ts";

export const SNAPSHOT_MUTANTS: readonly Mutant[] = [
  {
    name: "M20",
    what: "an acceptor that has compacted answers for those slots too, with nothing",
    file: ACCEPTOR,
    find: "faulty, chosenUpTo, compactedUpTo }",
    replace: "faulty, chosenUpTo: compactedUpTo > 0 ? 0 : chosenUpTo, compactedUpTo }",
  },
  {
    name: "M21",
    what: "files of the log go although no durable state covers what is in them",
    file: "src/wal/compaction.ts",
    find: "if (start.spokenUpTo <= this.#wanted)",
    replace: "if (start.segment > 0)",
  },
  {
    name: "M22",
    what: "a snapshot gets its name before it is on disk",
    file: "src/replica/snapshot-files.ts",
    find: "await stepped.sync();\n            return first;",
    replace: "return first;",
    also: [
      { file: "src/replica/snapshot-writer.ts", find: "async sync() {", replace: "async sync() { return;" },
    ],
  },
  {
    name: "M24",
    what: "a start takes an older snapshot than the one that the log begins after",
    file: "src/replica/snapshot-files.ts",
    find: "first.slot > newest.slot",
    replace: "first.slot < newest.slot",
    also: [{ file: MACHINE, find: "this.#files.all.at(-2)?.slot ?? 0", replace: "this.#held.slot" }],
  },
  {
    name: "M25",
    what: "an installed snapshot takes away the votes above it",
    file: ACCEPTOR,
    find: "if (slot <= upTo)\n                this.votes.delete(slot);",
    replace: "this.votes.delete(slot);",
  },
  {
    name: "M26",
    what: "the log is cut to an installed snapshot before its state is durable",
    file: "src/replica/installing.ts",
    find: 'await room.allocate("the state", () => durable.commit(info.slot, meta));\n    await log.compact(info.slot);',
    replace:
      'await log.compact(info.slot);\n    await room.allocate("the state", () => durable.commit(info.slot, meta));',
  },
  {
    name: "M27",
    what: "the stored state names a slot that is not in it yet",
    file: "src/kv/committer.ts",
    find: "head = { slot, meta:",
    replace: "head = { slot: slot + 1, meta:",
  },
  {
    name: "M28",
    what: "a slot whose last command has no effect does not count as executed",
    file: "src/replica/executor.ts",
    find: "this.#execute(command, entry.slot);",
    replace: "this.#execute(command, entry.slot);\n            else\n                return;",
  },
  {
    name: "M47",
    what: "a compaction takes tombstones with it that a restart still needs",
    file: "src/kv/compactor.ts",
    find: "const isNeeded = isTombstone && main > this.#checkpointBase;",
    replace: "const isNeeded = false;",
  },
  {
    name: "F2 snapshot",
    what: "a leader goes on after a snapshot over a slot that it proposed",
    file: "src/paxos/installing.ts",
    find: "if (slot > upTo)",
    replace: "if (slot > 0)",
  },
  {
    name: "F3 snapshot",
    what: "the log keeps its votes below a snapshot that was installed, for a watermark to fix",
    file: "src/replica/installing.ts",
    find: "await log.compact(info.slot);",
    replace: "",
    also: [
      {
        file: "src/wal/open-log.ts",
        find: "index.compact(index.hiddenUpTo(found.appliedUpTo));",
        replace: "",
      },
    ],
  },
];
