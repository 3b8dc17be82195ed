// What the stores of replicas hold when they start: the state of exactly the slot that they name (14), and the same
// records everywhere (13). etcd 3.5 was wrong here: the index in its store ran ahead of the data.
import { bytesEqual } from "../base/bytes.js";
import { decodeHead, FRESH_HEAD } from "../kv/head.js";
import type { RecordStore } from "../kv/record-store.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { InvariantBroken } from "./ghost.js";
import type { Executions } from "./watched-machine.js";

const SLICE = 500;

export class StoredStates {
  readonly #executions: Executions;
  /** Each record, as the first store had it; by revision, then by its place in that. */
  readonly #records: Uint8Array[][];
  /** Records up to it were compared; they are never written again. */
  readonly #comparedUpTo: Map<ReplicaId, number>;

  constructor(executions: Executions) {
    this.#executions = executions;
    this.#records = [];
    this.#comparedUpTo = new Map();
  }

  /** To be called when `id` starts. Throws `InvariantBroken`. */
  onStart(id: ReplicaId, store: RecordStore): void {
    const bytes = store.head();
    const { slot, revision, compactRevision } = bytes === undefined ? FRESH_HEAD : decodeHead(bytes);
    const expected = this.#executions.revisionAt(slot);
    if (revision !== expected) {
      throw new InvariantBroken(
        `atomicApply: ${id} has stored revision ${revision} with slot ${slot}, after which it is ${expected}`,
      );
    }
    const from = Math.max(this.#comparedUpTo.get(id) ?? FRESH_HEAD.revision, compactRevision);
    this.#compare(id, store, from + 1, revision);
    this.#comparedUpTo.set(id, Math.max(from, revision));
  }

  #compare(id: ReplicaId, store: RecordStore, from: number, to: number): void {
    let seen = from - 1;
    let sub = 0;
    for (let isMore = true; isMore; ) {
      const records = store.scan(Math.max(seen, from), sub, SLICE);
      for (const { main, sub: place, body } of records) {
        if (main > to) break;
        if (main > seen + 1) this.#fail(id, seen + 1, "is missing");
        if (!this.#isAsElsewhere(main, place, body)) this.#fail(id, main, "is another than elsewhere");
        seen = main;
        sub = place + 1;
      }
      isMore = records.length === SLICE && records.at(-1)!.main <= to;
    }
    if (seen < to) this.#fail(id, seen + 1, "is missing");
  }

  #isAsElsewhere(main: number, place: number, body: Uint8Array): boolean {
    let known = this.#records[main];
    if (known === undefined) {
      known = [];
      this.#records[main] = known;
    }
    const first = known[place];
    if (first !== undefined) return bytesEqual(first, body);
    known[place] = body;
    return true;
  }

  #fail(id: ReplicaId, revision: number, what: string): never {
    throw new InvariantBroken(`storedRecords: the record of revision ${revision} at ${id} ${what}`);
  }
}
