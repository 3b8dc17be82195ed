// A backup: a snapshot file as it is, zeros up to a sector, a trailer that says whose it is, and the SHA-256 of all
// of it (docs/format.md). Its length is 32 above a multiple of 512, which is where etcdctl looks for a checksum.
import { ByteReader, ByteWriter } from "../base/bytes.js";
import { crc32 } from "../base/crc32.js";

const MAGIC = 0x424e5953;
export const BACKUP_FORMAT = 1;
/** Of the trailer, and what the snapshot is filled up to. */
export const TRAILER_BYTES = 512;
export const HASH_BYTES = 32;
const CLUSTER_ID_BYTES = 8;

export interface BackupTrailer {
  readonly format: number;
  /** Of the cluster that the snapshot is of: 16 hex digits. */
  readonly clusterId: string;
  readonly slot: number;
  /** Of the snapshot, without what fills it up. */
  readonly snapshotBytes: number;
}

export function fillOf(snapshotBytes: number): number {
  return (TRAILER_BYTES - (snapshotBytes % TRAILER_BYTES)) % TRAILER_BYTES;
}

/** Length of the whole file. */
export function backupBytes(snapshotBytes: number): number {
  return snapshotBytes + fillOf(snapshotBytes) + TRAILER_BYTES + HASH_BYTES;
}

export function encodeTrailer({ clusterId, slot, snapshotBytes }: Omit<BackupTrailer, "format">): Uint8Array {
  const writer = new ByteWriter(TRAILER_BYTES);
  writer.u32(MAGIC);
  writer.u32(0);
  writer.u32(BACKUP_FORMAT);
  for (let at = 0; at < CLUSTER_ID_BYTES; at += 1) {
    writer.u8(Number.parseInt(clusterId.slice(2 * at, 2 * at + 2), 16));
  }
  writer.u53(slot);
  writer.u53(snapshotBytes);
  writer.raw(new Uint8Array(TRAILER_BYTES - writer.length));
  const bytes = writer.finish();
  writer.patchU32(4, crc32(bytes, 0, 8));
  return bytes;
}

/** Null: not readable. Of another format than this one's, only `format` means something. */
export function decodeTrailer(bytes: Uint8Array): BackupTrailer | null {
  if (bytes.length !== TRAILER_BYTES) return null;
  const reader = new ByteReader(bytes);
  if (reader.u32() !== MAGIC || reader.u32() !== crc32(bytes, 0, 8)) return null;
  const format = reader.u32();
  let clusterId = "";
  for (let at = 0; at < CLUSTER_ID_BYTES; at += 1) clusterId += reader.u8().toString(16).padStart(2, "0");
  const trailer = { format, clusterId, slot: reader.u53(), snapshotBytes: reader.u53() };
  return reader.failed ? null : trailer;
}
