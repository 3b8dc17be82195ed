// A record store in memory, for the simulator, the browser and tests. The medium outlives the store, as a disk
// outlives a process: after `crash` a new store on the same medium has what was committed, and nothing else.
import { assert } from "../base/assert.js";
import { noSpace } from "../base/no-space.js";
import {
  type CheckpointChunk,
  chunkName,
  headName,
  type ReadRecord,
  type RecordBatch,
  type RecordStore,
  type Replacement,
  type RevisionKey,
  recordName,
  SEAL_BYTES,
  type StoredRecord,
  sealedCopy,
  type TakeRecord,
  unseal,
} from "./record-store.js";

interface Row {
  readonly main: number;
  readonly sub: number;
  /** Undefined when removed: rows are dropped many at a time. */
  sealed: Uint8Array | undefined;
  /** It was read once, and nobody has changed it since: its checksum need not be computed again. */
  isIntact: boolean;
}

function bodyOf(sealed: Uint8Array, row: Row): Uint8Array {
  if (row.isIntact) return sealed.subarray(SEAL_BYTES);
  const body = unseal(sealed, row.main, row.sub, recordName);
  row.isIntact = true;
  return body;
}

/** Records in ascending order of revision. */
class Records implements Replacement {
  rows: Row[] = [];
  removed = 0;
  bytes = 0;

  async load(records: readonly StoredRecord[]): Promise<void> {
    for (const record of records) this.append(record);
  }

  async abandon(): Promise<void> {
    this.rows = [];
  }

  /** The first row at or above the revision. */
  find(main: number, sub: number): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const row = this.rows[middle]!;
      if (row.main < main || (row.main === main && row.sub < sub)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get(main: number, sub: number): Row | undefined {
    const row = this.rows[this.find(main, sub)];
    return row === undefined || row.main !== main || row.sub !== sub ? undefined : row;
  }

  append(record: StoredRecord): void {
    const last = this.rows.at(-1);
    assert(
      last === undefined || last.main < record.main || (last.main === record.main && last.sub < record.sub),
      "records are appended in ascending order",
    );
    this.rows.push({ main: record.main, sub: record.sub, sealed: record.sealed, isIntact: false });
    this.bytes += record.sealed.length;
  }

  remove(main: number, sub: number): void {
    const row = this.get(main, sub);
    if (row?.sealed === undefined) return;
    this.bytes -= row.sealed.length;
    row.sealed = undefined;
    this.removed += 1;
    if (this.removed < 1024 || this.removed * 2 < this.rows.length) return;
    this.rows = this.rows.filter((one) => one.sealed !== undefined);
    this.removed = 0;
  }
}

/** What survives a crash. */
export class MemoryMedium {
  records = new Records();
  chunks = new Map<string, CheckpointChunk>();
  /** Why the next start must not use it; null: it may. */
  condemned: string | null = null;
  /** There is no room: no commit is made. */
  isFull = false;
  #head: Uint8Array | undefined;
  /** Of the last commit, without its seal: there are far more commits than looks at a head. Null: it is in `#head`. */
  #unsealed: Uint8Array | null = null;

  /** Sealed. */
  get head(): Uint8Array | undefined {
    if (this.#unsealed !== null) this.head = sealedCopy(this.#unsealed, 0, 0);
    return this.#head;
  }

  set head(sealed: Uint8Array | undefined) {
    this.#head = sealed;
    this.#unsealed = null;
  }

  commitHead(body: Uint8Array): void {
    this.#unsealed = body;
  }

  /** Flips a bit of a record, for tests of what is done about damage. */
  damage(main: number, sub: number): void {
    const row = this.records.get(main, sub);
    assert(row?.sealed !== undefined, "there is a record to damage");
    row.sealed = row.sealed.slice();
    row.sealed[row.sealed.length - 1]! ^= 1;
    row.isIntact = false;
  }

  /** As if a record had never been: what damage of the tree does to a store that keeps its records in one. */
  lose(main: number, sub: number): void {
    assert(this.records.get(main, sub)?.sealed !== undefined, "there is a record to lose");
    this.records.remove(main, sub);
  }
}

export class MemoryRecordStore implements RecordStore {
  readonly #medium: MemoryMedium;
  readonly #turn: () => Promise<void>;
  /** What is read: the medium's, or a replacement that the next commit puts there. */
  #records: Records;
  #crashed = false;
  /** What `visit` lends. */
  #lent = new Uint8Array(256);

