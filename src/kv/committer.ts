// Commits: the overlay's records of one moment, the slot, and now and then a part of a checkpoint of the index.
// What a restart finds is what the last flushed commit said, exactly.
import { assert } from "../base/assert.js";
import { Compactor } from "./compactor.js";
import { type Checkpoint, encodeHead, FRESH_HEAD, type Head } from "./head.js";
import { ChunkEncoder } from "./index-checkpoint.js";
import type { MvccStore } from "./mvcc-store.js";
import { type CheckpointChunk, type RecordStore, type RevisionKey, seal } from "./record-store.js";

/** How checkpoints of the index are paced; results do not depend on it. */
export interface CheckpointPace {
  /** One is made when a restart would read this many records, or a quarter as many as there are keys. */
  readonly records: number;
  /** Keys that a commit adds to one under way: at least so many, and so many for each of its records. */
  readonly keys: number;
  readonly keysPerRecord: number;
  /** Keys in a chunk at most: about 2 ms of work. */
  readonly chunkKeys: number;
}

const PACE: CheckpointPace = { records: 50_000, keys: 4_000, keysPerRecord: 8, chunkKeys: 1_000 };

/** Tombstones that wait for a checkpoint at most, about. */
const CHECKPOINT_TOMBSTONES = 50_000;
/** What a compaction that is not durable yet counts for, so that it is committed. */
const COMPACTION_BYTES = 64;

interface CheckpointUnderWay {
  readonly generation: number;
  readonly base: number;
  /** `MvccStore.indexed` at its base. */
  readonly indexed: number;
  chunks: number;
  /** Where the next chunk starts; null: every key is in. */
  next: string | null;
}

/** A checkpoint that is whole; `indexed` as above. */
interface Finished {
  readonly checkpoint: Checkpoint;
  readonly indexed: number;
}

export class Committer {
  readonly #records: RecordStore;
  readonly #store: MvccStore;
  compactor: Compactor;
  #head: Head;
  readonly #pace: CheckpointPace;
  #underWay: CheckpointUnderWay | null = null;
  /** `MvccStore.indexed` at the base of the last checkpoint: what came after it is read at a restart. */
  #covered = 0;
  #isCommitting = false;
  /** The state came from a snapshot, and no commit has made it durable yet. */
  #isReplaced = false;

  constructor(records: RecordStore, store: MvccStore, head: Head, pace = PACE) {
    this.#records = records;
    this.#pace = pace;
    this.#store = store;
    this.#head = head;
    this.compactor = new Compactor(store, records, head.compactRevision, head.checkpoint.base);
    this.compactor.committed(head.compactRevision);
  }

  /** The committer of a state that replaces this one's; the head stays until that state is committed. */
  replacedBy(store: MvccStore): Committer {
    const head = {
      ...this.#head,
      checkpoint: { ...FRESH_HEAD.checkpoint, generation: this.#nextGeneration() },
    };
    const ofRestored = { ...head, compactRevision: FRESH_HEAD.compactRevision };
    const next = new Committer(this.#records, store, ofRestored, this.#pace);
    next.#isReplaced = true;
    return next;
  }

  #nextGeneration(): number {
    return (this.#underWay?.generation ?? this.#head.checkpoint.generation) + 1;
  }

  held(): { slot: number; meta: Uint8Array } {
    return { slot: this.#head.slot, meta: this.#head.meta };
  }

  /** The one of the last commit; null while another may be taking its place. */
  get checkpoint(): Checkpoint | null {
    return this.#isCommitting ? null : this.#head.checkpoint;
  }

  uncommittedBytes(): number {
    const isCompacted = this.#store.compactRevision !== this.#head.compactRevision || this.#isReplaced;
    return this.#store.overlay.bytes + (isCompacted ? COMPACTION_BYTES : 0);
  }

  async stop(): Promise<void> {
    assert(!this.#isCommitting, "the commit under way is awaited first");
    await this.compactor.stop();
  }

  async commit(slot: number, meta: Uint8Array): Promise<void> {
    assert(!this.#isCommitting, "one commit at a time");
    assert(slot >= this.#head.slot, "a commit never goes back");
    if (this.compactor.failure !== null) throw this.compactor.failure;
    this.#isCommitting = true;
    const { revision, compactRevision, overlay, index } = this.#store;
    const digest = this.#store.digest.lanes;
    const keys = { live: index.live, sum: index.sum };
    const append = overlay.beginCommit();
    let remove: RevisionKey[] = [];
    let head: Head;
    let finished: Finished | null = null;
    try {
      const chunks = await this.#advanceCheckpoint(append.length, revision);
      finished = this.#finishedCheckpoint();
      const checkpoint = finished?.checkpoint ?? this.#head.checkpoint;
      if (finished !== null) remove = await this.compactor.takeDeferred(checkpoint.base);
      head = { slot, meta: meta.slice(), revision, compactRevision, digest, checkpoint, keys };
      const keepGenerations = [checkpoint.generation, this.#underWay?.generation ?? checkpoint.generation];
      await this.#records.commit({
        head: encodeHead(head),
        revision,
        append,
        remove,
        chunks,
        keepGenerations,
      });
    } catch (error) {
      this.#notCommitted(remove);
      throw error;
    }
    overlay.committed();
    this.#head = head;
    this.#isCommitting = false;
    this.#isReplaced = false;
    if (finished !== null) {
      this.#covered = finished.indexed;
      this.compactor.checkpointed(head.checkpoint.base);
    }
    this.compactor.committed(compactRevision);
  }

  /** A later commit has all of it again; a checkpoint under way is begun anew. */
  #notCommitted(remove: readonly RevisionKey[]): void {
    this.#store.overlay.notCommitted();
    this.compactor.defer(remove);
    this.#underWay = null;
    this.#isCommitting = false;
  }

  /** Chunks for this commit; starts a checkpoint up to `revision` when one is due. */
  async #advanceCheckpoint(recordsInCommit: number, revision: number): Promise<CheckpointChunk[]> {
    if (this.#underWay === null && !this.#isDue()) return [];
    this.#underWay ??= {
      generation: this.#nextGeneration(),
      base: revision,
      indexed: this.#store.indexed,
      chunks: 0,
      next: "",
    };
    const underWay = this.#underWay;
    const chunks: CheckpointChunk[] = [];
    let budget = Math.max(this.#pace.keys, recordsInCommit * this.#pace.keysPerRecord);
    while (budget > 0 && underWay.next !== null) {
      const encoder = new ChunkEncoder(this.#store, underWay.next, underWay.base, this.#pace.chunkKeys);
      while (!encoder.step()) await this.#records.turn();
      const { generation, chunks: number } = underWay;
      chunks.push({ generation, number, sealed: seal(encoder.take(), generation, number) });
      underWay.chunks += 1;
      underWay.next = encoder.next;
      budget -= encoder.keys;
      await this.#records.turn();
    }
    return chunks;
  }

  /** Records count, not revisions: a transaction makes many records at one revision. */
  #isDue(): boolean {
    const records = this.#store.indexed - this.#covered;
    if (records >= Math.max(this.#pace.records, this.#store.index.size / 4)) return true;
    return this.compactor.deferredCount >= CHECKPOINT_TOMBSTONES;
  }

  #finishedCheckpoint(): Finished | null {
    const underWay = this.#underWay;
    if (underWay === null || underWay.next !== null) return null;
    this.#underWay = null;
    const { generation, chunks, base, indexed } = underWay;
    return { checkpoint: { generation, chunks, base }, indexed };
  }
}
