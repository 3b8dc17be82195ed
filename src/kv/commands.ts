// Commands, queries and their outcomes at the border of the KV state machine. Requests and responses are
// etcd's messages; headers are left to `etcd/`, revisions stand beside the responses.
import type {
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

export type KvCommand =
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "deleteRange"; readonly request: DeleteRangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "compact"; readonly request: CompactionRequest };

/** What the store refuses, and `etcd/errors.ts` turns into codes and texts. */
export type KvRefusal =
  | "emptyKey"
  | "keyNotFound"
  | "valueProvided"
  | "leaseProvided"
  | "leaseNotFound"
  | "tooManyOps"
  | "duplicateKey"
  | "compacted"
  | "futureRevision"
  | "invalidSortOption"
  | "malformed";

/** `revision` is the store's revision after the command. */
export type KvResult =
  | { readonly kind: "put"; readonly revision: number; readonly response: PutResponse }
  | { readonly kind: "deleteRange"; readonly revision: number; readonly response: DeleteRangeResponse }
  | { readonly kind: "txn"; readonly revision: number; readonly response: TxnResponse }
  | { readonly kind: "compact"; readonly revision: number; readonly response: CompactionResponse }
  | { readonly kind: "refused"; readonly revision: number; readonly refusal: KvRefusal };

/** A `txn` query holds nothing but ranges and compares. */
export type KvQuery =
  | { readonly kind: "range"; readonly request: RangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "status" }
  | { readonly kind: "hash" };

export type KvAnswer =
  | { readonly kind: "range"; readonly revision: number; readonly response: RangeResponse }
  | { readonly kind: "txn"; readonly revision: number; readonly response: TxnResponse }
  | {
      readonly kind: "status";
      readonly revision: number;
      readonly compactRevision: number;
      readonly keys: number;
      /** Bytes of the store, all and in use. */
      readonly size: number;
      readonly sizeInUse: number;
    }
  /** A hash of the whole logical state, equal on replicas that have executed the same commands. */
  | { readonly kind: "hash"; readonly revision: number; readonly hash: string }
  | { readonly kind: "refused"; readonly revision: number; readonly refusal: KvRefusal };
