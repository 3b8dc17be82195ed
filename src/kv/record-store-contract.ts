// What every record store keeps: the suite is data, run by a test file beside each store.
import { assert } from "../base/assert.js";
import { bytesEqual } from "../base/bytes.js";
import {
  type RecordBatch,
  type RecordStore,
  type RevisionKey,
  StoreCorrupt,
  type StoredRecord,
  sealedCopy,
} from "./record-store.js";

/** A medium with a store on it, and what can happen to both. */
export interface RecordStoreUnderTest {
  readonly store: RecordStore;
  /** Closes in order and opens again on the same medium. */
  reopen(): Promise<RecordStore>;
  /** Ends the store as a crash would, without closing, and opens again on the same medium. */
  crash(): Promise<RecordStore>;
  /** Flips one bit of a record that is on the medium; the store is closed for it, and opened again. */
  damage(record: RevisionKey): Promise<RecordStore>;
  dispose(): Promise<void>;
}

export interface RecordStoreCase {
  readonly name: string;
  run(make: () => Promise<RecordStoreUnderTest>): Promise<void>;
}

function body(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed + 1;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

function record(main: number, sub = 0, bytes = body(main * 31 + sub, 40)): StoredRecord {
  return { main, sub, sealed: sealedCopy(bytes, main, sub) };
}

function batch(
  revision: number,
  append: readonly StoredRecord[],
  more: Partial<RecordBatch> = {},
): RecordBatch {
  const head = body(revision, 20);
  return { head, revision, append, remove: [], chunks: [], keepGenerations: [], ...more };
}

function expectBytes(found: Uint8Array | undefined, expected: Uint8Array | undefined, what: string): void {
  if (expected === undefined) assert(found === undefined, `${what} is not there`);
  else assert(found !== undefined && bytesEqual(found, expected), `${what} is as it was written`);
}

function expectRevisions(
  store: RecordStore,
  from: RevisionKey,
  limit: number,
  expected: readonly number[][],
): void {
  const found = store.scan(from.main, from.sub, limit).map(({ main, sub }) => [main, sub]);
  assert(JSON.stringify(found) === JSON.stringify(expected), `a scan finds ${JSON.stringify(expected)}`);
  const visited: number[][] = [];
  store.visit(from.main, from.sub, (main, sub) => visited.push([main, sub]) < limit);
  assert(JSON.stringify(visited) === JSON.stringify(expected), `a visit finds ${JSON.stringify(expected)}`);
}

function expectCorrupt(read: () => unknown, name: string): void {
  try {
    read();
  } catch (error) {
    assert(error instanceof StoreCorrupt && error.message.includes(name), `the error names ${name}`);
    return;
  }
  assert(false, "damage is noticed");
}

const START = { main: 0, sub: 0 };

export const recordStoreContract: readonly RecordStoreCase[] = [
  {
    name: "a fresh store has neither head nor records nor chunks",
    async run(make) {
      const test = await make();
      assert(test.store.head() === undefined, "there is no head");
      expectBytes(test.store.read(1, 0), undefined, "a record");
      expectBytes(test.store.chunk(1, 0), undefined, "a chunk");
      expectRevisions(test.store, START, 10, []);
      await test.dispose();
    },
  },
  {
    name: "records are read back by revision, at once and after reopening",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(3, [record(2), record(3, 0), record(3, 1)]));
      await test.store.commit(batch(2 ** 52, [record(2 ** 33), record(2 ** 52, 2 ** 31 - 1)]));
      const expectAll = (store: RecordStore): void => {
        expectBytes(store.head(), body(2 ** 52, 20), "the head");
        for (const { main, sub, sealed } of [record(2), record(3, 1), record(2 ** 52, 2 ** 31 - 1)]) {
          expectBytes(store.read(main, sub), sealed.subarray(4), `record ${main}.${sub}`);
        }
        expectBytes(store.read(3, 2), undefined, "record 3.2");
        expectBytes(store.read(4, 0), undefined, "record 4.0");
      };
      expectAll(test.store);
      expectAll(await test.reopen());
      await test.dispose();
    },
  },
  {
    name: "values are opaque: empty, of one byte 0x00 or 0xff, invalid UTF-8, 1,978, 1,979 and 1,000,000 bytes",
    async run(make) {
      const test = await make();
      const values = [
        new Uint8Array(0),
        Uint8Array.of(0),
        Uint8Array.of(0xff),
        Uint8Array.of(0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80),
        body(1, 1_978),
        body(2, 1_979),
        body(3, 1_000_000),
      ];
      const records = values.map((value, i) => record(2 + i, 0, value));
      await test.store.commit(batch(20, records));
      const store = await test.reopen();
      for (const [i, value] of values.entries()) expectBytes(store.read(2 + i, 0), value, `value ${i}`);
      const scanned = store.scan(0, 0, values.length);
      let visited = 0;
      store.visit(0, 0, (main, _, lent) => {
        expectBytes(lent, values[main - 2]!, `value ${main - 2}, lent`);
        visited += 1;
        return true;
      });
      assert(visited === values.length, "every value is lent");
      for (const { main, body } of scanned) expectBytes(body, values[main - 2]!, `value ${main - 2}, kept`);
      await test.dispose();
    },
  },
  {
    name: "a scan goes in order of revision, from where it is told, to its limit",
    async run(make) {
      const test = await make();
      await test.store.commit(
        batch(300, [record(2), record(255), record(256, 0), record(256, 1), record(300)]),
      );
      expectRevisions(test.store, START, 10, [
        [2, 0],
        [255, 0],
        [256, 0],
        [256, 1],
        [300, 0],
      ]);
      expectRevisions(test.store, { main: 256, sub: 1 }, 10, [
        [256, 1],
        [300, 0],
      ]);
      expectRevisions(test.store, { main: 3, sub: 0 }, 2, [
        [255, 0],
        [256, 0],
      ]);
      expectRevisions(test.store, { main: 301, sub: 0 }, 2, []);
      await test.dispose();
    },
  },
  {
    name: "removed records are gone, and what was never there may be removed",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(5, [record(2), record(3), record(4), record(5)]));
      await test.store.remove([
        { main: 3, sub: 0 },
        { main: 3, sub: 1 },
        { main: 9, sub: 0 },
      ]);
      expectRevisions(test.store, START, 10, [
        [2, 0],
        [4, 0],
        [5, 0],
      ]);
      await test.store.commit(batch(6, [record(6)], { remove: [{ main: 4, sub: 0 }] }));
      const store = await test.crash();
      expectRevisions(store, START, 10, [
        [2, 0],
        [5, 0],
        [6, 0],
      ]);
      await test.dispose();
    },
  },
  {
    name: "a commit counts whole when it has resolved, and a crash after it loses nothing",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(2, [record(2)]));
      await test.store.commit(batch(4, [record(3), record(4)]));
      const store = await test.crash();
      expectBytes(store.head(), body(4, 20), "the head");
      expectRevisions(store, START, 10, [
        [2, 0],
        [3, 0],
        [4, 0],
      ]);
      await test.dispose();
    },
  },
  {
    name: "a crash between append and commit leaves the store before or after the commit, not between",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(2, [record(2)]));
      const records = Array.from({ length: 5_000 }, (_, i) => record(3 + i));
      void test.store.commit(batch(5_002, records));
      const store = await test.crash();
      const isAfter = bytesEqual(store.head() ?? new Uint8Array(0), body(5_002, 20));
      if (!isAfter) expectBytes(store.head(), body(2, 20), "the head");
      assert(
        store.scan(0, 0, 10_000).length === (isAfter ? 5_001 : 1),
        "there are as many records as the head says",
      );
      await test.dispose();
    },
  },
  {
    name: "chunks of checkpoints come with a commit and go when their generation is not kept",
    async run(make) {
      const test = await make();
      const chunk = (generation: number, number: number) => ({
        generation,
        number,
        sealed: sealedCopy(body(generation * 100 + number, 300), generation, number),
      });
      await test.store.commit(
        batch(2, [record(2)], { chunks: [chunk(1, 0), chunk(1, 1)], keepGenerations: [0, 1] }),
      );
      await test.store.commit(batch(2, [], { chunks: [chunk(2, 0)], keepGenerations: [1, 2] }));
      let store = await test.crash();
      for (const [generation, number] of [
        [1, 0],
        [1, 1],
        [2, 0],
      ] as const) {
        expectBytes(store.chunk(generation, number), body(generation * 100 + number, 300), "a chunk");
      }
      await store.commit(batch(2, [], { keepGenerations: [2] }));
      store = await test.reopen();
      expectBytes(store.chunk(1, 0), undefined, "a chunk that is not kept");
      expectBytes(store.chunk(2, 0), body(200, 300), "a chunk that is kept");
      expectRevisions(store, START, 10, [[2, 0]]);
      await test.dispose();
    },
  },
  {
    name: "a damaged record is noticed, by reading and by scanning, and the others are not harmed",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(4, [record(2), record(3, 1, body(9, 900)), record(4)]));
      expectBytes(test.store.read(3, 1), body(9, 900), "record 3.1, not damaged yet");
      const store = await test.damage({ main: 3, sub: 1 });
      expectCorrupt(() => store.read(3, 1), "revision 3.1");
      expectCorrupt(() => store.scan(0, 0, 10), "revision 3.1");
      expectCorrupt(() => store.visit(0, 0, () => true), "revision 3.1");
      expectBytes(store.read(2, 0), record(2).sealed.subarray(4), "record 2.0");
      expectBytes(store.read(4, 0), record(4).sealed.subarray(4), "record 4.0");
      await test.dispose();
    },
  },
  {
    name: "a record that was sealed for another place is noticed, by reading and by scanning",
    async run(make) {
      const test = await make();
      const { sealed } = record(2, 1);
      await test.store.commit(batch(3, [{ main: 2, sub: 0, sealed }, record(3)]));
      expectCorrupt(() => test.store.read(2, 0), "revision 2.0");
      expectCorrupt(() => test.store.scan(0, 0, 10), "revision 2.0");
      expectBytes(test.store.read(3, 0), record(3).sealed.subarray(4), "record 3.0");
      await test.dispose();
    },
  },
  {
    name: "a replacement takes over when it is adopted, for good with the next commit",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(5, [record(2), record(5)]));
      const replacement = await test.store.replacement();
      await replacement.load([record(3, 0, body(77, 10))]);
      await replacement.load([record(7)]);
      expectRevisions(test.store, START, 10, [
        [2, 0],
        [5, 0],
      ]);
      test.store.adopt(replacement);
      expectRevisions(test.store, START, 10, [
        [3, 0],
        [7, 0],
      ]);
      await test.store.commit(batch(8, [record(8)]));
      const store = await test.crash();
      expectRevisions(store, START, 10, [
        [3, 0],
        [7, 0],
        [8, 0],
      ]);
      expectBytes(store.read(3, 0), body(77, 10), "a record of the replacement");
      await test.dispose();
    },
  },
  {
    name: "a replacement that was abandoned, or adopted and not committed, is gone after a crash",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(5, [record(2), record(5)]));
      const abandoned = await test.store.replacement();
      await abandoned.load([record(3)]);
      await abandoned.abandon();
      const adopted = await test.store.replacement();
      await adopted.load([record(4)]);
      test.store.adopt(adopted);
      const store = await test.crash();
      expectRevisions(store, START, 10, [
        [2, 0],
        [5, 0],
      ]);
      expectBytes(store.head(), body(5, 20), "the head");
      await test.dispose();
    },
  },
  {
    name: "the size tells what is there",
    async run(make) {
      const test = await make();
      await test.store.commit(batch(2, [record(2, 0, body(1, 100_000))]));
      const { total, inUse } = test.store.size();
      assert(total >= inUse && inUse >= 100_000, "the size counts the records");
      await test.dispose();
    },
  },
];
