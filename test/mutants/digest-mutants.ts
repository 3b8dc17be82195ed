// Wrong readings of how a replica finds that its state is not that of the others (2.10).
import type { Mutant } from "./mutant.js";

export const DIGEST_MUTANTS: readonly Mutant[] = [
  {
    name: "F14",
    what: "everyone trusts the leader's digest: whoever differs from it is fenced",
    file: "src/paxos/following.ts",
    find: "onVoices(p, m.digests, now, out);",
    replace:
      '{ const mine = p.digests.of(p.self); const told = m.digests.find((voice) => voice.replica === from && voice.slot === mine?.slot); if (told !== undefined && told.digest !== mine.digest && !p.digests.isFenced) { out.notices.push({ kind: "diverged", slot: told.slot, members: [from] }); p.digests.isFenced = true; } onVoices(p, m.digests, now, out); }',
  },
  {
    name: "F14 two",
    what: "two voices are a majority, of however many",
    file: "src/paxos/digests.ts",
    find: "const majority = Math.floor(voters.length / 2) + 1;",
    replace: "const majority = 2;",
  },
];
