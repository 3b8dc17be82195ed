// Makes a file look as a newer version may write it: with a number that this one does not know, and with every checksum
// right.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "../../src/base/crc32.js";
import { encodeFirstSector } from "../../src/replica/snapshot-format.js";
import { readHeader } from "../../src/wal/record-codec.js";
import { segmentName } from "../../src/wal/segment-files.js";

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The number at byte 8 of a file that has its checksum before it. */
export function flipSector(bytes: Uint8Array, length = 512): void {
  const view = viewOf(bytes);
  view.setUint32(8, view.getUint32(8, true) + 8, true);
  view.setUint32(4, crc32(bytes, 0, 8, length), true);
}

/** The kind of the first record of the log, with every checksum and link after it. */
export function flipRecord(bytes: Uint8Array, segment: number): void {
  const view = viewOf(bytes);
  let link: number | null = null;
  let isFlipped = false;
  for (let at = 512; ; ) {
    const header = readHeader(bytes, at, segment);
    if (header === null) break;
    if (!isFlipped && header.records > 0) {
      bytes[at + 72 + 7] = 9;
      isFlipped = true;
    }
    if (link !== null) view.setUint32(at + 24, link, true);
    const lists = at + 72 + header.records * 24 + header.repeats * 16;
    view.setUint32(at + 48, crc32(bytes, 0, at + 72, lists), true);
    link = crc32(bytes, 0, at + 8, at + 72);
    view.setUint32(at + 4, link, true);
    at += header.length;
  }
  assert.ok(isFlipped, "there is a record");
}

function flipFirstSegment(dataDir: string, flip: (bytes: Uint8Array) => void): void {
  const path = join(dataDir, segmentName(1));
  const bytes = readFileSync(path);
  flip(bytes);
  writeFileSync(path, bytes);
}

/** What a newer version may leave in a data directory: what it is, how it gets there, how it is told. */
export const NEWER: readonly (readonly [string, (dataDir: string) => void, RegExp])[] = [
  [
    "a segment of the log",
    (dataDir) => flipFirstSegment(dataDir, flipSector),
    /log-0000000001 has format 9, this version knows 1: start a version that knows it$/,
  ],
  [
    "a record of the log",
    (dataDir) => flipFirstSegment(dataDir, (bytes) => flipRecord(bytes, 1)),
    /log-0000000001 has a record of kind 9, this version knows 1 to 5: start a version that knows it$/,
  ],
  [
    "a snapshot",
    (dataDir) => {
      const first = { isWhole: true, format: 9, slot: 3, bytes: 600, sum: 1, frames: 2 };
      writeFileSync(join(dataDir, "snapshot-0000000000000003"), encodeFirstSector(first));
    },
    /snapshot-0000000000000003 has format 9, this version knows 1: start a version that knows it$/,
  ],
];
