// Backups as files: all of one is checked before anything of it is used, from the hash of the whole down to each
// record.
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { isIoError } from "../../base/io-error.js";
import {
  BACKUP_FORMAT,
  type BackupTrailer,
  backupBytes,
  decodeTrailer,
  HASH_BYTES,
  TRAILER_BYTES,
} from "../../kv/backup-format.js";
import { loadSnapshot } from "../../kv/loader.js";
import { MemoryRecordStore } from "../../kv/memory-record-store.js";
import { BadSnapshot } from "../../kv/snapshot.js";
import {
  decodeFirstSector,
  FORMAT,
  FrameWalk,
  META,
  payloadOf,
  SECTOR,
  type SnapshotInfo,
} from "../../replica/snapshot-format.js";
import type { DiskFile } from "../../wal/disk.js";
import { NodeDisk } from "../node-disk.js";

const READ_BYTES = 1 << 20;
/** What the first page of etcd's own snapshots has at this place. */
const BOLT_MAGIC = 0xed0cdaed;
const BOLT_MAGIC_AT = 16;

/** A file that is no backup, or is not all of one; nothing is to be done with it. */
export class BadBackup extends Error {
  override readonly name = "BadBackup";
  readonly code = "BAD_BACKUP";
}

export interface Backup {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of it, as its end has it: 64 hex digits. */
  readonly sum: string;
  /** Of the cluster that it is of. */
  readonly clusterId: string;
  readonly snapshot: SnapshotInfo;
  readonly revision: number;
  readonly keys: number;
}

/** Reads and checks all of it. Rejects with `BadBackup`, or what the system says of the file. */
export async function checkBackup(path: string): Promise<Backup> {
  try {
    return await checkFile(path);
  } catch (error) {
    // Nothing but the file is read.
    throw isIoError(error) ? bad(path, "the disk cannot read all of it (EIO)") : error;
  }
}

async function checkFile(path: string): Promise<Backup> {
  const kind = await stat(path);
  if (!kind.isFile()) throw new BadBackup(`${path} is no file`);
  return withFile(path, async (file) => {
    const { trailer, sum, bytes } = await checkWhole(path, file);
    const first = decodeFirstSector(await file.read(0, SECTOR));
    if (
      first === null ||
      !first.isWhole ||
      first.slot !== trailer.slot ||
      first.bytes !== trailer.snapshotBytes
    ) {
      throw bad(path, "what it holds is not the snapshot that its end names");
    }
    if (first.format !== FORMAT) throw unknown(`the snapshot in ${path}`, first.format, FORMAT);
    const snapshot = { slot: first.slot, bytes: first.bytes, sum: first.sum };
    const { revision, keys } = await checkState(path, file, snapshot);
    return { path, bytes, sum, clusterId: trailer.clusterId, snapshot, revision, keys };
  });
}

async function withFile<T>(path: string, use: (file: DiskFile) => Promise<T>): Promise<T> {
  const full = resolve(path);
  const file = await NodeDisk.forReading(dirname(full)).open(basename(full), false);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Its length, its trailer, and the hash of all of it. */
async function checkWhole(
  path: string,
  file: DiskFile,
): Promise<{ readonly trailer: BackupTrailer; readonly sum: string; readonly bytes: number }> {
  const bytes = await file.size();
  const hashAt = bytes - HASH_BYTES;
  if (hashAt % TRAILER_BYTES !== 0 || hashAt < SECTOR + TRAILER_BYTES) throw await noBackup(path, file);
  const trailer = decodeTrailer(await file.read(hashAt - TRAILER_BYTES, TRAILER_BYTES));
  if (trailer === null) throw await noBackup(path, file);
  if (trailer.format !== BACKUP_FORMAT) throw unknown(path, trailer.format, BACKUP_FORMAT);
  if (backupBytes(trailer.snapshotBytes) !== bytes)
    throw bad(path, `it has ${bytes} bytes and its end says otherwise`);
  const hash = createHash("sha256");
  for (let at = 0; at < hashAt; at += READ_BYTES)
    hash.update(await file.read(at, Math.min(READ_BYTES, hashAt - at)));
  const sum = hash.digest("hex");
  const said = Buffer.from(await file.read(hashAt, HASH_BYTES)).toString("hex");
  if (sum !== said) throw bad(path, "its SHA-256 is not the one at its end");
  return { trailer, sum, bytes };
}

async function noBackup(path: string, file: DiskFile): Promise<BadBackup> {
  const head = Buffer.from(await file.read(0, SECTOR));
  if (head.length >= BOLT_MAGIC_AT + 4 && head.readUInt32LE(BOLT_MAGIC_AT) === BOLT_MAGIC) {
    return new BadBackup(`${path} is a snapshot of etcd, not of Synod: it cannot be read here`);
  }
  const first = decodeFirstSector(head);
  if (first === null)
    return new BadBackup(`${path} is no snapshot of Synod: save one with synod snapshot save`);
  const isFromDirectory = first.bytes === (await file.size());
  return new BadBackup(
    isFromDirectory
      ? `${path} is a snapshot file of a data directory, which does not say of which cluster: use synod snapshot save`
      : `${path} is cut short, or was changed: take another copy, or save it again`,
  );
}

function bad(path: string, what: string): BadBackup {
  return new BadBackup(`${path} is damaged, and is not used: ${what}; take another copy, or save it again`);
}

function unknown(what: string, format: number, known: number): BadBackup {
  return new BadBackup(
    `${what} has format ${format}, this version knows ${known}: use a version that knows it`,
  );
}

/** Every frame, and every record in them. */
async function checkState(
  path: string,
  file: DiskFile,
  info: SnapshotInfo,
): Promise<{ readonly revision: number; readonly keys: number }> {
  const nowhere = { load: async () => {}, abandon: async () => {} };
  try {
    const { revision, index } = await loadSnapshot(
      framesOf(path, file, info),
      new MemoryRecordStore(),
      nowhere,
    );
    return { revision, keys: index.live };
  } catch (error) {
    if (!(error instanceof BadSnapshot)) throw error;
    throw bad(path, error.message);
  }
}

async function* framesOf(path: string, file: DiskFile, info: SnapshotInfo): AsyncGenerator<Uint8Array> {
  const walk = new FrameWalk(file, info.bytes);
  while (walk.position < info.bytes) {
    const { position } = walk;
    const frame = await walk.next();
    if (frame === null) throw bad(path, `no whole frame at byte ${position}`);
    if (frame.kind !== META) yield payloadOf(frame);
  }
  if (!walk.isAt(info)) throw bad(path, "its frames are not those of this snapshot");
}

/** The state in it, checked once more while it is read. */
export function withState(
  { path, snapshot }: Backup,
  use: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  return withFile(path, (file) => use(framesOf(path, file, snapshot)));
}
