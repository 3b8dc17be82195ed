// Where the records of a log are on a disk, batch by batch, so that one in particular can be damaged.

import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import {
  type BatchHeader,
  KIND_ACCEPTED,
  KIND_CHOSEN,
  KIND_LEARNED,
  KIND_WATERMARK,
  readHeader,
  readList,
  valuesOf,
} from "../../src/wal/record-codec.js";
import { FIRST_BATCH, segmentName, segmentsAmong } from "../../src/wal/segment-files.js";

/** A vote or a learned value. */
export interface PlacedRecord {
  readonly slot: number;
  readonly file: string;
  readonly batch: BatchHeader;
  /** Where the values of its batch begin. */
  readonly valuesAt: number;
  /** Of the value. */
  readonly offset: number;
  readonly length: number;
}

export function recordsOf(disk: MemoryDisk): PlacedRecord[] {
  const records: PlacedRecord[] = [];
  for (const { file, bytes, batch } of batchesOf(disk)) {
    const valuesAt = valuesOf(batch);
    let offset = valuesAt;
    for (const { kind, slot, length } of readList(bytes, batch) ?? []) {
      if (kind === KIND_ACCEPTED || kind === KIND_LEARNED)
        records.push({ slot, file, batch, valuesAt, offset, length });
      offset += length;
    }
  }
  return records;
}

/** The newest watermark. */
export function chosenUpToOf(disk: MemoryDisk): number {
  let upTo = 0;
  for (const { bytes, batch } of batchesOf(disk)) {
    for (const { kind, slot } of readList(bytes, batch) ?? [])
      if (kind === KIND_CHOSEN || kind === KIND_WATERMARK) upTo = Math.max(upTo, slot);
  }
  return upTo;
}

function* batchesOf(disk: MemoryDisk) {
  for (const segment of segmentsAmong(disk.names())) {
    const file = segmentName(segment);
    const bytes = disk.bytesOf(file);
    for (let at = FIRST_BATCH; at < bytes.length; ) {
      const batch = readHeader(bytes, at, segment);
      if (batch === null) break;
      yield { file, bytes, batch };
      at += batch.length;
    }
  }
}
