// The machine as the driver uses it: results and revisions, commits, restarts, snapshots, compaction.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KvAnswer, KvCommand, KvResult } from "./commands.js";
import { KvMachine } from "./machine.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { bytes, compact, del, put, putRequest, range, text, txnRequest } from "./requests-for-tests.js";

async function fresh(): Promise<KvMachine> {
  return KvMachine.open(new MemoryRecordStore());
}

function apply(machine: KvMachine, command: KvCommand): KvResult {
  return machine.apply(machine.decode(machine.encode(command)));
}

async function rangeOf(machine: KvMachine, key: string, more: Parameters<typeof range>[1] = {}) {
  const answer = await machine.query({ kind: "range", request: range(key, more) });
  assert.equal(answer.kind, "range");
  return (answer as Extract<KvAnswer, { kind: "range" }>).response;
}

async function hashOf(machine: KvMachine): Promise<string> {
  const answer = await machine.query({ kind: "hash" });
  assert.equal(answer.kind, "hash");
  return (answer as Extract<KvAnswer, { kind: "hash" }>).hash;
}

describe("kv machine", () => {
  test("a fresh store is at revision 1, and its first put makes revision 2", async () => {
    const machine = await fresh();
    assert.equal((await machine.query({ kind: "status" })).revision, 1);
    const result = apply(machine, put("a", "1"));
    assert.deepEqual(result, {
      kind: "put",
      revision: 2,
      response: { header: undefined, prevKv: undefined },
    });
    const { kvs, count, more } = await rangeOf(machine, "a");
    assert.equal(count, 1);
    assert.equal(more, false);
    assert.deepEqual(kvs, [
      { key: bytes("a"), createRevision: 2, modRevision: 2, version: 1, value: bytes("1"), lease: 0n },
    ]);
  });

  test("a restart finds exactly what the last commit held", async () => {
    const medium = new MemoryMedium();
    const first = new MemoryRecordStore(medium);
    let machine = await KvMachine.open(first);
    apply(machine, put("a", "1"));
    apply(machine, put("b", "2"));
    await machine.commit(7, bytes("meta"));
    const held = await hashOf(machine);
    apply(machine, put("a", "lost"));
    assert.ok(machine.uncommittedBytes() > 0);
    first.crash();
    machine = await KvMachine.open(new MemoryRecordStore(medium));
    assert.deepEqual(machine.held(), { slot: 7, meta: bytes("meta") });
    assert.equal(machine.uncommittedBytes(), 0);
    assert.equal(await hashOf(machine), held);
    assert.equal(text((await rangeOf(machine, "a")).kvs[0]!.value), "1");
    assert.equal(apply(machine, put("a", "3")).revision, 4);
  });

  test("commands applied while a commit is under way belong to the next one", async () => {
    const medium = new MemoryMedium();
    const store = new MemoryRecordStore(medium);
    const machine = await KvMachine.open(store);
    apply(machine, put("a", "1"));
    const commit = machine.commit(1, bytes(""));
    apply(machine, put("a", "2"));
    apply(machine, del("a"));
    await commit;
    assert.equal((await rangeOf(machine, "a", { revision: 3 })).kvs.length, 1);
    assert.equal((await rangeOf(machine, "a")).kvs.length, 0);
    store.crash();
    const again = await KvMachine.open(new MemoryRecordStore(medium));
    assert.equal(text((await rangeOf(again, "a")).kvs[0]!.value), "1");
    assert.equal((await again.query({ kind: "status" })).revision, 2);
  });

  test("a compaction survives a restart, and frees what it made unreadable", async () => {
    const medium = new MemoryMedium();
    const machine = await KvMachine.open(new MemoryRecordStore(medium));
    for (let i = 0; i < 10; i += 1) apply(machine, put("a", `${i}`));
    apply(machine, put("b", "x"));
    apply(machine, del("b"));
    assert.equal(apply(machine, compact(9)).kind, "compact");
    const before = await hashOf(machine);
    await machine.commit(1, bytes(""));
    await machine.settled();
    assert.equal(await hashOf(machine), before);
    assert.equal(medium.records.rows.filter((row) => row.sealed !== undefined).length, 5);
    await machine.close();
    const again = await KvMachine.open(new MemoryRecordStore(medium));
    assert.equal(await hashOf(again), before);
    const refused = await again.query({ kind: "range", request: range("a", { revision: 8 }) });
    assert.deepEqual(refused, { kind: "refused", revision: 13, refusal: "compacted" });
    assert.equal(text((await rangeOf(again, "a", { revision: 9 })).kvs[0]!.value), "7");
  });

  test("a snapshot is of one moment, and restores the same state", async () => {
    const machine = await fresh();
    for (let i = 0; i < 3_000; i += 1) apply(machine, put(`key-${i % 700}`, `${i}`));
    apply(machine, del("key-1", "key-2"));
    apply(machine, compact(1_500));
    await machine.commit(5, bytes(""));
    apply(machine, put("late", "1"));
    const expected = await hashOf(machine);
    const chunks: Uint8Array[] = [];
    for await (const chunk of machine.snapshot()) {
      chunks.push(chunk.slice());
      apply(machine, put("later", "2"));
    }
    const medium = new MemoryMedium();
    const other = await KvMachine.open(new MemoryRecordStore(medium));
    apply(other, put("mine", "gone"));
    await other.commit(1, bytes("old"));
    await other.restore(iterate(chunks));
    assert.equal(await hashOf(other), expected);
    assert.ok(other.uncommittedBytes() > 0);
    assert.equal(other.held().slot, 1);
    await other.commit(6, bytes("new"));
    const again = await KvMachine.open(new MemoryRecordStore(medium));
    assert.equal(await hashOf(again), expected);
    assert.deepEqual(again.held(), { slot: 6, meta: bytes("new") });
  });

  test("a snapshot that is cut short, damaged or mixed up changes nothing", async () => {
    const source = await fresh();
    for (let i = 0; i < 1_000; i += 1) apply(source, put(`key-${i}`, `${i}`));
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.snapshot()) chunks.push(chunk.slice());
    const damaged = chunks.map((chunk) => chunk.slice());
    damaged[1]![100]! ^= 1;
    const target = await fresh();
    apply(target, put("a", "1"));
    const before = await hashOf(target);
    for (const bad of [[], chunks.slice(0, -1), chunks.slice(1), damaged, [...chunks, chunks[1]!]]) {
      await assert.rejects(target.restore(iterate(bad)), { name: "BadSnapshot" });
      assert.equal(await hashOf(target), before);
    }
    await target.restore(iterate(chunks.flatMap((chunk) => [chunk.subarray(0, 5), chunk.subarray(5)])));
    assert.equal(await hashOf(target), await hashOf(source));
  });

  test("a snapshot that is loaded in several goes is there whole, and every record once", async () => {
    const source = await fresh();
    for (let i = 0; i < 16; i += 1) apply(source, put(`key-${i % 7}`, "large".repeat(60_000)));
    for (let i = 0; i < 1_000; i += 1) apply(source, put(`key-${i % 70}`, `${i}`));
    // From the store it comes in more than one frame.
    await source.commit(1, bytes(""));
    const medium = new MemoryMedium();
    const store = new MemoryRecordStore(medium);
    const loaded: number[] = [];
    const begin = store.replacement.bind(store);
    store.replacement = async () => {
      const replacement = await begin();
      const load = replacement.load.bind(replacement);
      replacement.load = (records) => {
        loaded.push(records.length);
        return load(records);
      };
      return replacement;
    };
    const target = await KvMachine.open(store);
    await target.restore(source.snapshot());
    assert.deepEqual(loaded, [16, 1_000]);
    await target.commit(1, bytes(""));
    assert.equal(await hashOf(await KvMachine.open(new MemoryRecordStore(medium))), await hashOf(source));
  });

  test("a checkpoint of the index makes a restart read only what came after", async () => {
    const medium = new MemoryMedium();
    const store = new MemoryRecordStore(medium);
    const machine = await KvMachine.open(store, { records: 100, keys: 40, keysPerRecord: 0, chunkKeys: 15 });
    let slot = 0;
    for (let i = 0; i < 5_000; i += 1) {
      apply(machine, i % 7 === 0 ? del(`key-${i % 50}`) : put(`key-${i % 400}`, `${i}`));
      if (i === 3_000) apply(machine, compact(1_000));
      if (i % 50 === 0) {
        slot += 1;
        await machine.commit(slot, bytes(""));
      }
    }
    await machine.commit(slot, bytes(""));
    await machine.settled();
    assert.ok(medium.chunks.size > 0);
    const expected = await hashOf(machine);
    const { machine: again, scanned } = await openCounting(medium);
    assert.ok(scanned < 500, `${scanned} records were read`);
    assert.equal(await hashOf(again), expected);
    for (const revision of [1_000, 1_001, 2_500, 4_000]) {
      assert.deepEqual(
        await rangeOf(again, "\0", { rangeEnd: "\0", revision }),
        await rangeOf(machine, "\0", { rangeEnd: "\0", revision }),
      );
    }
  });

  test("a checkpoint counts records, not revisions: the puts of transactions, of a restart and of a snapshot", async () => {
    const pace = { records: 100, keys: 1_000, keysPerRecord: 0, chunkKeys: 100 };
    let medium = new MemoryMedium();
    let machine = await KvMachine.open(new MemoryRecordStore(medium), pace);
    const grow = async (slot: number): Promise<number> => {
      const key = (i: number): string => `key-${(slot * 30 + i) % 70}`;
      const puts = Array.from({ length: 30 }, (_, i) => ({ requestPut: putRequest(key(i), `${slot}`) }));
      apply(machine, { kind: "txn", request: txnRequest([], puts) });
      await machine.commit(slot, bytes(""));
      return (await openCounting(medium)).scanned;
    };
    assert.deepEqual([await grow(1), await grow(2), await grow(3), await grow(4)], [30, 60, 90, 0]);
    assert.deepEqual([await grow(5), await grow(6), await grow(7)], [30, 60, 90]);
    machine = await KvMachine.open(new MemoryRecordStore(medium), pace);
    assert.equal(await grow(8), 0);
    const chunks: Uint8Array[] = [];
    for await (const chunk of machine.snapshot()) chunks.push(chunk.slice());
    medium = new MemoryMedium();
    machine = await KvMachine.open(new MemoryRecordStore(medium), pace);
    await machine.restore(iterate(chunks));
    await machine.commit(8, bytes(""));
    assert.equal((await openCounting(medium)).scanned, 0);
  });

  test("a long read is of one revision although commands and compactions go on", async () => {
    let turns = 0;
    let machine: KvMachine | null = null;
    const store = new MemoryRecordStore(new MemoryMedium(), async () => {
      turns += 1;
      await Promise.resolve();
    });
    machine = await KvMachine.open(store);
    for (let i = 0; i < 3_000; i += 1) apply(machine, put(`key-${i}`, "old"));
    const revision = (await machine.query({ kind: "status" })).revision;
    const answer = machine.query({ kind: "range", request: range("\0", { rangeEnd: "\0" }) });
    assert.ok(answer instanceof Promise);
    for (let i = 0; i < 3_000; i += 1) apply(machine, put(`key-${i}`, "new"));
    apply(machine, del("\0", "\0"));
    apply(machine, compact(revision + 3_001));
    await machine.commit(1, bytes(""));
    const found = await answer;
    assert.equal(found.kind, "range");
    assert.equal(found.revision, revision);
    const { kvs, count } = (found as Extract<KvAnswer, { kind: "range" }>).response;
    assert.equal(count, 3_000);
    assert.ok(kvs.every((kv) => text(kv.value) === "old"));
    assert.ok(turns > 3);
    await machine.settled();
    const { keys } = (await machine.query({ kind: "status" })) as Extract<KvAnswer, { kind: "status" }>;
    assert.equal(keys, 0);
  });

  test("a snapshot that is given up, begun or not, keeps nothing from being freed", async () => {
    for (const asked of [0, 1, 2]) {
      const medium = new MemoryMedium();
      const machine = await KvMachine.open(new MemoryRecordStore(medium));
      for (let i = 0; i < 5; i += 1) apply(machine, put("a", String(i)));
      await machine.commit(1, bytes(""));
      const frames = machine.snapshot();
      for (let i = 0; i < asked; i += 1) await frames.next();
      apply(machine, compact(6));
      await machine.commit(2, bytes(""));
      await machine.settled();
      const rows = () => new MemoryRecordStore(medium).scan(0, 0, 10).length;
      assert.equal(rows(), 5, "what the snapshot needs is kept");
      await frames.return?.();
      await frames.return?.();
      await machine.settled();
      assert.equal(rows(), 1);
    }
  });

  test("a damaged record that a command needs ends the machine instead of changing it", async () => {
    const medium = new MemoryMedium();
    const machine = await KvMachine.open(new MemoryRecordStore(medium));
    apply(machine, put("a", "1"));
    await machine.commit(1, bytes(""));
    medium.damage(2, 0);
    assert.throws(() => apply(machine, put("a", "2", { prevKv: true })), {
      name: "StoreCorrupt",
      message: /2\.0/,
    });
  });
});

