// The requests that `put`, `get` and `del` make of their arguments and flags; a transaction's lines are read
// the same way.
import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
} from "../../proto/gen/rpc.js";
import { UsageError } from "../failures.js";
import { quote } from "../format/go-quote.js";
import { bytesOfText } from "../format/utf8.js";
import { parseInteger } from "./go-numbers.js";
import { keyRange } from "./key-ranges.js";

export interface PutFlags {
  readonly prevKv?: boolean;
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
  /** In hexadecimal. */
  readonly lease: string;
}

export interface GetFlags {
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
  readonly rev: number;
  readonly limit: number;
  readonly sortBy: string;
  readonly order: string;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly printValueOnly?: boolean;
  readonly consistency: string;
}

export interface DelFlags {
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
  readonly prevKv?: boolean;
}

const NEEDS_VALUE = "put command needs 1 argument and input from stdin or 2 arguments";

/** `stdin` gives the value that is not among the arguments; empty when there is none. */
export function putRequest(args: readonly string[], flags: PutFlags, stdin: () => Uint8Array): PutRequest {
  const [key, given] = args;
  if (key === undefined) throw new UsageError(NEEDS_VALUE);
  if (flags.ignoreValue && given !== undefined) {
    throw new UsageError("put command needs only 1 argument when 'ignore-value' is set");
  }
  const lease = parseInteger(flags.lease, 16);
  if ("fault" in lease) throw new UsageError(`bad lease ID (${lease.fault}), expecting ID in Hex`);
  return {
    key: bytesOfText(key),
    value: flags.ignoreValue
      ? new Uint8Array(0)
      : given === undefined
        ? fromStdin(stdin)
        : bytesOfText(given),
    lease: lease.value,
    prevKv: flags.prevKv === true,
    ignoreValue: flags.ignoreValue === true,
    ignoreLease: flags.ignoreLease === true,
  };
}

function fromStdin(stdin: () => Uint8Array): Uint8Array {
  const value = stdin();
  if (value.length === 0) throw new UsageError(NEEDS_VALUE);
  return value;
}

export function getRequest(args: readonly string[], flags: GetFlags): RangeRequest {
  const [key, rangeEnd] = args;
  if (key === undefined) {
    throw new UsageError("get command needs one argument as key and an optional argument as range_end");
  }
  if (flags.keysOnly && flags.countOnly) {
    throw new UsageError("`--keys-only` and `--count-only` cannot be set at the same time, choose one");
  }
  if (flags.consistency !== "l" && flags.consistency !== "s") {
    throw new UsageError(`unknown consistency flag ${quote(bytesOfText(flags.consistency))}`);
  }
  const sortTarget = sortTargetOf(flags.sortBy);
  const order = sortOrderOf(flags.order);
  const isDefaultOrder =
    sortTarget === RangeRequest_SortTarget.KEY && order === RangeRequest_SortOrder.ASCEND;
  return {
    ...keyRange(key, rangeEnd, flags),
    limit: flags.limit,
    revision: Math.max(flags.rev, 0),
    // The server's own order: asking for it would only keep the limit from being applied early.
    sortOrder: isDefaultOrder ? RangeRequest_SortOrder.NONE : order,
    sortTarget,
    serializable: flags.consistency === "s",
    keysOnly: flags.keysOnly === true,
    countOnly: flags.countOnly === true,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}

function sortTargetOf(name: string): RangeRequest_SortTarget {
  switch (name.toUpperCase()) {
    case "":
    case "KEY":
      return RangeRequest_SortTarget.KEY;
    case "CREATE":
      return RangeRequest_SortTarget.CREATE;
    case "MODIFY":
      return RangeRequest_SortTarget.MOD;
    case "VALUE":
      return RangeRequest_SortTarget.VALUE;
    case "VERSION":
      return RangeRequest_SortTarget.VERSION;
    default:
      throw new UsageError(`bad sort target ${name}`);
  }
}

function sortOrderOf(name: string): RangeRequest_SortOrder {
  switch (name.toUpperCase()) {
    case "":
      return RangeRequest_SortOrder.NONE;
    case "ASCEND":
      return RangeRequest_SortOrder.ASCEND;
    case "DESCEND":
      return RangeRequest_SortOrder.DESCEND;
    default:
      throw new UsageError(`bad sort order ${name}`);
  }
}

export function delRequest(args: readonly string[], flags: DelFlags): DeleteRangeRequest {
  const [key, rangeEnd] = args;
  if (key === undefined || args.length > 2) {
    throw new UsageError("del command needs one argument as key and an optional argument as range_end");
  }
  return { ...keyRange(key, rangeEnd, flags), prevKv: flags.prevKv === true };
}
