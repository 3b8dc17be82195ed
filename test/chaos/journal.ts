// The journal that lossy-disk.c keeps of one data directory: what each change overwrote, which syncs succeeded, which
// faults struck. A record at the end that is not whole is of a change that never was.

export interface Write {
  readonly kind: "write";
  /** Where the record is in the journal: a sync covers what is before its `upTo`. */
  readonly position: number;
  /** Inode numbers name files and directories: a name may be another's by now. */
  readonly file: number;
  readonly at: number;
  readonly span: number;
  readonly oldSize: number;
  readonly newSize: number;
  /** What was there; shorter than `span` where the file ended. */
  readonly old: Uint8Array;
}

export interface Sync {
  readonly kind: "sync" | "sync failed";
  readonly file: number;
  readonly upTo: number;
}

/** A write through a descriptor that syncs each write by itself. */
export interface SyncRange {
  readonly kind: "sync range";
  readonly file: number;
  readonly at: number;
  readonly span: number;
  readonly upTo: number;
}

export type EntryChange =
  | { readonly kind: "create"; readonly position: number; readonly file: number; readonly name: Entry }
  | { readonly kind: "remove"; readonly position: number; readonly file: number; readonly name: Entry }
  | {
      readonly kind: "rename";
      readonly position: number;
      readonly file: number;
      readonly name: Entry;
      readonly to: Entry;
      /** 0: none. */
      readonly replaced: number;
    };

export interface Entry {
  readonly directory: number;
  readonly name: string;
}

type Told =
  | { readonly kind: "fault"; readonly text: string }
  | { readonly kind: "mapped"; readonly file: number };

export type JournalRecord = Write | Sync | SyncRange | EntryChange | Told;

const MAGIC = 0x4b534944;
const HEADER_BYTES = 56;
/** Those of lossy-disk.c. */
const KIND = {
  write: 1,
  sync: 2,
  syncRange: 3,
  syncFailed: 4,
  create: 5,
  remove: 6,
  rename: 7,
  fault: 8,
  mapped: 9,
};

/** `whole` bytes of the journal are records; what comes after them is a part of one. */
export function readJournal(bytes: Buffer): { records: JournalRecord[]; whole: number } {
  const records: JournalRecord[] = [];
  let position = 0;
  while (position + HEADER_BYTES <= bytes.length) {
    if (bytes.readUInt32LE(position) !== MAGIC) throw new Error(`no record of a journal at ${position}`);
    const dataAt = position + HEADER_BYTES + bytes.readUInt32LE(position + 48);
    const end = dataAt + bytes.readUInt32LE(position + 52);
    if (end > bytes.length) break;
    const text = bytes.toString("utf8", position + HEADER_BYTES, dataAt);
    records.push(readRecord(bytes, position, text, bytes.subarray(dataAt, end)));
    position = end;
  }
  return { records, whole: position };
}

function readRecord(bytes: Buffer, position: number, text: string, old: Uint8Array): JournalRecord {
  const [file, a, b, c, d] = [8, 16, 24, 32, 40].map((at) => Number(bytes.readBigUInt64LE(position + at)));
  const number = bytes.readUInt32LE(position + 4);
  switch (number) {
    case KIND.write:
      return { kind: "write", position, file: file!, at: a!, span: b!, oldSize: c!, newSize: d!, old };
    case KIND.sync:
    case KIND.syncFailed:
      return { kind: number === KIND.sync ? "sync" : "sync failed", file: file!, upTo: a! };
    case KIND.syncRange:
      return { kind: "sync range", file: file!, at: a!, span: b!, upTo: c! };
    case KIND.create:
    case KIND.remove: {
      const kind = number === KIND.create ? "create" : "remove";
      return { kind, position, file: file!, name: { directory: a!, name: text } };
    }
    case KIND.rename: {
      const [from, to] = text.split("/");
      const names = { name: { directory: a!, name: from! }, to: { directory: b!, name: to! } };
      return { kind: "rename", position, file: file!, ...names, replaced: c! };
    }
    case KIND.fault:
      return { kind: "fault", text };
    case KIND.mapped:
      return { kind: "mapped", file: file! };
    default:
      throw new Error(`a record of kind ${number} at ${position} of a journal`);
  }
}
