// What `npm run explore` walks: small configurations of the real core, each to its end.
// Cut so that they end: docs/exploring.md says what is not in them.
import { DecreeSpace } from "./decree-space.js";
import { PaxosSpace } from "./paxos-space.js";
import type { Space } from "./search.js";

export interface Configuration {
  readonly name: string;
  /** A sentence without its full stop. */
  readonly what: string;
  readonly space: () => Space;
}

export const CONFIGURATIONS: readonly Configuration[] = [
  {
    name: "single-decree",
    what: "3 acceptors, 2 proposers with 3 ballots, loss and duplication, one crash and restart of each of the five",
    space: () => new DecreeSpace({ acceptors: 3, attempts: [2, 1], crashes: 1 }),
  },
  {
    name: "multi-paxos",
    what: "3 replicas, 2 ballots, 2 slots, loss and duplication, one crash and restart of one of the three",
    space: () => new PaxosSpace({ replicas: 3, candidates: 2, ballots: 2, slots: 2, crashes: 1 }),
  },
  {
    name: "multi-paxos-hidden-end",
    what: "3 replicas, 3 ballots, 1 slot, and one of the three starts again with the end of its log damaged",
    space: () =>
      new PaxosSpace({ replicas: 3, candidates: 2, ballots: 3, slots: 1, crashes: 1, mayHide: true }),
  },
];

/** The same with less in them: they end in seconds, and still show most bugs. */
export const SMALL_CONFIGURATIONS: readonly Configuration[] = [
  {
    name: "single-decree-small",
    what: "3 acceptors, 2 proposers with 3 ballots, loss and duplication, no crash",
    space: () => new DecreeSpace({ acceptors: 3, attempts: [2, 1], crashes: 0 }),
  },
  {
    name: "multi-paxos-one-slot",
    what: "3 replicas, 2 ballots, 1 slot, loss and duplication, one crash and restart of one of the three",
    space: () => new PaxosSpace({ replicas: 3, candidates: 2, ballots: 2, slots: 1, crashes: 1 }),
  },
  {
    name: "multi-paxos-hidden-end-small",
    what: "3 replicas, 2 ballots, 1 slot, and one of the three starts again with the end of its log damaged",
    space: () =>
      new PaxosSpace({ replicas: 3, candidates: 2, ballots: 2, slots: 1, crashes: 1, mayHide: true }),
  },
  {
    name: "multi-paxos-one-ballot",
    what: "3 replicas, 1 ballot, 2 slots, loss and duplication, no crash",
    space: () => new PaxosSpace({ replicas: 3, candidates: 1, ballots: 1, slots: 2, crashes: 0 }),
  },
];
