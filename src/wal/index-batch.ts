// Where the records of a batch are, once it is synced.
import type { BatchAssembler, WalRecord } from "./record-codec.js";
import type { SlotIndex } from "./slot-index.js";

/** The batch is the assembled one, at `position`. Whether one of its records is a vote or a learned value. */
export function indexBatch(
  index: SlotIndex,
  records: readonly WalRecord[],
  assembler: BatchAssembler,
  segment: number,
  position: number,
): boolean {
  let offset = position + assembler.valuesAt;
  let values = false;
  for (let i = 0; i < records.length; i += 1) {
    const record = records[i]!;
    if (record.kind === "chosen") {
      index.chosen(record.upTo);
    } else if (record.kind !== "watermark") {
      const length = record.value.length;
      const crc = assembler.crcOf(i);
      if (record.kind === "learned") index.learned(record.slot, segment, offset, length, crc);
      else index.accepted(record.slot, record.ballot, segment, offset, length, crc);
      offset += length;
      values = true;
    }
  }
  return values;
}
