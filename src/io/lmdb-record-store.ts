// Records in lmdb, keyed by revision. lmdb has no checksums, so every value is sealed; it is opened so that after
// a crash only what was flushed counts (`safeRestore`), and with a fixed map, because a growing one is mapped twice.
import type { Database } from "lmdb";
import { assert } from "../base/assert.js";
import { isNoSpace } from "../base/no-space.js";
import {
  chunkName,
  headName,
  type ReadRecord,
  type RecordBatch,
  type RecordStore,
  type Replacement,
  type RevisionKey,
  recordName,
  StoreCorrupt,
  type StoredRecord,
  sealedCopy,
  type TakeRecord,
  unseal,
} from "../kv/record-store.js";
import { answered } from "./lmdb-answer.js";
import { type LmdbStats, openDatabase, threadsOf } from "./lmdb-database.js";
import { damaged, isOfDamage } from "./lmdb-errors.js";
import { leaveOpenAtExit } from "./lmdb-exit.js";
import { assertIsLmdb } from "./lmdb-file.js";
import {
  AREAS,
  checkRecordKey,
  chunkKey,
  mainOf,
  recordKey,
  subOf,
  TAG_CHUNK,
  TAG_END,
  TAG_HEAD,
} from "./lmdb-keys.js";
import { inRoom } from "./lmdb-no-space.js";
import { LmdbReplacement } from "./lmdb-replacement.js";
import { makeRoomForFiles } from "./lmdb-room.js";
import type { WriteThreads } from "./lmdb-threads.js";
import { ValueCopies } from "./lmdb-values.js";
import { LmdbWrites } from "./lmdb-writes.js";
import { type StoreWatch, UNWATCHED } from "./store-watch.js";

/** Writes handed to lmdb between two pauses: about 2 ms. */
const SLICE_WRITES = 1_000;
/** Area and revision of the head, before the owner's bytes. */
const HEAD_FACTS = 10;
const PASS: (head: Uint8Array) => void = () => {};

interface UnreadRecord extends RevisionKey {
  /** Throws `StoreCorrupt`. */
  read(): Uint8Array;
}

export class LmdbRecordStore implements RecordStore {
  readonly #db: Database<Buffer, Uint8Array>;
  readonly #threads: WriteThreads;
  readonly #values: ValueCopies;
  readonly #directory: string;
  readonly #watch: StoreWatch;
  /** Records of a replacement lie in another area until a commit makes it this one. */
  #area: number;
  /** Those that a replacement took the place of, until a commit has been durable and tidied. */
  #leftAreas: number[];
  /** What was handed to lmdb has failed: it never says then that it is flushed, or closed. */
  #hasFailed: boolean;
  /** The last write had no room: lmdb says that it is flushed only after one that has. */
  #hadNoRoom: boolean;
  /** Records of this area that a commit had to remove, and had no room to. */
  #needless: readonly RevisionKey[];

  private constructor(directory: string, watch: StoreWatch) {
    this.#values = new ValueCopies();
    this.#db = openDatabase(directory, this.#values);
    this.#threads = threadsOf(this.#db);
    this.#directory = directory;
    this.#watch = watch;
    this.#hasFailed = false;
    this.#hadNoRoom = false;
    this.#needless = [];
    this.#area = 0;
    this.#leftAreas = [];
  }

  /**
   * Opens or makes the store in a directory of its own. Throws `StoreCorrupt`, or what lmdb says, or what `look` does,
   * which is shown the head, if there is one, before left-overs are removed: another format may mean something by them.
   */
  static async open(directory: string, watch = UNWATCHED, look = PASS): Promise<LmdbRecordStore> {
    await assertIsLmdb(directory);
    await makeRoomForFiles(directory);
    const store = new LmdbRecordStore(directory, watch);
    try {
      await store.#takeUp(look);
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  risk<T>(read: () => T): T {
    this.#watch.risks?.(true);
    try {
      return read();
    } finally {
      this.#watch.risks?.(false);
    }
  }

  /** Whatever lmdb throws at a read is damage: a refusal of the command that needs the record it is not (F32). */
  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw error instanceof StoreCorrupt ? error : damaged(error);
    }
  }

