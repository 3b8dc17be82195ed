// Executing a command. It is total: whatever the request holds, the answer is a result or a refusal, and the
// same on every replica, because it rests on nothing but the state and the request.
import { unreachable } from "../base/assert.js";
import { checkCommand } from "./check.js";
import type { KvCommand, KvRefusal, KvResult } from "./commands.js";
import type { MvccStore } from "./mvcc-store.js";
import { executeDelete, executePut, executeTxn } from "./txn.js";

export function applyCommand(store: MvccStore, command: KvCommand): KvResult {
  const outcome = execute(store, command);
  if (typeof outcome !== "string") return outcome;
  store.digest.refusal(outcome);
  return { kind: "refused", revision: store.revision, refusal: outcome };
}

function execute(store: MvccStore, command: KvCommand): KvResult | KvRefusal {
  const refusal = checkCommand(command);
  if (refusal !== null) return refusal;
  switch (command.kind) {
    case "put": {
      const { request } = command;
      if (request.lease !== 0n) return "leaseNotFound";
      if ((request.ignoreValue || request.ignoreLease) && !store.has(request.key)) return "keyNotFound";
      store.beginChange();
      const response = executePut(store, request);
      store.endChange();
      return { kind: "put", revision: store.revision, response };
    }
    case "deleteRange": {
      store.beginChange();
      const response = executeDelete(store, command.request);
      store.endChange();
      return { kind: "deleteRange", revision: store.revision, response };
    }
    case "txn": {
      const response = executeTxn(store, command.request);
      return typeof response === "string" ? response : { kind: "txn", revision: store.revision, response };
    }
    case "compact": {
      const refused = store.compact(command.request.revision);
      return refused ?? { kind: "compact", revision: store.revision, response: { header: undefined } };
    }
    default:
      return unreachable(command);
  }
}
