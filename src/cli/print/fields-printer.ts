// `--write-out=fields`: every field of a response on a line of its own, strings quoted as in Go.
import type { KeyValue } from "../../proto/gen/kv.js";
import type { ResponseHeader } from "../../proto/gen/rpc.js";
import { formatDuration } from "../format/go-duration.js";
import { quote } from "../format/go-quote.js";
import type { Output, Printer } from "./printer.js";
import { responseOp } from "./simple-printer.js";

type Field = string | number | bigint | boolean | Uint8Array;

/** Bytes are quoted; text is written as it is. */
function field(name: string, value: Field): string {
  return `"${name}" : ${value instanceof Uint8Array ? quote(value) : value}\n`;
}

const text = (value: string): Uint8Array => Buffer.from(value);

function header(of: ResponseHeader | undefined): Output {
  return [
    field("ClusterID", of?.clusterId ?? 0),
    field("MemberID", of?.memberId ?? 0),
    field("Revision", of?.revision ?? 0),
    field("RaftTerm", of?.raftTerm ?? 0),
  ];
}

function kv(pair: KeyValue, prefix = ""): Output {
  return [
    field(`${prefix}Key`, pair.key),
    field(`${prefix}CreateRevision`, pair.createRevision),
    field(`${prefix}ModRevision`, pair.modRevision),
    field(`${prefix}Version`, pair.version),
    field(`${prefix}Value`, pair.value),
    field(`${prefix}Lease`, pair.lease),
  ];
}

export const fieldsPrinter: Printer = {
  put: (response) => [...header(response.header), ...(response.prevKv ? kv(response.prevKv, "Prev") : [])],
  get: (response) => [
    ...header(response.header),
    ...response.kvs.flatMap((pair) => kv(pair)),
    field("More", response.more),
    field("Count", response.count),
  ],
  del: (response) => [
    ...header(response.header),
    field("Deleted", response.deleted),
    ...response.prevKvs.flatMap((pair) => kv(pair, "Prev")),
  ],
  txn: (response) => [
    ...header(response.header),
    field("Succeeded", response.succeeded),
    ...response.responses.flatMap((op) => responseOp(fieldsPrinter, op)),
  ],
  memberList: (response) => [
    ...header(response.header),
    ...response.members.flatMap((member) => [
      field("ID", member.ID),
      field("Name", text(member.name)),
      ...member.peerURLs.map((url) => field("PeerURL", text(url))),
      ...member.clientURLs.map((url) => field("ClientURL", text(url))),
      field("IsLearner", member.isLearner),
      "\n",
    ]),
  ],
  endpointStatus: (list) =>
    list.flatMap(({ endpoint, status }) => [
      ...header(status.header),
      field("Version", text(status.version)),
      field("DBSize", status.dbSize),
      field("Leader", status.leader),
      field("IsLearner", status.isLearner),
      field("RaftIndex", status.raftIndex),
      field("RaftTerm", status.raftTerm),
      field("RaftAppliedIndex", status.raftAppliedIndex),
      field("Errors", `[${status.errors.join(" ")}]`),
      field("Endpoint", text(endpoint)),
      "\n",
    ]),
  endpointHealth: (list) =>
    list.flatMap(({ endpoint, isHealthy, took, error }) => [
      field("Endpoint", text(endpoint)),
      field("Health", isHealthy),
      field("Took", formatDuration(took)),
      field("Error", error),
      "\n",
    ]),
};
