// `--write-out=simple`: keys and values as they are, a line each.
import type { KeyValue } from "../../proto/gen/kv.js";
import type { ResponseOp } from "../../proto/gen/rpc.js";
import { formatDuration } from "../format/go-duration.js";
import { memberRows, statusRows } from "./member-rows.js";
import type { KvPrinter, Output, Printer } from "./printer.js";

/** `isHex`: keys and values as `\x61`. */
export function simplePrinter(isHex: boolean): Printer {
  const kv = (pair: KeyValue, valueOnly = false): Output => {
    const lines = valueOnly ? [pair.value] : [pair.key, pair.value];
    return lines.flatMap((bytes) => [isHex ? hexText(bytes) : bytes, "\n"]);
  };
  const printer: Printer = {
    put: (response) => ["OK\n", ...(response.prevKv ? kv(response.prevKv) : [])],
    get: (response, valueOnly) => response.kvs.flatMap((pair) => kv(pair, valueOnly)),
    del: (response) => [`${response.deleted}\n`, ...response.prevKvs.flatMap((pair) => kv(pair))],
    txn: (response) => [
      response.succeeded ? "SUCCESS\n" : "FAILURE\n",
      ...response.responses.flatMap((op) => ["\n", ...responseOp(printer, op)]),
    ],
    memberList: (response) => lines(memberRows(response)),
    endpointStatus: (list) => lines(statusRows(list)),
    endpointHealth: (list) =>
      list.map(({ endpoint, isHealthy, took, error }) =>
        isHealthy
          ? `${endpoint} is healthy: successfully committed proposal: took = ${formatDuration(took)}\n`
          : `${endpoint} is unhealthy: failed to commit proposal: ${error}\n`,
      ),
  };
  return printer;
}

/** What a transaction's response to one request looks like; etcdctl sends no nested transactions. */
export function responseOp(printer: KvPrinter, op: ResponseOp): Output {
  if (op.responsePut) return printer.put(op.responsePut);
  if (op.responseRange) return printer.get(op.responseRange, false);
  return op.responseDeleteRange ? printer.del(op.responseDeleteRange) : [];
}

function lines(rows: readonly (readonly string[])[]): Output {
  return rows.map((row) => `${row.join(", ")}\n`);
}

function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").replace(/../g, "\\x$&");
}
