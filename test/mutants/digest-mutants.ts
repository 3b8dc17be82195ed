// Wrong readings of how a replica finds that its state is not that of the others (2.10).
import type { Mutant } from "./mutant.js";

export const DIGEST_MUTANTS: readonly Mutant[] = [
  {
    name: "F14",
    what: "the leader's digest is taken for that of all others: whoever differs from it is fenced",
    file: "src/paxos/following.ts",
    find: "onVoices(p, m.digests, now, out);",
    replace:
      "const told = m.digests.filter((d) => d.replica === from); for (const replica of p.others) onVoices(p, told.map((d) => ({ ...d, replica })), now, out);",
  },
  {
    name: "F14 two",
    what: "two voices are a majority, of however many",
    file: "src/paxos/digests.ts",
    find: "const majority = Math.floor(voters.length / 2) + 1;",
    replace: "const majority = 2;",
  },
  {
    name: "F14 source",
    what: "a replica that is fenced takes the state of anybody",
    file: "src/replica/divergence.ts",
    find: "const members = this.#fence?.members ?? [];\n        const { replica }",
    replace: "const members = [];\n        const { replica }",
  },
];