  /** `turn` lets others run between slices of long work; by default there is nobody else. */
  constructor(medium = new MemoryMedium(), turn: () => Promise<void> = () => Promise.resolve()) {
    this.#medium = medium;
    this.#turn = turn;
    this.#records = medium.records;
  }

  head(): Uint8Array | undefined {
    const { head } = this.#medium;
    return head === undefined ? undefined : unseal(head, 0, 0, headName);
  }

  read(main: number, sub: number): Uint8Array | undefined {
    const row = this.#records.get(main, sub);
    return row?.sealed === undefined ? undefined : bodyOf(row.sealed, row);
  }

  #each(main: number, sub: number, take: TakeRecord): void {
    const rows = this.#records.rows;
    for (let at = this.#records.find(main, sub); at < rows.length; at += 1) {
      const row = rows[at]!;
      if (row.sealed !== undefined && !take(row.main, row.sub, bodyOf(row.sealed, row))) return;
    }
  }

  scan(main: number, sub: number, limit: number): ReadRecord[] {
    const found: ReadRecord[] = [];
    if (limit === 0) return found;
    this.#each(main, sub, (at, part, body) => found.push({ main: at, sub: part, body }) < limit);
    return found;
  }

  /** Lends a copy that is spoilt afterwards, so that whoever keeps what was lent is found out. */
  visit(main: number, sub: number, take: TakeRecord): void {
    this.#each(main, sub, (at, part, body) => {
      if (body.length > this.#lent.length) this.#lent = new Uint8Array(2 * body.length);
      const lent = this.#lent.subarray(0, body.length);
      lent.set(body);
      const goesOn = take(at, part, lent);
      lent.fill(0xff);
      return goesOn;
    });
  }

  chunk(generation: number, number: number): Uint8Array | undefined {
    const chunk = this.#medium.chunks.get(`${generation}.${number}`);
    if (chunk === undefined) return undefined;
    return unseal(chunk.sealed, generation, number, chunkName);
  }

  async commit(batch: RecordBatch): Promise<void> {
    await this.#turn();
    if (this.#crashed) return new Promise(() => {});
    if (this.#medium.isFull) throw noSpace("the store has no room");
    for (const record of batch.append) {
      assert(record.main <= batch.revision, "no record is above the revision of its commit");
      this.#records.append(record);
    }
    for (const { main, sub } of batch.remove) this.#records.remove(main, sub);
    const medium = this.#medium;
    for (const chunk of batch.chunks) medium.chunks.set(`${chunk.generation}.${chunk.number}`, chunk);
    for (const [name, chunk] of medium.chunks) {
      if (!batch.keepGenerations.includes(chunk.generation)) medium.chunks.delete(name);
    }
    medium.records = this.#records;
    medium.commitHead(batch.head);
  }

  async remove(revisions: readonly RevisionKey[]): Promise<void> {
    await this.#turn();
    if (this.#crashed) return new Promise(() => {});
    for (const { main, sub } of revisions) this.#records.remove(main, sub);
  }

  async replacement(): Promise<Replacement> {
    return new Records();
  }

  adopt(replacement: Replacement): void {
    assert(replacement instanceof Records, "a replacement comes from the store that adopts it");
    this.#records = replacement;
  }

  turn(): Promise<void> {
    return this.#turn();
  }

  size(): { total: number; inUse: number } {
    let bytes = this.#records.bytes + (this.#medium.head?.length ?? 0);
    for (const chunk of this.#medium.chunks.values()) bytes += chunk.sealed.length;
    return { total: bytes, inUse: bytes };
  }

  risk<T>(read: () => T): T {
    return read();
  }

  async condemn(reason: string): Promise<void> {
    this.#medium.condemned = reason;
  }

  async close(): Promise<void> {
    await this.#turn();
  }

  /** As if the power went: what is under way is never done. */
  crash(): void {
    this.#crashed = true;
  }
}