  /** After a write (of about `bytes`) that had no room lmdb goes on; after any other that fails it does not. */
  async #writing(bytes: number, write: () => Promise<void>): Promise<void> {
    try {
      await inRoom(this.#directory, bytes, write);
      this.#hadNoRoom = false;
    } catch (error) {
      this.#hadNoRoom = isNoSpace(error);
      if (this.#hadNoRoom) throw error;
      this.#hasFailed = true;
      leaveOpenAtExit();
      throw isOfDamage(error) ? damaged(error) : error;
    }
  }

  /** A write that fails at the disk is no damage of what is stored, though lmdb takes nothing after it. */
  #answered(answer: Promise<unknown>): Promise<void> {
    return answered(answer, () => {
      try {
        // Only a new transaction is told that lmdb has given up.
        this.#db.resetReadTxn();
        this.#db.getBinary(Buffer.of(TAG_HEAD));
      } catch (error) {
        throw new Error(`lmdb has given up, for a write has failed: ${(error as Error).message}`, {
          cause: error,
        });
      }
    });
  }

  /** Reads the head, and removes what a crash left of commits and replacements that never were. */
  async #takeUp(look: (head: Uint8Array) => void): Promise<void> {
    const facts = this.#readHead();
    let revision = 0;
    if (facts !== undefined) {
      look(facts.subarray(HEAD_FACTS));
      const view = Buffer.from(facts.buffer, facts.byteOffset, facts.length);
      this.#area = view.readUInt16BE(0);
      revision = view.readUInt32BE(2) * 2 ** 32 + view.readUInt32BE(6);
    }
    await this.#writing(0, async () => {
      await this.#removeKeys(recordKey(0, 0, 0), recordKey(this.#area, 0, 0));
      await this.#removeKeys(recordKey(this.#area, revision + 1, 0), Buffer.of(TAG_CHUNK));
    });
  }

  #readHead(): Uint8Array | undefined {
    const sealed = this.#reading(() => this.#db.getBinary(Buffer.of(TAG_HEAD)));
    return sealed === undefined ? undefined : unseal(sealed, 0, 0, headName);
  }

  async #removeKeys(start: Buffer, end: Buffer): Promise<void> {
    for (let from = start; ; ) {
      const writes = new LmdbWrites();
      let key: Uint8Array = from;
      this.#db.resetReadTxn();
      for (key of this.#db.getKeys({ start, end, limit: SLICE_WRITES })) {
        // In a damaged tree lmdb may show what is removed again and again.
        if (Buffer.compare(key, from) < 0) throw damaged(new Error("it shows keys that were removed"));
        writes.add(this.#db.remove(key as Buffer));
      }
      if (writes.isEmpty) return;
      from = Buffer.concat([key, Buffer.of(0)]);
      await this.#answered(writes.done());
      this.#watch.goesOn?.();
    }
  }

  head(): Uint8Array | undefined {
    return this.#readHead()?.subarray(HEAD_FACTS);
  }

  read(main: number, sub: number): Uint8Array | undefined {
    const sealed = this.#reading(() => this.#db.getBinary(recordKey(this.#area, main, sub)));
    return sealed === undefined ? undefined : unseal(sealed, main, sub, recordName);
  }

  scan(main: number, sub: number, limit: number): ReadRecord[] {
    const found: ReadRecord[] = [];
    this.#walk(this.#range(main, sub, limit), (main, sub, body) => found.push({ main, sub, body }) > 0);
    return found;
  }

  visit(main: number, sub: number, take: TakeRecord): void {
    this.#values.lend(() => this.#walk(this.#range(main, sub), take));
  }

  #walk(records: Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>, take: TakeRecord): void {
    const walk = this.#reading(() => records[Symbol.iterator]());
    const next = () => walk.next();
    for (let step = this.#reading(next); step.done !== true; step = this.#reading(next)) {
      let goesOn = false;
      try {
        const { key, value } = step.value;
        checkRecordKey(key);
        const main = mainOf(key);
        const sub = subOf(key);
        // Not within `#reading`: what it throws is no damage of the store.
        goesOn = take(main, sub, unseal(value, main, sub, recordName));
      } finally {
        if (!goesOn) walk.return?.();
      }
      if (!goesOn) return;
    }
  }

  /** Whether lmdb shows as many keys as it counts; if not, its pages are damaged. */
  showsEveryKey(): boolean {
    return this.#reading(() => {
      const { entryCount } = this.#db.getStats() as LmdbStats;
      let shown = 0;
      // In a damaged tree lmdb may go round in circles.
      for (const _ of this.#db.getKeys({ limit: entryCount + 1 })) shown += 1;
      return shown === entryCount;
    });
  }

  /** Every record, to be read one by one: one that is damaged hides no other. Throws `StoreCorrupt`. */
  *everything(): Generator<UnreadRecord> {
    try {
      for (const { key, value } of this.#range(0, 0, Number.POSITIVE_INFINITY)) {
        checkRecordKey(key);
        const main = mainOf(key);
        const sub = subOf(key);
        yield { main, sub, read: () => unseal(value, main, sub, recordName) };
      }
    } catch (error) {
      throw error instanceof StoreCorrupt ? error : damaged(error);
    }
  }

  #range(main: number, sub: number, limit = Number.POSITIVE_INFINITY) {
    const start = recordKey(this.#area, main, sub);
    const end = this.#area + 1 < AREAS ? recordKey(this.#area + 1, 0, 0) : Buffer.of(TAG_CHUNK);
    return this.#db.getRange({ start, end, limit });
  }

  chunk(generation: number, number: number): Uint8Array | undefined {
    const sealed = this.#reading(() => this.#db.getBinary(chunkKey(generation, number)));
    if (sealed === undefined) return undefined;
    return unseal(sealed, generation, number, chunkName);
  }

  /** Records come before the head in as many transactions of lmdb as it takes: without the head they do not count. */
  async commit(batch: RecordBatch): Promise<void> {
    const bytes = sizeOf(batch.append) + sizeOf(batch.chunks);
    await this.#writing(bytes, () => this.#commit(batch));
    this.#needless = this.#needless.concat(batch.remove);
    try {
      await this.#writing(bytes, () => this.#tidy(batch.keepGenerations));
    } catch (error) {
      // The commit is durable, and says so: what is left goes with a later one.
      if (!isNoSpace(error)) throw error;
    }
  }

  async #commit(batch: RecordBatch): Promise<void> {
    await this.#write(this.#area, batch.append);
    const chunks = new LmdbWrites();
    for (const { generation, number, sealed } of batch.chunks) {
      chunks.add(this.#put(chunkKey(generation, number), sealed));
      await this.turn();
    }
    // A transaction that has no room is no hindrance to a smaller one after it: that of the head.
    await this.#answered(chunks.done());
    const facts = Buffer.alloc(HEAD_FACTS + batch.head.length);
    facts.writeUInt16BE(this.#area, 0);
    facts.writeUInt32BE(Math.floor(batch.revision / 2 ** 32), 2);
    facts.writeUInt32BE(batch.revision % 2 ** 32, 6);
    facts.set(batch.head, HEAD_FACTS);
    const head = new LmdbWrites();
    head.add(this.#put(Buffer.of(TAG_HEAD), sealedCopy(facts, 0, 0)));
    // Asked for in the turn of the write, `flushed` stands for exactly this one's flush.
    await this.#answered(Promise.all([head.done(), this.#db.flushed]));
    // The transaction for reading is renewed now and not a turn later: what was appended must be there.
    this.#db.resetReadTxn();
  }

  /** What the head that is durable does not need. */
  async #tidy(keepGenerations: readonly number[]): Promise<void> {
    await this.#remove(this.#needless);
    this.#needless = [];
    await this.#removeOtherGenerations(keepGenerations);
    for (const area of this.#leftAreas) await this.#forget(area);
    this.#leftAreas = [];
  }

  async #write(area: number, records: readonly StoredRecord[]): Promise<void> {
    const writes = new LmdbWrites();
    for (let i = 0; i < records.length; i += 1) {
      const { main, sub, sealed } = records[i]!;
      writes.add(this.#put(recordKey(area, main, sub), sealed));
      if ((i + 1) % SLICE_WRITES === 0) await this.turn();
    }
    await this.#answered(writes.done());
  }

  #put(key: Buffer, sealed: Uint8Array): Promise<unknown> {
    return this.#db.put(key, Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length));
  }

  remove(revisions: readonly RevisionKey[]): Promise<void> {
    return this.#writing(0, () => this.#remove(revisions));
  }

  async #remove(revisions: readonly RevisionKey[]): Promise<void> {
    const writes = new LmdbWrites();
    for (let i = 0; i < revisions.length; i += 1) {
      writes.add(this.#db.remove(recordKey(this.#area, revisions[i]!.main, revisions[i]!.sub)));
      if ((i + 1) % SLICE_WRITES === 0) await this.turn();
    }
    await this.#answered(writes.done());
  }

  async #removeOtherGenerations(kept: readonly number[]): Promise<void> {
    let from = 0;
    for (const generation of [...kept].sort((a, b) => a - b)) {
      await this.#removeKeys(chunkKey(from, 0), chunkKey(generation, 0));
      from = generation + 1;
    }
    await this.#removeKeys(chunkKey(from, 0), Buffer.of(TAG_END));
  }

  async replacement(): Promise<Replacement> {
    const area = (this.#area + 1) % AREAS;
    await this.#writing(0, () => this.#forget(area));
    return new LmdbReplacement(
      area,
      (to, records) => this.#writing(sizeOf(records), () => this.#write(to, records)),
      (from) => this.#writing(0, () => this.#forget(from)),
    );
  }

  async #forget(area: number): Promise<void> {
    const end = area + 1 < AREAS ? recordKey(area + 1, 0, 0) : Buffer.of(TAG_CHUNK);
    await this.#removeKeys(recordKey(area, 0, 0), end);
  }

  adopt(replacement: Replacement): void {
    assert(replacement instanceof LmdbReplacement, "a replacement comes from the store that adopts it");
    this.#leftAreas.push(this.#area);
    this.#area = replacement.area;
    this.#needless = [];
    this.#db.resetReadTxn();
  }

  turn(): Promise<void> {
    this.#watch.goesOn?.();
    return new Promise((resolve) => setImmediate(resolve));
  }

  size(): { total: number; inUse: number } {
    const stats = this.#db.getStats() as LmdbStats;
    const pages = stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
    return { total: (stats.lastPageNumber + 1) * stats.pageSize, inUse: pages * stats.pageSize };
  }

  condemn(reason: string): Promise<void> {
    return this.#watch.condemn(reason);
  }

  async close(): Promise<void> {
    if (!this.#hasFailed) {
      // This one changes nothing, and so it needs no room.
      const writes = new LmdbWrites();
      if (this.#hadNoRoom) writes.add(this.#db.remove(Buffer.of(TAG_END)));
      await this.#answered(writes.done());
      await this.#answered(this.#db.flushed);
      await this.#answered(this.#threads.allEnded());
      await this.#db.close();
    }
    await this.#watch.closed();
  }
}

function sizeOf(written: readonly { readonly sealed: Uint8Array }[]): number {
  let bytes = 0;
  for (const { sealed } of written) bytes += sealed.length;
  return bytes;
}
