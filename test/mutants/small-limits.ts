// Limits made so small that a short run meets them, in every copy, the one without a bug too (FoundationDB's knobs):
// promises of several parts, catching up in many chunks and from the log, snapshots in many pieces, many files of the
// log, a window that is full.
import type { Edit } from "./mutant.js";

export const SMALL_LIMITS: readonly Edit[] = [
  { file: "src/paxos/acceptor.ts", find: "PART_BYTES = 1 << 20", replace: "PART_BYTES = 1 << 6" },
  { file: "src/paxos/catch-up.ts", find: "CHUNK_BYTES = 1 << 20", replace: "CHUNK_BYTES = 1 << 10" },
  { file: "src/paxos/learner.ts", find: "RECENT_BYTES = 32 << 20", replace: "RECENT_BYTES = 1 << 12" },
  {
    file: "src/replica/snapshot-sender.ts",
    find: "PIECE_BYTES = 256 << 10",
    replace: "PIECE_BYTES = 1 << 12",
  },
  { file: "src/sim/world.ts", find: "segmentBytes = 32768", replace: "segmentBytes = 8192" },
  { file: "src/paxos/genesis.ts", find: "DEFAULT_ALPHA = 64", replace: "DEFAULT_ALPHA = 8" },
];