test("a frame of a snapshot is not much larger than a record, whether they are committed or not", async () => {
  const large = "x".repeat(400_000);
  for (const isCommitted of [false, true]) {
    const machine = await fresh();
    for (let i = 0; i < 200; i += 1) apply(machine, put(`key-${i}`, large));
    if (isCommitted) await machine.commit(1, bytes(""));
    let total = 0;
    for await (const frame of machine.snapshot()) {
      assert.ok(frame.length < (1 << 20) + 2 * large.length, `${frame.length} bytes`);
      total += frame.length;
    }
    assert.ok(total > 200 * large.length);
    const other = await fresh();
    await other.restore(machine.snapshot());
    assert.equal(await hashOf(other), await hashOf(machine));
  }
});

test("a commit that meets damage as it adds to a checkpoint fails, and the machine can be closed all the same", async () => {
  const pace = { records: 8, keys: 1, keysPerRecord: 0, chunkKeys: 1 };
  const medium = new MemoryMedium();
  const machine = await KvMachine.open(new MemoryRecordStore(medium), pace);
  for (let i = 0; i < 8; i += 1) apply(machine, put(`key-${i}`, "old"));
  await machine.commit(1, bytes(""));
  // The checkpoint that is under way needs the record that was the newest when it began.
  apply(machine, put("key-5", "new"));
  medium.damage(7, 0);
  await assert.rejects(
    async () => {
      for (let slot = 2; slot < 10; slot += 1) await machine.commit(slot, bytes(""));
    },
    { name: "StoreCorrupt", message: /7\.0/ },
  );
  assert.equal(text((await rangeOf(machine, "key-5")).kvs[0]!.value), "new");
  await machine.close();
});

