// Who a data directory belongs to, and what its cluster began with (design 2.8). Both files are written whole or not at
// all: temporary file, sync, rename, directory sync. A refusal changes nothing on disk.
import { assert } from "../base/assert.js";
import { bytesEqual } from "../base/bytes.js";
import { crc32 } from "../base/crc32.js";
import { decodeUtf8 } from "../base/utf8.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import { DataDirectoryError } from "./data-directory-error.js";
import type { Disk } from "./disk.js";
import { checkLog, createLog, IDENTITY_NAME, isLogBlank } from "./open-log.js";
import { PROMISE_NAMES, settled, writeSynced } from "./promise-file.js";
import { RESERVE_NAMES } from "./room.js";
import { readIntact } from "./unreadable.js";

export { DataDirectoryError } from "./data-directory-error.js";

const FORMAT = 1;
export const GENESIS_NAME = "genesis";
const NEW_SUFFIX = ".new";
/** Written by `io/directory-lock.ts`. */
export const LOCK_NAME = "lock";

export interface DirectoryIdentity {
  readonly format: number;
  /** 16 hex digits. */
  readonly clusterId: string;
  readonly replica: ReplicaId;
  /** Random, made with the directory: 32 hex digits. */
  readonly diskId: string;
  /** Counts the starts of this directory, from 1. */
  readonly incarnation: number;
  /** Where the state came from that the directory was made with; not there when it was made empty. */
  readonly restored?: RestoredFrom;
}

export interface RestoredFrom {
  readonly slot: Slot;
  /** SHA-256 of the backup: 64 hex digits. */
  readonly sum: string;
}

/** `genesisCrc` 0: no genesis was saved when this was written. */
export interface IdentityFile extends DirectoryIdentity {
  readonly genesisCrc: number;
}

export interface DataDirectoryOptions {
  readonly clusterId: string;
  readonly replica: ReplicaId;
  /** 32 random hex digits; asked for once, when the directory is new. */
  randomHex(): string;
  /** Throws what is wrong with a genesis that is intact; nothing is changed then. */
  checkGenesis?(bytes: Uint8Array): void;
}

export class DataDirectory {
  readonly identity: DirectoryIdentity;
  readonly #disk: Disk;
  #genesis: Uint8Array | null;

  private constructor(disk: Disk, identity: DirectoryIdentity, genesis: Uint8Array | null) {
    this.#disk = disk;
    this.identity = identity;
    this.#genesis = genesis;
  }

  /** What `saveGenesis` was given; null: nothing yet. */
  get genesis(): Uint8Array | null {
    return this.#genesis;
  }

  /**
   * Refuses what `open` refuses, before anything else of the directory is used, and changes nothing then. Of an empty
   * one the log is begun when it resolves: what is made in it from then on is of a first start, however that ends.
   */
  static async prepare(disk: Disk, options: DataDirectoryOptions): Promise<void> {
    const found = await findOurs(disk, options);
    if (found.old === null) await createLog(disk);
  }

  /**
   * Opens the directory, or makes a new one of an empty one; this start is counted, durably, before it resolves.
   * Rejects with `DataDirectoryError` for another cluster, another replica, a newer format, or missing files.
   */
  static async open(disk: Disk, options: DataDirectoryOptions): Promise<DataDirectory> {
    const { old, genesis } = await findOurs(disk, options);
    // Its name may be of a life that died before that was durable, and the identity is to say that it is there.
    if (genesis !== null && old?.genesisCrc === 0) await disk.syncDirectory();
    // The log first: once the identity is there, a directory without a log is one that has lost it.
    if (old === null) await createLog(disk);
    const file: IdentityFile = {
      format: FORMAT,
      clusterId: options.clusterId,
      replica: options.replica,
      diskId: old?.diskId ?? options.randomHex(),
      incarnation: (old?.incarnation ?? 0) + 1,
      ...(old?.restored === undefined ? {} : { restored: old.restored }),
      genesisCrc: genesis === null ? 0 : crc32(genesis),
    };
    await replaceFile(disk, IDENTITY_NAME, encodeIdentity(file));
    const { genesisCrc: _, ...identity } = file;
    return new DataDirectory(disk, identity, genesis);
  }

