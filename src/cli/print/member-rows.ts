// Members and endpoint statuses as rows of text, which the simple and the table format share.
import type { MemberListResponse } from "../../proto/gen/rpc.js";
import { formatSize } from "../format/byte-size.js";
import type { EndpointStatus } from "./printer.js";

export const MEMBER_HEAD = ["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"];

export function memberRows(response: MemberListResponse): string[][] {
  return response.members.map((member) => [
    member.ID.toString(16),
    member.name === "" ? "unstarted" : "started",
    member.name,
    member.peerURLs.join(","),
    member.clientURLs.join(","),
    String(member.isLearner),
  ]);
}

export const STATUS_HEAD = [
  "endpoint",
  "ID",
  "version",
  "db size",
  "is leader",
  "is learner",
  "raft term",
  "raft index",
  "raft applied index",
  "errors",
];

export function statusRows(list: readonly EndpointStatus[]): string[][] {
  return list.map(({ endpoint, status }) => [
    endpoint,
    (status.header?.memberId ?? 0n).toString(16),
    status.version,
    formatSize(status.dbSize),
    String(status.leader === status.header?.memberId),
    String(status.isLearner),
    String(status.raftTerm),
    String(status.raftIndex),
    String(status.raftAppliedIndex),
    status.errors.join(", "),
  ]);
}
