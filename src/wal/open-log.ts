// Opens the log of a data directory: finds its files, recovers, and prepares where the new life goes on. Refusals come
// before the first change on disk; what was read is durable before the log is used (design 2.10, F10).
import type { Ballot, Slot } from "../paxos/ballot.js";
import { Compaction, type SegmentSize } from "./compaction.js";
import { DataDirectoryError } from "./data-directory-error.js";
import type { Disk } from "./disk.js";
import {
  isBehind,
  newestOf,
  PROMISE_NAMES,
  PromiseFiles,
  type PromiseState,
  readPromises,
  settled,
} from "./promise-file.js";
import { BatchAssembler, type WalRecord } from "./record-codec.js";
import { type LogEnd, Recovery } from "./recovery.js";
import type { Room } from "./room.js";
import { opensLife, SegmentFiles, segmentName, segmentsAmong } from "./segment-files.js";
import type { SlotIndex } from "./slot-index.js";
import { readAround } from "./unreadable.js";

/** Written by `identity.ts` when the log exists: with it, a directory without a log has lost it. */
export const IDENTITY_NAME = "identity";

export interface LogParts {
  readonly index: SlotIndex;
  readonly segments: SegmentFiles;
  readonly promises: PromiseFiles;
  readonly assembler: BatchAssembler;
  readonly promised: Ballot;
  readonly compaction: Compaction;
  readonly damaged: number;
  /** What is to be written and synced before the log is used; null: nothing, it was closed in good order. */
  readonly opening: readonly WalRecord[] | null;
}

/**
 * Writes the first promise into a directory that has no log. Safe to repeat after a crash. `compactedUpTo`: the log
 * begins after it, for what led to the state that is there is not in it. `copies`: what was read of a promise that is
 * there.
 */
export async function createLog(
  disk: Disk,
  compactedUpTo: Slot = 0,
  copies: readonly (PromiseState | null)[] | null = null,
): Promise<void> {
  const promises = await PromiseFiles.open(disk, await disk.list(), 0, copies);
  await settled((done) => promises.write({ ...newestOf([]), compactedUpTo }, done));
  await promises.close();
  await disk.syncDirectory();
}

/** Whether the log of `disk`, if there is one, never held anything. */
export async function isLogBlank(disk: Disk): Promise<boolean> {
  const files = await disk.list();
  if (segmentsAmong(files).length > 0) return false;
  const copies = await readPromises(disk, files);
  return copies.every((copy) => copy === null || isBlank(copy));
}

/** One that begins after a slot is not: it is of a directory that was made with a state. */
function isBlank({ promised, highest, compactedUpTo }: PromiseState): boolean {
  return promised === 0 && highest === 0 && compactedUpTo === 0;
}

/** Whether the log of `disk` is one that `createLog` has made, and nothing has come into it. */
export async function isLogBegun(disk: Disk): Promise<boolean> {
  if (!(await isLogBlank(disk))) return false;
  return !isUnreadable(await readPromises(disk, await disk.list()));
}

/** Slots up to it are gone from the log of `disk`; 0: it reaches back to its begin, or there is none. */
export async function compactedUpToOf(disk: Disk): Promise<Slot> {
  return newestOf(await readPromises(disk, await disk.list())).compactedUpTo;
}

/** How a log is opened; `WalOptions` says it. */
export interface LogOptions {
  readonly segmentBytes: number;
  readonly appliedUpTo: Slot;
  readonly room: Room;
  readonly onFailed: (error: Error) => void;
}

export async function openLog(disk: Disk, options: LogOptions, found?: RecoveredLog): Promise<LogParts> {
  let files = await disk.list();
  let copies = await readPromises(disk, files);
  if (!files.includes(IDENTITY_NAME) && segmentsAmong(files).length === 0 && isUnreadable(copies)) {
    await createLog(disk, 0, copies);
    return openLog(disk, options, found);
  }
  const known = checkFiles(files, copies);
  if (known.highest === 0) {
    // What a killed first start left of the copies may not be on the disk; a segment without them is a lost log.
    await createLog(disk, known.compactedUpTo, copies);
    files = await disk.list();
    copies = await readPromises(disk, files);
  }
  const recovered = found ?? (await recover(disk, known));
  const promised = Math.max(known.promised, recovered.recovery.ballot);
  return prepare(disk, { ...options, files, copies, known, promised, ...recovered });
}

/** Reads the whole log, and refuses what `openLog` refuses of one that there is; for before anything is changed. */
export async function lookAtLog(disk: Disk): Promise<RecoveredLog> {
  const files = await disk.list();
  return recover(disk, checkFiles(files, await readPromises(disk, files)));
}

/** Refuses a directory whose log has lost files that it had. */
export async function checkLog(disk: Disk): Promise<void> {
  const files = await disk.list();
  checkFiles(files, await readPromises(disk, files));
}

