// A small sequential model of etcd's key-value store: the oracle, and for that written without a look at src/kv/.
// Rule: the first revision is 1; whatever changes something raises it by one, and a whole transaction once.
import type { KeyTable } from "./key-table.js";
import type {
  Compare,
  KeyRange,
  KeyValue,
  PlainRequest,
  PlainResponse,
  Request,
  Response,
} from "./operation.js";
import { compareTexts } from "./order.js";

interface Change {
  readonly id: number;
  readonly before: KeyValue | null;
}

/** A state to go back to. */
export interface Mark {
  readonly changes: number;
  readonly revision: number;
}

export class StoreModel {
  revision = 1;
  readonly #table: KeyTable;
  readonly #kvs: (KeyValue | null)[];
  /** Changes since `remember`, or null as long as nobody wants to go back. */
  #changes: Change[] | null = null;
  #hasChanged = false;

  /** `table` names every key that any request will. */
  constructor(table: KeyTable) {
    this.#table = table;
    this.#kvs = new Array<KeyValue | null>(table.keys.length).fill(null);
  }

  /** Another store with the same state; it remembers nothing. */
  copy(): StoreModel {
    const other = new StoreModel(this.#table);
    other.revision = this.revision;
    for (const [id, kv] of this.#kvs.entries()) other.#kvs[id] = kv;
    return other;
  }

  /** From now on `goBack` can undo. */
  remember(): void {
    this.#changes ??= [];
  }

  mark(): Mark {
    return { changes: this.#changes?.length ?? 0, revision: this.revision };
  }

  goBack(mark: Mark): void {
    const changes = this.#changes ?? [];
    while (changes.length > mark.changes) {
      const { id, before } = changes.pop()!;
      this.#kvs[id] = before;
    }
    this.revision = mark.revision;
  }

  /** A text that is equal for equal states. */
  identity(): string {
    const present = this.#kvs.filter((kv) => kv !== null);
    return JSON.stringify([this.revision, present.map((kv) => Object.values(kv))]);
  }

  kvOf(key: string): KeyValue | null {
    return this.#kvs[this.#table.idOf(key)] ?? null;
  }

  /** Executes a request; the revision after it is `this.revision`. */
  apply(request: Request): Response {
    this.#hasChanged = false;
    const response = request.kind === "txn" ? this.#applyTxn(request) : this.#applyPlain(request);
    if (this.#hasChanged) this.revision += 1;
    return response;
  }

  #applyTxn(request: Request & { kind: "txn" }): Response {
    const succeeded = request.compares.every((compare) => holds(compare, this.kvOf(compare.key)));
    const requests = succeeded ? request.success : request.failure;
    return { kind: "txn", succeeded, responses: requests.map((plain) => this.#applyPlain(plain)) };
  }

  #applyPlain(request: PlainRequest): PlainResponse {
    switch (request.kind) {
      case "get":
        return { kind: "get", kvs: this.#present(request) };
      case "put":
        return { kind: "put", prevKv: this.#put(request.key, request.value, request.prevKv === true) };
      case "delete": {
        const present = this.#present(request);
        for (const { key } of present) this.#set(this.#table.idOf(key), null);
        return { kind: "delete", deleted: present.length };
      }
    }
  }

  #present({ key, rangeEnd }: KeyRange): KeyValue[] {
    const end = this.#table.endOf(key, rangeEnd);
    const kvs: KeyValue[] = [];
    for (let id = this.#table.firstOf(key); id < end; id += 1) {
      const kv = this.#kvs[id]!;
      if (kv !== null) kvs.push(kv);
    }
    return kvs;
  }

  #put(key: string, value: string, wantsPrevious: boolean): KeyValue | null {
    const id = this.#table.idOf(key);
    const before = this.#kvs[id]!;
    const modRevision = this.revision + 1;
    const createRevision = before === null ? modRevision : before.createRevision;
    const version = before === null ? 1 : before.version + 1;
    this.#set(id, { key, value, createRevision, modRevision, version });
    return wantsPrevious ? before : null;
  }

  #set(id: number, kv: KeyValue | null): void {
    this.#changes?.push({ id, before: this.#kvs[id]! });
    this.#kvs[id] = kv;
    this.#hasChanged = true;
  }
}

/** A missing key has no value, so that no comparison of values holds, and 0 for all else. */
function holds(compare: Compare, kv: KeyValue | null): boolean {
  if (compare.target === "value") {
    return kv !== null && relates(compare.relation, compareTexts(kv.value, String(compare.operand)));
  }
  const number = numberOf(compare.target, kv);
  return relates(compare.relation, number - Number(compare.operand));
}

function numberOf(target: "version" | "create" | "mod", kv: KeyValue | null): number {
  if (kv === null) return 0;
  if (target === "version") return kv.version;
  return target === "create" ? kv.createRevision : kv.modRevision;
}

/** `order` is negative, 0 or positive, as the left side is below, at or above the right one. */
export function relates(relation: Compare["relation"], order: number): boolean {
  switch (relation) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case ">":
      return order > 0;
    case "<":
      return order < 0;
  }
}
