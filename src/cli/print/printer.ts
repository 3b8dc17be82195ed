// How a response becomes the text on standard output: one object per format of `--write-out`.
import type {
  DeleteRangeResponse,
  MemberListResponse,
  PutResponse,
  RangeResponse,
  StatusResponse,
  TxnResponse,
} from "../../proto/gen/rpc.js";

/** Pieces of output in order; text is written as UTF-8, bytes as they are. */
export type Output = readonly (string | Uint8Array)[];

export interface EndpointStatus {
  readonly endpoint: string;
  readonly status: StatusResponse;
}

export interface EndpointHealth {
  readonly endpoint: string;
  readonly isHealthy: boolean;
  /** Nanoseconds. */
  readonly took: bigint;
  /** Empty when healthy. */
  readonly error: string;
}

export interface KvPrinter {
  put(response: PutResponse): Output;
  get(response: RangeResponse, valueOnly: boolean): Output;
  del(response: DeleteRangeResponse): Output;
  txn(response: TxnResponse): Output;
}

export interface ClusterPrinter {
  memberList(response: MemberListResponse): Output;
  endpointStatus(list: readonly EndpointStatus[]): Output;
  endpointHealth(list: readonly EndpointHealth[]): Output;
}

export type Printer = KvPrinter & ClusterPrinter;
