// `--write-out=json`: the messages as Go marshals them, with the field names that etcdctl 3.4 knows.
import type { KeyValue } from "../../proto/gen/kv.js";
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  StatusResponse,
} from "../../proto/gen/rpc.js";
import { formatDuration } from "../format/go-duration.js";
import { type GoObject, goJson, goString } from "../format/go-json.js";
import type { EndpointHealth, Printer } from "./printer.js";

function header(of: ResponseHeader | undefined): GoObject | undefined {
  if (of === undefined) return undefined;
  return { cluster_id: of.clusterId, member_id: of.memberId, revision: of.revision, raft_term: of.raftTerm };
}

function kv(pair: KeyValue): GoObject {
  return {
    key: pair.key,
    create_revision: pair.createRevision,
    mod_revision: pair.modRevision,
    version: pair.version,
    value: pair.value,
    lease: pair.lease,
  };
}

function put(response: PutResponse): GoObject {
  return { header: header(response.header), prev_kv: response.prevKv && kv(response.prevKv) };
}

function range(response: RangeResponse): GoObject {
  return {
    header: header(response.header),
    kvs: response.kvs.map(kv),
    more: response.more,
    count: response.count,
  };
}

function deleteRange(response: DeleteRangeResponse): GoObject {
  return {
    header: header(response.header),
    deleted: response.deleted,
    prev_kvs: response.prevKvs.map(kv),
  };
}

function responseOp(op: ResponseOp): GoObject {
  if (op.responsePut) return { Response: { ResponsePut: put(op.responsePut) } };
  if (op.responseRange) return { Response: { ResponseRange: range(op.responseRange) } };
  if (!op.responseDeleteRange) return { Response: {} };
  return { Response: { ResponseDeleteRange: deleteRange(op.responseDeleteRange) } };
}

function status(of: StatusResponse): GoObject {
  return {
    header: header(of.header),
    version: of.version,
    dbSize: of.dbSize,
    leader: of.leader,
    raftIndex: of.raftIndex,
    raftTerm: of.raftTerm,
    raftAppliedIndex: of.raftAppliedIndex,
    errors: of.errors,
    dbSizeInUse: of.dbSizeInUse,
    isLearner: of.isLearner,
  };
}

/** Written by hand because `health` is there also when it is false. */
function health({ endpoint, isHealthy, took, error }: EndpointHealth): string {
  const fault = error === "" ? "" : `,"error":${goString(error)}`;
  return `{"endpoint":${goString(endpoint)},"health":${isHealthy},"took":"${formatDuration(took)}"${fault}}`;
}

export const jsonPrinter: Printer = {
  put: (response) => [goJson(put(response)), "\n"],
  get: (response) => [goJson(range(response)), "\n"],
  del: (response) => [goJson(deleteRange(response)), "\n"],
  txn: (response) => [
    goJson({
      header: header(response.header),
      succeeded: response.succeeded,
      responses: response.responses.map(responseOp),
    }),
    "\n",
  ],
  memberList: (response) => [
    goJson({
      header: header(response.header),
      members: response.members.map((member) => ({
        ID: member.ID,
        name: member.name,
        peerURLs: member.peerURLs,
        clientURLs: member.clientURLs,
        isLearner: member.isLearner,
      })),
    }),
    "\n",
  ],
  endpointStatus: (list) => [
    goJson(list.map((one) => ({ Endpoint: one.endpoint, Status: status(one.status) }))),
    "\n",
  ],
  endpointHealth: (list) => [`[${list.map(health).join(",")}]\n`],
};
