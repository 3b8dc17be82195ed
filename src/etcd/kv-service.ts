// Service KV: what changes something is proposed, what does not is read. Any replica takes any request.
import { checkCommand, checkQuery, isReadOnly } from "../kv/check.js";
import type { KvAnswer, KvCommand, KvQuery } from "../kv/commands.js";
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from "../proto/gen/rpc.js";
import { refused, requestTooLarge } from "./errors.js";
import type { Headers } from "./header.js";
import type { KvReplica } from "./kv-replica.js";
import { type Call, type Method, unary } from "./service.js";

/** How commands fare, for the metrics. */
export interface ProposalCounts {
  pending: number;
  failed: number;
}

export class KvService {
  readonly #replica: KvReplica;
  readonly #headers: Headers;
  readonly #maxRequestBytes: number;
  readonly proposals: ProposalCounts;

  constructor(replica: KvReplica, headers: Headers, maxRequestBytes: number) {
    this.#replica = replica;
    this.#headers = headers;
    this.#maxRequestBytes = maxRequestBytes;
    this.proposals = { pending: 0, failed: 0 };
  }

  methods(): Method[] {
    const path = (name: string): string => `/etcdserverpb.KV/${name}`;
    return [
      unary(path("Range"), RangeRequest, RangeResponse, (request, call) => this.#range(request, call)),
      unary(path("Put"), PutRequest, PutResponse, (request, call) =>
        this.#change({ kind: "put", request }, call),
      ),
      unary(path("DeleteRange"), DeleteRangeRequest, DeleteRangeResponse, (request, call) =>
        this.#change({ kind: "deleteRange", request }, call),
      ),
      unary(path("Txn"), TxnRequest, TxnResponse, (request, call) => this.#txn(request, call)),
      unary(path("Compact"), CompactionRequest, CompactionResponse, (request, call) =>
        this.#change({ kind: "compact", request }, call),
      ),
    ];
  }

  async #range(request: RangeRequest, call: Call): Promise<RangeResponse> {
    const answer = await this.#read({ kind: "range", request }, call, request.serializable);
    if (answer.kind !== "range") throw mismatch("range", answer.kind);
    return { ...answer.response, header: this.#headers.at(answer.revision) };
  }

  async #txn(request: TxnRequest, call: Call): Promise<TxnResponse> {
    if (!isReadOnly(request)) return this.#change({ kind: "txn", request }, call);
    const answer = await this.#read({ kind: "txn", request }, call, isSerializable(request));
    if (answer.kind !== "txn") throw mismatch("txn", answer.kind);
    return { ...answer.response, header: this.#headers.at(answer.revision) };
  }

  async #read(query: KvQuery, call: Call, local: boolean): Promise<KvAnswer> {
    const refusal = checkQuery(query);
    if (refusal !== null) throw refused(refusal);
    const answer = await this.#replica.read(query, { signal: call.signal, local });
    if (answer.kind === "refused") throw refused(answer.refusal);
    return answer;
  }

  async #change<Kind extends KvCommand["kind"]>(
    command: KvCommand & { readonly kind: Kind },
    call: Call,
  ): Promise<Responses[Kind]> {
    const refusal = checkCommand(command);
    if (refusal !== null) throw refused(refusal);
    if (call.requestBytes > this.#maxRequestBytes) throw requestTooLarge();
    this.proposals.pending += 1;
    try {
      const result = await this.#replica.propose(command, { signal: call.signal });
      if (result.kind === "refused") throw refused(result.refusal);
      if (result.kind !== command.kind) throw mismatch(command.kind, result.kind);
      // A copy with the header, for the replica's sessions may keep the result.
      const response = { ...result.response, header: this.#headers.at(result.revision) };
      return response as Responses[Kind];
    } catch (error) {
      this.proposals.failed += 1;
      throw error;
    } finally {
      this.proposals.pending -= 1;
    }
  }
}

interface Responses {
  put: PutResponse;
  deleteRange: DeleteRangeResponse;
  txn: TxnResponse;
  compact: CompactionResponse;
}

function mismatch(asked: string, got: string): TypeError {
  return new TypeError(`the machine answered ${asked} with ${got}`);
}

/** Every range in it may be answered from here; one without operations is not, for it compares. */
function isSerializable(txn: TxnRequest): boolean {
  const ops = [...txn.success, ...txn.failure];
  return ops.length > 0 && ops.every((op) => op.requestRange?.serializable === true);
}
