// All planted bugs. The command reports each by its name; what has no feature yet has no bug to plant either: leases,
// and changes of membership, with them F5 and F26.
import { ACCEPTOR_MUTANTS } from "./acceptor-mutants.js";
import { DIGEST_MUTANTS } from "./digest-mutants.js";
import { ELECTION_MUTANTS } from "./election-mutants.js";
import type { Mutant } from "./mutant.js";
import { PROPOSER_MUTANTS } from "./proposer-mutants.js";
import { REPLICA_MUTANTS } from "./replica-mutants.js";
import { SNAPSHOT_MUTANTS } from "./snapshot-mutants.js";
import { VOIDING_MUTANTS } from "./voiding-mutants.js";
import { WAL_MUTANTS } from "./wal-mutants.js";

export const MUTANTS: readonly Mutant[] = [
  ...ACCEPTOR_MUTANTS,
  ...PROPOSER_MUTANTS,
  ...ELECTION_MUTANTS,
  ...WAL_MUTANTS,
  ...VOIDING_MUTANTS,
  ...REPLICA_MUTANTS,
  ...SNAPSHOT_MUTANTS,
  ...DIGEST_MUTANTS,
];
