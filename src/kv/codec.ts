// Commands as bytes: a kind, then etcd's message. What cannot be decoded is no command, on every replica alike:
// the generated decoders look at nothing but the bytes, and limit their depth.
import { unreachable } from "../base/assert.js";
import { CompactionRequest, DeleteRangeRequest, PutRequest, TxnRequest } from "../proto/gen/rpc.js";
import type { KvCommand } from "./commands.js";

const KIND_PUT = 1;
const KIND_DELETE_RANGE = 2;
const KIND_TXN = 3;
const KIND_COMPACT = 4;

/** Bytes that are no command of the store. */
export class MalformedCommand extends Error {
  override readonly name = "MalformedCommand";
  readonly code = "MALFORMED_COMMAND";
}

/** Throws `MalformedCommand` for one that holds what the format has no room for. */
export function encodeCommand(command: KvCommand): Uint8Array {
  try {
    switch (command.kind) {
      case "put":
        return withKind(KIND_PUT, PutRequest.encode(command.request).finish());
      case "deleteRange":
        return withKind(KIND_DELETE_RANGE, DeleteRangeRequest.encode(command.request).finish());
      case "txn":
        return withKind(KIND_TXN, TxnRequest.encode(command.request).finish());
      case "compact":
        return withKind(KIND_COMPACT, CompactionRequest.encode(command.request).finish());
      default:
        return unreachable(command);
    }
  } catch (error) {
    throw new MalformedCommand(`this command cannot be encoded: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function withKind(kind: number, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + message.length);
  bytes[0] = kind;
  bytes.set(message, 1);
  return bytes;
}

/** The inverse; what it returns may be views of `bytes`. Throws `MalformedCommand`. */
export function decodeCommand(bytes: Uint8Array): KvCommand {
  const message = bytes.subarray(1);
  try {
    switch (bytes[0]) {
      case KIND_PUT:
        return { kind: "put", request: PutRequest.decode(message) };
      case KIND_DELETE_RANGE:
        return { kind: "deleteRange", request: DeleteRangeRequest.decode(message) };
      case KIND_TXN:
        return { kind: "txn", request: TxnRequest.decode(message) };
      case KIND_COMPACT:
        return { kind: "compact", request: CompactionRequest.decode(message) };
    }
  } catch (error) {
    throw new MalformedCommand(`a command cannot be decoded: ${(error as Error).message}`, { cause: error });
  }
  throw new MalformedCommand(`a command has the unknown kind ${bytes[0] ?? "(none)"}`);
}
