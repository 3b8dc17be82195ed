// Wrong readings of what callers are told, and of commands that come twice (2.9).
import type { Mutant } from "./mutant.js";

const PROPOSALS = "src/replica/proposals.ts";
const SESSIONS = "src/paxos/sessions.ts";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  {
    name: "M36",
    what: "a command that is chosen twice is executed twice",
    file: SESSIONS,
    find: "if (session.executed.has(number))",
    replace: "if (false)",
  },
  {
    name: "M36 restart",
    what: "the table of sessions is not taken over from the committed state",
    file: "src/replica/opening.ts",
    find: "held.slot === 0 ? { sessions: new Sessions(), noted: null } : decodeMeta(held.meta)",
    replace: "{ sessions: new Sessions(), noted: null }",
  },
  {
    name: "M6",
    what: "a replica whose disk was wiped joins again under its id, and nobody minds",
    file: "src/replica/bootstrap.ts",
    find: "if (!this.#isComplete && diskOf(this.#self) !== this.#diskId)",
    replace: "if (false)",
    also: [
      {
        file: "src/replica/bootstrap.ts",
        find: "if (diskOf(from) !== disk)",
        replace: "if (false)",
      },
      {
        file: "src/replica/bootstrap.ts",
        find: "if (known?.diskId === diskId)\n            return NOTHING;",
        replace: "return NOTHING;",
      },
    ],
  },
  {
    name: "F15",
    what: "a replica votes when it holds the genesis, whether all others hold it or not",
    file: "src/replica/bootstrap.ts",
    find: "if (!this.#confirmed.has(id))\n                return step;",
    replace: "",
  },
  {
    name: "M37",
    what: "an answer is given when its slot is known chosen, executed or not",
    file: "src/replica/reads.ts",
    find: "if (slot <= appliedUpTo) {",
    replace: "if (slot >= 0) {",
  },
  {
    name: "M38",
    what: "a replica that stops calls the commands under way failed",
    file: PROPOSALS,
    find: "pending.reject(new OutcomeUnknown(",
    replace: "pending.reject(new Closed(",
  },
  {
    name: "F7",
    what: "replicas with other settings are not refused at the handshake",
    file: "src/wire/admission.ts",
    find: "if (hello.clusterId !== clusterId)",
    replace: "if (false)",
  },
  {
    name: "F13",
    what: "a number below the highest one seen is a duplicate",
    file: SESSIONS,
    find: "if (session.executed.has(number))",
    replace: "if (number < Math.max(0, ...session.executed))",
  },
  {
    name: "F13 lives",
    what: "a replica that restarts counts from one in the same session",
    file: SESSIONS,
    find: "if (session === undefined || incarnation > session.incarnation) {",
    replace: "if (session === undefined) {",
  },
  {
    name: "F17",
    what: "a command without an outcome in time is called failed",
    file: PROPOSALS,
    find: "new OutcomeUnknown(`no outcome",
    replace: "new Unavailable(`no outcome",
  },
  {
    name: "F31",
    what: "a closed connection is an outage, before a reconnect was tried",
    file: "src/io/peer.ts",
    find: "this.#startGrace();\n        if (this.#shortLives",
    replace: "this.#reportDown();\n        if (this.#shortLives",
  },
  {
    name: "F32",
    what: "a command that the machine refuses is taken for a bug, which ends the replica",
    file: "src/replica/executor.ts",
    find: "if (thrown instanceof StateCorrupt)",
    replace: "if (thrown instanceof Error)",
    also: [
      {
        file: "src/kv/apply.ts",
        find: '{ kind: "refused", revision: store.revision, refusal: outcome }',
        replace: '(() => { throw new Error("nobody proposes this"); })()',
      },
    ],
  },
];
