// What a client is told of what went wrong: the only table of codes and texts. Clients match the texts, so they
// are etcd's to the letter. Source: etcd's api/v3rpc/rpctypes.
import type { KvRefusal } from "../kv/commands.js";
import {
  Closed,
  CommandRefused,
  NoSpace,
  OutcomeUnknown,
  Overloaded,
  Unavailable,
} from "../replica/errors.js";

/** The codes of gRPC that Synod uses. */
export const Code = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/** The end of a call that failed. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
  readonly code: Code;

  constructor(code: Code, text: string) {
    super(text);
    this.code = code;
  }
}

interface Told {
  readonly code: Code;
  readonly text: string;
}

export const REFUSALS: Readonly<Record<KvRefusal, Told>> = {
  emptyKey: { code: Code.invalidArgument, text: "etcdserver: key is not provided" },
  keyNotFound: { code: Code.invalidArgument, text: "etcdserver: key not found" },
  valueProvided: { code: Code.invalidArgument, text: "etcdserver: value is provided" },
  leaseProvided: { code: Code.invalidArgument, text: "etcdserver: lease is provided" },
  leaseNotFound: { code: Code.notFound, text: "etcdserver: requested lease not found" },
  tooManyOps: { code: Code.invalidArgument, text: "etcdserver: too many operations in txn request" },
  duplicateKey: { code: Code.invalidArgument, text: "etcdserver: duplicate key given in txn request" },
  compacted: { code: Code.outOfRange, text: "etcdserver: mvcc: required revision has been compacted" },
  futureRevision: { code: Code.outOfRange, text: "etcdserver: mvcc: required revision is a future revision" },
  invalidSortOption: { code: Code.invalidArgument, text: "etcdserver: invalid sort option" },
  malformed: { code: Code.invalidArgument, text: "etcdserver: malformed request" },
};

export const noLeader = (): CallFailed => new CallFailed(Code.unavailable, "etcdserver: no leader");
export const stopped = (): CallFailed => new CallFailed(Code.unavailable, "etcdserver: server stopped");
export const timedOut = (): CallFailed => new CallFailed(Code.unavailable, "etcdserver: request timed out");
export const tooManyRequests = (): CallFailed =>
  new CallFailed(Code.resourceExhausted, "etcdserver: too many requests");
export const noSpace = (): CallFailed =>
  new CallFailed(Code.resourceExhausted, "etcdserver: mvcc: database space exceeded");
export const requestTooLarge = (): CallFailed =>
  new CallFailed(Code.invalidArgument, "etcdserver: request is too large");

export function refused(refusal: KvRefusal): CallFailed {
  const { code, text } = REFUSALS[refusal];
  return new CallFailed(code, text);
}

/**
 * The end of a call for an error of the replica. A timeout is `Unavailable`, as with etcd: a put that ended so may
 * still take effect. `null`: not an error that a replica gives its callers, so our bug.
 */
export function failureOf(error: unknown, isCanceled: boolean): CallFailed | null {
  if (error instanceof CallFailed) return error;
  if (error instanceof Overloaded) return tooManyRequests();
  if (error instanceof NoSpace) return noSpace();
  if (error instanceof OutcomeUnknown || error instanceof Unavailable) {
    return isCanceled ? new CallFailed(Code.canceled, "etcdserver: request canceled") : timedOut();
  }
  if (error instanceof Closed) return stopped();
  if (error instanceof CommandRefused) return new CallFailed(Code.unknown, `etcdserver: ${error.message}`);
  return null;
}
