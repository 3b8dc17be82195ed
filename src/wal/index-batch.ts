// Where the records of a batch are, once it is synced.
import type { Compaction } from "./compaction.js";
import type { BatchAssembler, WalRecord } from "./record-codec.js";
import type { SlotIndex } from "./slot-index.js";

/** The batch is the assembled one, at `position`. Whether one of its records is a vote or a learned value. */
export function indexBatch(
  index: SlotIndex,
  records: readonly WalRecord[],
  assembler: BatchAssembler,
  segment: number,
  position: number,
  compaction: Compaction,
): boolean {
  let offset = position + assembler.valuesAt;
  let values = false;
  for (let i = 0; i < records.length; i += 1) {
    const record = records[i]!;
    if (record.kind === "chosen") {
      index.chosen(record.upTo);
    } else if (record.kind === "void") {
      index.voidFrom(record.from);
      compaction.lower(assembler.maxSlot);
      offset += assembler.lengthOf(i);
    } else if (record.kind === "voidAgain") {
      offset += assembler.lengthOf(i);
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