/** What the copies of the promise say; throws `DataDirectoryError` when that, or a file of the log, is lost. */
export function checkFiles(files: readonly string[], copies: readonly (PromiseState | null)[]): PromiseState {
  if (isUnreadable(copies)) throw promiseLost(files);
  const known = newestOf(copies);
  const found = new Set(segmentsAmong(files));
  for (let index = Math.max(known.lowest, 1); index <= known.highest; index += 1) {
    if (!found.has(index)) throw segmentLost(index);
  }
  return known;
}

function isUnreadable(copies: readonly (PromiseState | null)[]): boolean {
  return copies[0] === null && copies[1] === null;
}

export interface RecoveredLog {
  readonly recovery: Recovery;
  readonly end: LogEnd;
  readonly sizes: ReadonlyMap<number, SegmentSize>;
}

interface Found extends RecoveredLog, LogOptions {
  readonly files: readonly string[];
  readonly copies: readonly (PromiseState | null)[];
  readonly known: PromiseState;
  readonly promised: Ballot;
}

/** What the log shows, as a start finds it; `known`: what the copies of the promise say. Changes nothing. */
export async function recover(disk: Disk, known: PromiseState): Promise<RecoveredLog> {
  const recovery = new Recovery(known);
  const sizes = new Map<number, SegmentSize>();
  for (let index = Math.max(known.lowest, 1); index <= known.highest; index += 1) {
    const { bytes, holes } = await readAround(disk, segmentName(index));
    const used = recovery.segment(index, bytes, opensLife(bytes, index), holes);
    sizes.set(index, { bytes: bytes.length, used });
  }
  return { recovery, end: recovery.finish(), sizes };
}

/** From here on the disk is changed. */
async function prepare(disk: Disk, found: Found): Promise<LogParts> {
  const { files, copies, known, promised, recovery, end } = found;
  const { index, starts } = recovery;
  const segments = new SegmentFiles(disk, found.segmentBytes, found.room, found.onFailed);
  // Segments beyond the highest were made ahead and never used; they may be half made.
  for (const index of segmentsAmong(files)) if (index > known.highest) await disk.remove(segmentName(index));
  for (const [index, size] of found.sizes) segments.recovered(index, size);
  let opening: readonly WalRecord[] | null = null;
  // A later segment than that of the mark was begun by a life that then died: no orderly end.
  if (end.clean !== null && end.clean.segment === known.highest) {
    await segments.resume(end.clean.segment, end.clean.offset);
    await settled((done) => segments.sync(done));
  } else {
    await segments.begin(known.highest + 1);
    opening = end.unproven;
    const spokenUpTo = Math.max(end.maxSlot, index.watermark);
    starts.push({ segment: segments.index, sequence: end.sequence - 1, spokenUpTo });
  }
  // L5: before a new watermark could make the chosen value of a slot of the vote that is here (F3).
  index.compact(index.hiddenUpTo(found.appliedUpTo));
  // A6: a bad or lower copy first, so that a good one is there at every moment.
  const promises = await PromiseFiles.open(disk, files, isBehind(copies[1] ?? null, known) ? 1 : 0, copies);
  const { sequence } = known;
  const manifest = { lowest: Math.max(known.lowest, 1), sequence, compactedUpTo: index.compactedUpTo };
  await settled((done) => promises.write({ promised, highest: segments.index, ...manifest }, done));
  // Only now do both copies say that those below are not missed.
  for (const below of segmentsAmong(files)) {
    if (below < manifest.lowest) await disk.remove(segmentName(below));
  }
  await disk.syncDirectory();
  return {
    index,
    segments,
    promises,
    assembler: new BatchAssembler(
      end.sequence,
      end.link,
      end.maxSlot,
      opening === null ? 0 : end.restates,
      end.previous,
      index.highest,
    ),
    promised,
    compaction: new Compaction(manifest, starts),
    damaged: recovery.damaged,
    opening,
  };
}

const REPLACE =
  "if they are gone for good, its votes may be lost: its id must be replaced, never start it on this directory again";

function promiseLost(files: readonly string[]): DataDirectoryError {
  const missing = PROMISE_NAMES.filter((name) => !files.includes(name));
  return new DataDirectoryError(
    missing.length === 0
      ? `${PROMISE_NAMES.join(" and ")} cannot be read: the promise of this replica is lost; ${REPLACE}`
      : `${missing.join(" and ")} missing, and no copy of the promise can be read; restore the files; ${REPLACE}`,
  );
}

function segmentLost(index: number): DataDirectoryError {
  return new DataDirectoryError(
    `${segmentName(index)} is missing, though this log has written to it; restore the file, or, as ${REPLACE}`,
  );
}
