// The KV store of today's format, small and always the same: what lmdb is given, key by key. lmdb's own pages are left
// out, for they are lmdb's format and not ours.
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { concatBytes } from "../../src/base/bytes.js";
import { LmdbRecordStore } from "../../src/io/lmdb-record-store.js";
import { encodeTrailer, fillOf } from "../../src/kv/backup-format.js";
import { KvMachine } from "../../src/kv/machine.js";
import { compact, del, put, putRequest, range, txn } from "../../src/kv/requests-for-tests.js";
import { SnapshotFiles } from "../../src/replica/snapshot-files.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";

const PACE = { records: 4, keys: 100, keysPerRecord: 4, chunkKeys: 2 };

export async function inScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "synod-format-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** As `encodeMeta` writes it: one origin that has executed `settled` commands, and the digest if one was noted. */
export function metaOf(settled: number, notedSlot: number): Uint8Array {
  return Uint8Array.of(5, 1, 1, 1, settled, 0, notedSlot, notedSlot === 0 ? 0 : 42);
}

/** Puts, a delete, a transaction, a compaction; a checkpoint of the index, and records after it. */
export async function writeStore(directory: string): Promise<void> {
  const machine = await KvMachine.open(await LmdbRecordStore.open(directory), PACE);
  machine.apply(put("a", "1"));
  machine.apply(put("b", "2"));
  machine.apply(put("c/ü", "x".repeat(40)));
  machine.apply(del("a"));
  machine.apply(put("b", "3"));
  await machine.commit(7, metaOf(5, 0));
  await machine.commit(8, metaOf(6, 0));
  machine.apply(compact(3));
  machine.apply(txn([], [{ requestPut: putRequest("d", "") }, { requestPut: putRequest("e", "5") }]));
  await machine.commit(10, metaOf(8, 0));
  await machine.settled();
  await machine.commit(11, metaOf(9, 11));
  await machine.close();
}

/** A backup of the state of that store. */
export async function writeBackup(directory: string): Promise<Uint8Array> {
  const machine = await KvMachine.open(await LmdbRecordStore.open(directory));
  const { slot, meta } = machine.held();
  const disk = new MemoryDisk();
  const { bytes } = await (await SnapshotFiles.open(disk)).write(slot, meta, machine.snapshot());
  await machine.close();
  const clusterId = "00000000deadbeef";
  const trailer = encodeTrailer({ clusterId, slot, snapshotBytes: bytes });
  const parts = [disk.bytesOf(disk.names()[0]!), new Uint8Array(fillOf(bytes)), trailer];
  const whole = concatBytes(parts);
  return concatBytes([whole, createHash("sha256").update(whole).digest()]);
}

/** What the store in `directory` holds, read by today's reader. */
export async function readStore(directory: string): Promise<string> {
  const records = await LmdbRecordStore.open(directory);
  const machine = await KvMachine.open(records);
  const { slot, meta } = machine.held();
  const answers = [
    { slot, meta: Buffer.from(meta).toString("hex") },
    await machine.query({ kind: "status" }),
    await machine.query({ kind: "hash" }),
    await machine.query({ kind: "range", request: range("\0", { rangeEnd: "\0" }) }),
    await machine.query({ kind: "range", request: range("b", { revision: 4 }) }),
  ];
  await machine.close();
  return answers.map((answer) => `${JSON.stringify(answer, readable)}\n`).join("");
}

function readable(name: string, value: unknown): unknown {
  // How many pages lmdb takes is its own affair.
  if (name === "size" || name === "sizeInUse") return undefined;
  if (typeof value === "bigint") return value.toString();
  const { type, data } = (value ?? {}) as { type?: unknown; data?: readonly number[] };
  return type === "Buffer" && data !== undefined ? Buffer.from(data).toString("latin1") : value;
}

const RAW = { encoding: "binary", keyEncoding: "binary" } as const;

/** Every key with its value, in hex, a line each. */
export async function dump(directory: string): Promise<string> {
  const db = open<Buffer, Buffer>({ path: directory, noSubdir: false, ...RAW });
  const lines: string[] = [];
  for (const { key, value } of db.getRange({}))
    lines.push(`${key.toString("hex")} ${value.toString("hex")}\n`);
  await db.close();
  return lines.join("");
}

/** The inverse of `dump`. */
export async function load(directory: string, text: string): Promise<void> {
  const db = open<Buffer, Buffer>({ path: directory, noSubdir: false, ...RAW });
  for (const line of text.trimEnd().split("\n")) {
    const [key, value] = line.split(" ").map((part) => Buffer.from(part, "hex"));
    await db.put(key!, value!);
  }
  await db.flushed;
  await db.close();
}
