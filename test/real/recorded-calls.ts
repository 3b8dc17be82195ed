// Requests of a history, asked with etcd3's client, and recorded with their times and outcomes in the format of
// docs/history-format.md; so that histories of real processes are checked as those of simulated ones are.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Etcd3, IKeyValue, IResponseOp } from "etcd3";
import { checkHistory } from "../../src/sim/history/check.js";
import { encodeHistory } from "../../src/sim/history/json-lines.js";
import type {
  HistoryOperation,
  KeyValue,
  Outcome,
  PlainRequest,
  PlainResponse,
  Request,
  Response,
} from "../../src/sim/history/operation.js";
import { toldOfChange } from "../../src/sim/history/operation.js";

interface Told {
  readonly revision: number;
  readonly response: Response;
}

type Recorded = { -readonly [Field in keyof HistoryOperation]: HistoryOperation[Field] };

export class RecordedCalls {
  readonly operations: Recorded[] = [];

  /** What `client` was told, and what it told others of it. Rejects as etcd3 does. */
  async ask<Asked extends Request>(
    client: number,
    etcd: Etcd3,
    request: Asked,
  ): Promise<Extract<Response, { kind: Asked["kind"] }>> {
    const recorded: Recorded = {
      process: client,
      call: performance.now(),
      return: Number.POSITIVE_INFINITY,
      request,
      outcome: { kind: "unknown" },
    };
    this.operations.push(recorded);
    try {
      const told = await call(etcd, request);
      recorded.return = performance.now();
      recorded.outcome = { kind: "ok", ...told } satisfies Outcome;
      return told.response as Extract<Response, { kind: Asked["kind"] }>;
    } catch (error) {
      // What etcd3 rejects with does not tell whether a change took effect; a read has none.
      if (request.kind === "get") {
        recorded.outcome = { kind: "failed" };
        recorded.return = performance.now();
      }
      throw error;
    }
  }

  /**
   * Reads the whole store as it was at each revision that no write was told: an old state, as a local read sees it.
   * So the check need not search which of hundreds of unanswered writes stands there.
   */
  async readUntold(client: number, etcd: Etcd3): Promise<void> {
    for (const revision of untoldRevisions(this.operations)) {
      const asked = performance.now();
      const range = await etcd.kv.range({ ...ALL, revision: String(revision) });
      this.operations.push({
        process: client,
        call: asked,
        return: performance.now(),
        request: { kind: "get", key: "\0", rangeEnd: "\0", local: true },
        outcome: { kind: "ok", revision, response: { kind: "get", kvs: range.kvs.map(keyValueOf) } },
      });
    }
  }

  /** All that was told, in the order of revisions and by search, key by key. A file keeps what is wrong. */
  check(): void {
    const { verdict, evidence } = checkHistory(this.operations);
    if (verdict === "linearizable") return;
    const file = join(mkdtempSync(join(tmpdir(), "synod-history-")), "history.jsonl");
    writeFileSync(file, encodeHistory(this.operations));
    assert.fail(`${verdict}: ${evidence}; it is in ${file}`);
  }
}

/** In etcd's words all keys: from the first on, without end. */
const ALL = { key: Buffer.from("\0"), range_end: Buffer.from("\0") } as const;

function untoldRevisions(operations: readonly HistoryOperation[]): number[] {
  const told = new Set([1]);
  let highest = 1;
  for (const { outcome } of operations) {
    if (outcome.kind !== "ok") continue;
    highest = Math.max(highest, outcome.revision);
    if (toldOfChange(outcome.response)) told.add(outcome.revision);
  }
  return Array.from({ length: highest }, (_, i) => i + 1).filter((revision) => !told.has(revision));
}

async function call(etcd: Etcd3, request: Request): Promise<Told> {
  switch (request.kind) {
    case "get": {
      const { key, rangeEnd = "", local = false } = request;
      const range = await etcd.kv.range({
        key: Buffer.from(key),
        range_end: Buffer.from(rangeEnd),
        serializable: local,
      });
      return told(range.header, { kind: "get", kvs: range.kvs.map(keyValueOf) });
    }
    case "put": {
      const put = await etcd.kv.put({
        key: Buffer.from(request.key),
        value: Buffer.from(request.value),
        prev_kv: request.prevKv === true,
      });
      return told(put.header, {
        kind: "put",
        prevKv: request.prevKv === true ? previousOf(put.prev_kv) : null,
      });
    }
    case "delete": {
      const { key, rangeEnd = "" } = request;
      const gone = await etcd.kv.deleteRange({ key: Buffer.from(key), range_end: Buffer.from(rangeEnd) });
      return told(gone.header, { kind: "delete", deleted: Number(gone.deleted) });
    }
    case "txn": {
      const [first, ...more] = request.compares;
      assert.ok(first !== undefined, "a transaction compares something");
      const columns = { value: "Value", version: "Version", create: "Create", mod: "Mod" } as const;
      const relations = { "=": "==", "!=": "!==", ">": ">", "<": "<" } as const;
      const builder = etcd.if(first.key, columns[first.target], relations[first.relation], first.operand);
      for (const { key, target, relation, operand } of more) {
        builder.and(key, columns[target], relations[relation], operand);
      }
      const txn = await builder
        .then(...request.success.map(operationOf))
        .else(...request.failure.map(operationOf))
        .commit();
      const responses = txn.responses.map(responseOf);
      return told(txn.header, { kind: "txn", succeeded: txn.succeeded, responses });
    }
  }
}

function told(header: { readonly revision: string }, response: Response): Told {
  return { revision: Number(header.revision), response };
}

function operationOf(request: PlainRequest) {
  const key = Buffer.from(request.key);
  if (request.kind === "put") {
    return { request_put: { key, value: Buffer.from(request.value), prev_kv: request.prevKv === true } };
  }
  const range = { key, range_end: Buffer.from(request.rangeEnd ?? "") };
  return request.kind === "get" ? { request_range: range } : { request_delete_range: range };
}

function responseOf(response: IResponseOp): PlainResponse {
  // grpc-js gives all fields of a `oneof`; only one is there.
  const { response_put: put, response_range: range, response_delete_range: gone } = response;
  if (put) return { kind: "put", prevKv: previousOf(put.prev_kv) };
  if (range) return { kind: "get", kvs: range.kvs.map(keyValueOf) };
  return { kind: "delete", deleted: Number(gone.deleted) };
}

function previousOf(kv: IKeyValue | null | undefined): KeyValue | null {
  return kv ? keyValueOf(kv) : null;
}

function keyValueOf({ key, value, create_revision, mod_revision, version }: IKeyValue): KeyValue {
  return {
    key: key.toString(),
    value: value.toString(),
    createRevision: Number(create_revision),
    modRevision: Number(mod_revision),
    version: Number(version),
  };
}