/** Opens what is in `medium`, and counts the records that this reads. */
async function openCounting(medium: MemoryMedium): Promise<{ machine: KvMachine; scanned: number }> {
  let scanned = 0;
  const counting = new MemoryRecordStore(medium);
  const scan = counting.scan.bind(counting);
  counting.scan = (main, sub, limit) => {
    const found = scan(main, sub, limit);
    scanned += found.length;
    return found;
  };
  const machine = await KvMachine.open(counting);
  return { machine, scanned };
}

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

test("a commit that finds no room changes nothing, and the next one has all of it, a checkpoint too", async () => {
  const pace = { records: 4, keys: 2, keysPerRecord: 1, chunkKeys: 1 };
  const kept = new Set<number>();
  for (let fullAt = 1; fullAt <= 25; fullAt += 1) {
    const medium = new MemoryMedium();
    const machine = await KvMachine.open(new MemoryRecordStore(medium), pace);
    let held = 0;
    for (let slot = 1; slot <= 40; slot += 1) {
      const key = `key ${slot % 5}`;
      apply(
        machine,
        slot % 7 === 6 && slot < 25
          ? compact(Math.floor(1.7 * slot))
          : slot % 4 === 3
            ? del(key)
            : put(key, `${slot}`),
      );
      medium.isFull = slot >= fullAt && slot < fullAt + 3 && fullAt < 25;
      const committing = machine.commit(slot, Uint8Array.of(slot));
      // Meanwhile others come.
      apply(machine, put("meanwhile", `${slot}`));
      if (medium.isFull) {
        await assert.rejects(committing, /ENOSPC/);
      } else {
        await committing;
        held = slot;
      }
      assert.equal(machine.held().slot, held);
      assert.equal(text((await rangeOf(machine, "meanwhile")).kvs[0]!.value), `${slot}`);
    }
    medium.isFull = false;
    await machine.commit(41, Uint8Array.of(41));
    await machine.settled();
    const before = await hashOf(machine);
    await machine.close();
    const next = await KvMachine.open(new MemoryRecordStore(medium), pace);
    assert.deepEqual([next.held().slot, await hashOf(next)], [41, before]);
    kept.add(new MemoryRecordStore(medium).scan(0, 0, 1000).length);
    await next.close();
  }
  assert.equal(kept.size, 1, `what a compaction lets go is gone in the end: ${[...kept].join()}`);
});