  /** Durable when it resolves. A directory has one genesis for ever. */
  async saveGenesis(bytes: Uint8Array): Promise<void> {
    if (this.#genesis !== null) {
      if (bytesEqual(this.#genesis, bytes)) return;
      throw new DataDirectoryError(
        "this data directory holds the genesis of another cluster: give this member the directory that is its own",
      );
    }
    const kept = bytes.slice();
    await replaceFile(this.#disk, GENESIS_NAME, sealed(kept));
    await replaceFile(
      this.#disk,
      IDENTITY_NAME,
      encodeIdentity({ ...this.identity, genesisCrc: crc32(kept) }),
    );
    this.#genesis = kept;
  }

  /** What of both files has rotted since, or is gone, is written again; says which. To be called once at a time. */
  async repair(): Promise<string[]> {
    const repaired: string[] = [];
    const genesis = this.#genesis;
    // While the cluster forms there may be more on the disk than is known here.
    if (genesis === null) return repaired;
    const files: readonly (readonly [string, Uint8Array])[] = [
      [GENESIS_NAME, sealed(genesis)],
      [IDENTITY_NAME, encodeIdentity({ ...this.identity, genesisCrc: crc32(genesis) })],
    ];
    for (const [name, bytes] of files) {
      const isThere = (await this.#disk.list()).includes(name);
      const found = isThere ? await readIntact(this.#disk, name) : null;
      if (found !== null && bytesEqual(found, bytes)) continue;
      await replaceFile(this.#disk, name, bytes);
      repaired.push(name);
    }
    return repaired;
  }
}

/**
 * Makes a directory of an empty disk that begins with the state after `restored.slot`: durable when it resolves, the
 * identity last. It has never been started, and has never voted.
 */
export async function makeRestored(
  disk: Disk,
  options: Pick<DirectoryIdentity, "clusterId" | "replica" | "diskId"> & { readonly restored: RestoredFrom },
): Promise<void> {
  await createLog(disk, options.restored.slot);
  const identity = { format: FORMAT, ...options, incarnation: 0, genesisCrc: 0 };
  await replaceFile(disk, IDENTITY_NAME, encodeIdentity(identity));
}

/** As it stands in the directory; null: there is none. Throws `DataDirectoryError`. */
export async function readIdentity(disk: Disk): Promise<IdentityFile | null> {
  const files = await disk.list();
  return files.includes(IDENTITY_NAME) ? decodeIdentity(await readIntact(disk, IDENTITY_NAME)) : null;
}

interface Ours {
  /** Null: the directory is new. */
  readonly old: IdentityFile | null;
  readonly genesis: Uint8Array | null;
}

/** Changes nothing. Throws `DataDirectoryError` for what is not this replica's, or not whole. */
async function findOurs(disk: Disk, options: DataDirectoryOptions): Promise<Ours> {
  const files = await disk.list();
  const old = await readIdentity(disk);
  if (old !== null) checkIdentity(old, options);
  else await checkNew(disk, files);
  if (old !== null) await checkLog(disk);
  const genesis = await readGenesis(disk, files, old?.genesisCrc ?? 0);
  if (genesis !== null) options.checkGenesis?.(genesis);
  return { old, genesis };
}

function checkIdentity(found: IdentityFile, { clusterId, replica }: DataDirectoryOptions): void {
  if (found.clusterId !== clusterId) {
    throw new DataDirectoryError(
      `this data directory belongs to cluster ${found.clusterId}, but the members and token given make cluster ` +
        `${clusterId}: correct them, or start with an empty directory`,
    );
  }
  if (found.replica !== replica) {
    throw new DataDirectoryError(
      `this data directory belongs to replica ${found.replica}, not to replica ${replica}: give each replica its own`,
    );
  }
}

/** A directory without an identity may hold nothing but what a first start leaves that died at once. */
export async function checkNew(disk: Disk, files: readonly string[]): Promise<void> {
  const leftovers: readonly string[] = [
    ...PROMISE_NAMES,
    ...RESERVE_NAMES,
    LOCK_NAME,
    IDENTITY_NAME + NEW_SUFFIX,
  ];
  const others = files.filter((name) => !leftovers.includes(name));
  if (others.length === 0 && (await isLogBlank(disk))) return;
  throw identityMissing(others.length > 0 ? others : PROMISE_NAMES);
}

/** Of a directory that holds `found`, which is of a member, and does not say of which. */
export function identityMissing(found: readonly string[]): DataDirectoryError {
  return new DataDirectoryError(
    `this data directory holds ${found.slice(0, 3).join(", ")} but no file "${IDENTITY_NAME}": restore that file; if it is ` +
      "gone for good, the replica's id must be replaced; a new cluster starts with empty directories",
  );
}

/** `crc`: as the identity has it. Throws `DataDirectoryError`. */
export async function readGenesis(
  disk: Disk,
  files: readonly string[],
  crc: number,
): Promise<Uint8Array | null> {
  const advice = `restore it; if it is gone for good, the replica's id must be replaced`;
  if (!files.includes(GENESIS_NAME)) {
    if (crc === 0) return null;
    throw new DataDirectoryError(`the file "${GENESIS_NAME}" of this data directory is missing: ${advice}`);
  }
  const all = await readIntact(disk, GENESIS_NAME);
  const bytes = all === null ? null : unsealed(all);
  if (bytes !== null && (crc === 0 || crc === crc32(bytes))) return bytes;
  throw new DataDirectoryError(`the file "${GENESIS_NAME}" of this data directory is damaged: ${advice}`);
}

async function replaceFile(disk: Disk, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = name + NEW_SUFFIX;
  if ((await disk.list()).includes(temporary)) await disk.remove(temporary);
  const file = await disk.open(temporary, true);
  try {
    await settled((done) => writeSynced(file, 0, bytes, done));
  } finally {
    await file.close();
  }
  await disk.rename(temporary, name);
  await disk.syncDirectory();
}

/** The bytes, then their crc. */
function sealed(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 4);
  all.set(bytes);
  new DataView(all.buffer).setUint32(bytes.length, crc32(bytes), true);
  return all;
}

function unsealed(all: Uint8Array): Uint8Array | null {
  if (all.length < 4) return null;
  const bytes = all.slice(0, -4);
  return new DataView(all.buffer, all.byteOffset).getUint32(bytes.length, true) === crc32(bytes)
    ? bytes
    : null;
}

/** One line of JSON and a line with its crc in hex: ASCII, to be read by people too. */
function encodeIdentity(file: IdentityFile): Uint8Array {
  const line = JSON.stringify(file);
  return asciiBytes(`${line}\n${crc32(asciiBytes(line)).toString(16)}\n`);
}

function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    assert(text.charCodeAt(at) < 128, "an identity is ASCII");
    bytes[at] = text.charCodeAt(at);
  }
  return bytes;
}

/** Null: it cannot be read. */
function decodeIdentity(bytes: Uint8Array | null): IdentityFile {
  const [line = "", crc = ""] = (bytes === null ? "" : (decodeUtf8(bytes) ?? "")).split("\n");
  if (bytes === null || crc32(bytes, 0, 0, line.length).toString(16) !== crc) {
    throw new DataDirectoryError(
      `the file "${IDENTITY_NAME}" of this data directory is damaged: restore it; if it is gone for good, the ` +
        "replica's id must be replaced",
    );
  }
  const file = JSON.parse(line) as IdentityFile;
  if (file.format !== FORMAT) {
    throw new DataDirectoryError(
      `the file "${IDENTITY_NAME}" has format ${file.format}, this version knows ${FORMAT}: start a version that knows it`,
    );
  }
  return file;
}
