// The KV store as a replicated state machine that keeps its state on disk itself: commands are applied in memory
// and to the overlay; a commit takes what is there at its moment to the record store, with the slot.
import { unreachable } from "../base/assert.js";
import type { DurableState, ScrubStep, StateMachine } from "../machine/machine.js";
import type { RangeRequest } from "../proto/gen/rpc.js";
import { applyCommand } from "./apply.js";
import { checkQuery, growsState } from "./check.js";
import { decodeCommand, encodeCommand } from "./codec.js";
import type { KvAnswer, KvCommand, KvQuery, KvRefusal, KvResult } from "./commands.js";
import { type CheckpointPace, Committer } from "./committer.js";
import { frozenRecords } from "./frozen.js";
import { loadSnapshot, loadStore } from "./loader.js";
import type { MvccStore } from "./mvcc-store.js";
import { RangeRead, STEP_BUDGET } from "./range.js";
import type { RecordStore } from "./record-store.js";
import { Scrub } from "./scrub.js";
import { BadSnapshot, encodeEndFrame, encodeHeaderFrame, RecordsFrames } from "./snapshot.js";
import { SnapshotFrames } from "./snapshot-frames.js";
import { StateHash } from "./state-hash.js";
import { queryTxn } from "./txn.js";

export class KvMachine implements StateMachine<KvCommand, KvResult, KvQuery, KvAnswer>, DurableState {
  readonly durable: DurableState = this;
  readonly #records: RecordStore;
  #store: MvccStore;
  #committer: Committer;
  #scrub: Scrub;

  private constructor(records: RecordStore, store: MvccStore, committer: Committer) {
    this.#records = records;
    this.#store = store;
    this.#committer = committer;
    this.#scrub = new Scrub(records, store);
  }

  /** Takes up what the store holds, and closes it when it is closed itself. Throws `StoreCorrupt`. */
  static async open(records: RecordStore, pace?: CheckpointPace): Promise<KvMachine> {
    const { head, store } = await loadStore(records);
    return new KvMachine(records, store, new Committer(records, store, head, pace));
  }

  encode(command: KvCommand): Uint8Array {
    return encodeCommand(command);
  }

  decode(bytes: Uint8Array): KvCommand {
    return decodeCommand(bytes);
  }

  /** Throws `StoreCorrupt` when a record that it needs is damaged: then this replica must not go on. */
  apply(command: KvCommand): KvResult {
    return applyCommand(this.#store, command);
  }

  grows(command: KvCommand): boolean {
    return growsState(command);
  }

  query(query: KvQuery): KvAnswer | Promise<KvAnswer> {
    const refusal = checkQuery(query);
    if (refusal !== null) return this.#refused(refusal);
    const store = this.#store;
    const revision = store.revision;
    switch (query.kind) {
      case "range":
        return this.#range(query.request);
      case "txn": {
        const response = queryTxn(store, query.request);
        return typeof response === "string" ? this.#refused(response) : { kind: "txn", revision, response };
      }
      case "status": {
        const { total, inUse } = this.#records.size();
        const compactRevision = Math.max(0, store.compactRevision);
        const keys = store.index.live;
        return { kind: "status", revision, compactRevision, keys, size: total, sizeInUse: inUse };
      }
      case "hash":
        return this.#hash();
      default:
        return unreachable(query);
    }
  }

  #refused(refusal: KvRefusal): KvAnswer {
    return { kind: "refused", revision: this.#store.revision, refusal };
  }

  #range(request: RangeRequest): KvAnswer | Promise<KvAnswer> {
    const store = this.#store;
    const revision = store.revision;
    const refusal = store.refusesRead(request.revision);
    if (refusal !== null) return this.#refused(refusal);
    const read = new RangeRead(store, request);
    if (read.step(STEP_BUDGET)) return { kind: "range", revision, response: read.finish() };
    return this.#longRange(read, store, revision, request);
  }

  async #longRange(
    read: RangeRead,
    store: MvccStore,
    revision: number,
    request: RangeRequest,
  ): Promise<KvAnswer> {
    const compactor = this.#committer.compactor;
    compactor.pin(read.revision);
    try {
      do {
        await this.#records.turn();
        // A snapshot has replaced the state: what was read is of a state that is gone.
        if (store !== this.#store) return this.#range(request);
      } while (!read.step(STEP_BUDGET));
    } finally {
      compactor.unpin(read.revision);
    }
    return { kind: "range", revision, response: read.finish() };
  }

  async #hash(): Promise<KvAnswer> {
    const store = this.#store;
    const { revision, compactRevision } = store;
    const hash = new StateHash();
    hash.number(revision);
    hash.number(compactRevision + 1);
    const compactor = this.#committer.compactor;
    compactor.pin(compactRevision);
    try {
      const take = (main: number, sub: number, body: Uint8Array) => {
        hash.number(main);
        hash.number(sub);
        hash.bytes(body);
      };
      for await (const _ of frozenRecords(store, this.#records, revision, compactRevision, take)) {
        if (store !== this.#store) return this.#hash();
      }
    } finally {
      compactor.unpin(compactRevision);
    }
    return { kind: "hash", revision, hash: hash.digest() };
  }

  snapshot(): AsyncIterableIterator<Uint8Array> {
    const store = this.#store;
    const { revision, compactRevision } = store;
    const { compactor } = this.#committer;
    compactor.pin(compactRevision);
    const header = encodeHeaderFrame(revision, compactRevision, store.digest.lanes);
    const frames = this.#frames(store, revision, compactRevision, header);
    return new SnapshotFrames(frames, () => compactor.unpin(compactRevision));
  }

  async *#frames(
    store: MvccStore,
    revision: number,
    compactRevision: number,
    header: Uint8Array,
  ): AsyncGenerator<Uint8Array> {
    yield header;
    const frames = new RecordsFrames();
    const take = (main: number, sub: number, body: Uint8Array) => frames.add(main, sub, body);
    let count = 0;
    for await (const taken of frozenRecords(store, this.#records, revision, compactRevision, take)) {
      if (store !== this.#store) throw new BadSnapshot("the state was replaced while its snapshot was made");
      count += taken;
      yield frames.end();
    }
    yield encodeEndFrame(count);
  }

  /** Throws `BadSnapshot`; then nothing has changed. Durable with the next `commit`. */
  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const replacement = await this.#records.replacement();
    let store: MvccStore;
    try {
      store = await loadSnapshot(chunks, this.#records, replacement);
    } catch (error) {
      await replacement.abandon();
      throw error;
    }
    await this.#committer.stop();
    this.#records.adopt(replacement);
    this.#store = store;
    this.#committer = this.#committer.replacedBy(store);
    this.#scrub = new Scrub(this.#records, store);
  }

  digest(): number {
    return this.#store.digest.value;
  }

  held(): { slot: number; meta: Uint8Array } {
    return this.#committer.held();
  }

  commit(slot: number, meta: Uint8Array): Promise<void> {
    return this.#committer.commit(slot, meta);
  }

  uncommittedBytes(): number {
    return this.#committer.uncommittedBytes();
  }

  condemn(reason: string): Promise<void> {
    return this.#records.condemn(reason);
  }

  scrub(isOver: () => boolean): ScrubStep {
    return this.#records.risk(() => this.#scrub.step(this.#committer.checkpoint, isOver));
  }

  /** Resolves when everything that a compaction lets go is freed; for tests and orderly measurements. */
  async settled(): Promise<void> {
    await this.#committer.compactor.settled();
  }

  async close(): Promise<void> {
    await this.#committer.stop();
    await this.#records.close();
  }
}
