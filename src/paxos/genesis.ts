// Genesis: what a cluster begins with, durable at every first replica before its first vote (design 2.8).
// Rule: a function of the configuration and of the disks that met; whoever makes it makes the same bytes.
import { assert } from "../base/assert.js";
import { ByteReader, ByteWriter, bytesEqual } from "../base/bytes.js";
import { sha256 } from "../base/sha256.js";
import { decodeUtf8, encodeUtf8 } from "../base/utf8.js";
import type { ReplicaId } from "./ballot.js";
import { Memberships, majorityOf } from "./membership.js";

/** Of a genesis, and of what a cluster id is made of. */
export const GENESIS_FORMAT = 1;
const CHECKSUM_BYTES = 8;
const MAX_MEMBERS = 1024;
export const DEFAULT_ALPHA = 64;
/** Slots from one digest of the state to the next. */
export const DEFAULT_DIGEST_INTERVAL = 1024;

/** The other rules come with membership changes. */
export type QuorumRule = "majority";

export interface GenesisMember {
  readonly id: ReplicaId;
  /** 32 hex digits. */
  readonly diskId: string;
}

export interface Genesis {
  readonly token: string;
  /** Sorted by id. */
  readonly members: readonly GenesisMember[];
  readonly alpha: number;
  readonly quorum: QuorumRule;
  readonly digestInterval: number;
}

/** What every first replica is configured with, before it knows the disks of the others. */
export interface ClusterConfig {
  readonly token: string;
  readonly members: readonly { readonly id: ReplicaId; readonly address: string }[];
  readonly alpha: number;
  readonly quorum: QuorumRule;
  readonly digestInterval: number;
}

/** With the settings that no operator is asked for. */
export function defaultConfig(token: string, members: ClusterConfig["members"]): ClusterConfig {
  return {
    token,
    members: [...members].sort((a, b) => a.id - b.id),
    alpha: DEFAULT_ALPHA,
    quorum: "majority",
    digestInterval: DEFAULT_DIGEST_INTERVAL,
  };
}

/** 16 hex digits; replicas with another one are refused at the handshake. */
export function clusterIdOf(config: ClusterConfig): string {
  const writer = new ByteWriter();
  writeSettings(writer, config);
  const members = [...config.members].sort((a, b) => a.id - b.id);
  writer.varint(members.length);
  for (const member of members) {
    writer.varint(member.id);
    writer.bytes(encodeUtf8(member.address));
  }
  return toHex(sha256(writer.finish()).subarray(0, 8));
}

/**
 * What a cluster is configured with whose first replicas begin with the state of a backup; `sum`: of the backup, in
 * hex. It is part of the token, so that those who begin with other states are of another cluster, and never meet.
 */
export function restoredConfig(config: ClusterConfig, sum: string): ClusterConfig {
  return { ...config, token: `${config.token}, restored from ${sum}` };
}

/** The genesis that replicas with these disks make; `diskIds` has one for every member. */
export function makeGenesis(config: ClusterConfig, diskIds: ReadonlyMap<ReplicaId, string>): Genesis {
  const members = config.members
    .map(({ id }) => ({ id, diskId: diskIds.get(id) ?? "" }))
    .sort((a, b) => a.id - b.id);
  for (const member of members) assert(member.diskId !== "", "genesis names a disk for every member");
  const { token, alpha, quorum, digestInterval } = config;
  return { token, members, alpha, quorum, digestInterval };
}

export function membershipsOf(genesis: Genesis): Memberships {
  return new Memberships(majorityOf(genesis.members.map(({ id }) => id)), genesis.alpha);
}

export function encodeGenesis(genesis: Genesis): Uint8Array {
  const writer = new ByteWriter();
  writeSettings(writer, genesis);
  writer.varint(genesis.members.length);
  for (const member of genesis.members) {
    writer.varint(member.id);
    writer.bytes(encodeUtf8(member.diskId));
  }
  writer.raw(sha256(writer.finish()).slice(0, CHECKSUM_BYTES));
  return writer.finish();
}

/** The format of a genesis that is intact, known or not; null when the bytes are none. */
export function genesisFormatOf(bytes: Uint8Array): number | null {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < 1) return null;
  const isIntact = bytesEqual(
    sha256(bytes.subarray(0, end)).subarray(0, CHECKSUM_BYTES),
    bytes.subarray(end),
  );
  return isIntact ? bytes[0]! : null;
}

/** The genesis, or null when the bytes are none, whatever they are. */
export function decodeGenesis(bytes: Uint8Array): Genesis | null {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < 0) return null;
  const content = bytes.subarray(0, end);
  if (!bytesEqual(sha256(content).subarray(0, CHECKSUM_BYTES), bytes.subarray(end))) return null;
  const reader = new ByteReader(content);
  const format = reader.u8();
  const token = decodeUtf8(reader.bytes());
  const alpha = reader.varint();
  const rule = reader.u8();
  const digestInterval = reader.varint();
  const count = reader.varint();
  if (reader.failed || format !== GENESIS_FORMAT || token === null || alpha < 1 || rule !== 0) return null;
  if (count < 1 || count > MAX_MEMBERS) return null;
  const members: GenesisMember[] = [];
  for (let i = 0; i < count; i += 1) {
    const id = reader.varint();
    const diskId = decodeUtf8(reader.bytes());
    const last = members.at(-1)?.id ?? 0;
    if (reader.failed || diskId === null || diskId === "" || id <= last || id > 65535) return null;
    members.push({ id, diskId });
  }
  return reader.atEnd ? { token, members, alpha, quorum: "majority", digestInterval } : null;
}

function writeSettings(writer: ByteWriter, settings: Omit<ClusterConfig, "members">): void {
  writer.u8(GENESIS_FORMAT);
  writer.bytes(encodeUtf8(settings.token));
  writer.varint(settings.alpha);
  writer.u8(0);
  writer.varint(settings.digestInterval);
}

function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
