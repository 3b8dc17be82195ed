// The log of a data directory, read as a start reads it (A4, A6, L5), with what each damage means.
import { LAST_SLOT, type Slot } from "../../paxos/ballot.js";
import { DataDirectoryError } from "../../wal/data-directory-error.js";
import type { Disk } from "../../wal/disk.js";
import { checkFiles, type RecoveredLog, recover } from "../../wal/open-log.js";
import {
  isBehind,
  newestOf,
  PROMISE_NAMES,
  type PromiseState,
  readPromises,
} from "../../wal/promise-file.js";
import type { DamagedPlace } from "../../wal/recovery.js";
import { isHeaderIntact, segmentName, segmentsAmong } from "../../wal/segment-files.js";
import { FAULTY } from "../../wal/slot-index.js";
import { readPart } from "../../wal/unreadable.js";
import type { Inspection } from "./inspection.js";

/** `heldSlot`: the slot of the machine's durable state; null: not known. */
export async function inspectLog(disk: Disk, found: Inspection, heldSlot: Slot | null): Promise<void> {
  const files = await disk.list();
  let known: PromiseState;
  let log: RecoveredLog;
  try {
    const copies = await readPromises(disk, files);
    known = checkFiles(files, copies);
    comparePromises(copies, known, files, found);
    await checkHeaders(disk, known, found);
    log = await recover(disk, known);
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error;
    found.find("log", null, error.message);
    return;
  }
  listLeftOver(files, known, found);
  tellDamage(log, known, heldSlot, found);
  if (heldSlot !== null) compareState(log, heldSlot, found);
  const { recovery, end, sizes } = log;
  const { index } = recovery;
  found.log = {
    promised: Math.max(known.promised, recovery.ballot),
    segments: [...sizes].map(([segment, { bytes }]) => ({ name: segmentName(segment), bytes })),
    compactedUpTo: index.compactedUpTo,
    chosenUpTo: index.chosenAfter(Math.max(heldSlot ?? 0, index.compactedUpTo)),
    lastSlot: index.slotsAfter(0).at(-1) ?? index.compactedUpTo,
    closedInOrder: end.clean !== null && end.clean.segment === known.highest,
  };
}

function comparePromises(
  copies: readonly (PromiseState | null)[],
  known: PromiseState,
  files: readonly string[],
  found: Inspection,
): void {
  copies.forEach((copy, i) => {
    const [name, other] = [PROMISE_NAMES[i]!, PROMISE_NAMES[1 - i]!];
    if (copy === null) {
      const what = files.includes(name) ? "cannot be read" : "is missing";
      found.find(name, null, `${what}; the next start writes it again, as ${other} has it`);
    } else if (isBehind(copy, known)) {
      const text = `says less than ${other}: a stop between the two writes leaves that; the next start writes it again`;
      found.note(name, null, text);
    }
  });
  if (newestOf(copies).promised !== known.promised) throw new TypeError("both say what the newest says");
}

async function checkHeaders(disk: Disk, known: PromiseState, found: Inspection): Promise<void> {
  for (let index = Math.max(known.lowest, 1); index <= known.highest; index += 1) {
    const file = await disk.open(segmentName(index), false);
    try {
      if (isHeaderIntact(await readPart(file, 0, 512), index)) continue;
      found.find(
        segmentName(index),
        0,
        "the first sector is damaged; the batches behind it are read all the same",
      );
    } finally {
      await file.close();
    }
  }
}

function listLeftOver(files: readonly string[], known: PromiseState, found: Inspection): void {
  for (const index of segmentsAmong(files)) {
    const text =
      index > known.highest
        ? "a segment made ahead, not used yet; the next start removes it"
        : index < known.lowest
          ? "a segment that is compacted; the next start removes it"
          : null;
    if (text !== null) found.leftOver.push({ file: segmentName(index), offset: null, text });
  }
}

function tellDamage(
  { recovery, end }: RecoveredLog,
  known: PromiseState,
  heldSlot: Slot | null,
  found: Inspection,
): void {
  const fate = (slots: readonly Slot[] | null) => fateOf(slots, recovery, heldSlot ?? 0, found);
  for (const { segment, offset, what, slots } of recovery.places) {
    found.find(segmentName(segment), offset, `${WHAT[what]}; ${fate(slots)}`);
  }
  if (recovery.isTorn) {
    const text =
      "a batch behind the last one was not written wholly: it was never synced, and nobody relies on it";
    found.note(segmentName(known.highest), null, text);
  } else if (end.clean === null && known.highest > 0) {
    found.note(
      segmentName(known.highest),
      null,
      "the replica did not stop in good order; nothing is lost by that",
    );
  }
}

const WHAT: Readonly<Record<DamagedPlace["what"], string>> = {
  value: "a value does not fit its checksum",
  lists: "the list of a batch does not fit its checksum",
  batches: "one or more batches before this one cannot be read",
  end: "what follows the last batch cannot be read, and it may have been synced",
};

/** What the damage of records of these slots means; null: nobody knows of which. */
function fateOf(
  slots: readonly Slot[] | null,
  { index, voidFrom }: RecoveredLog["recovery"],
  heldSlot: Slot,
  found: Inspection,
): string {
  const covered = Math.max(heldSlot, index.compactedUpTo);
  if (slots === null) {
    const from = index.chosenAfter(covered) + 1;
    const to = index.lostUpTo === LAST_SLOT ? "on" : `to ${index.lostUpTo}`;
    if (index.lostUpTo < from && voidFrom > 0)
      return `what it held of slots from ${voidFrom} on was found void since, and the rest is known chosen: nothing is lost`;
    if (index.lostUpTo < from)
      return `it held nothing after slot ${covered}, which the state holds: nothing is lost`;
    return (
      `a vote may be lost in any slot from ${from} ${to} that is not known chosen: each counts as damaged, never as ` +
      "free, until its chosen value comes from the other members, or a new vote"
    );
  }
  const lost = [...new Set(slots)].filter((slot) => slot > covered && index.state(slot) === FAULTY);
  const names = [...new Set(slots)].join(", ");
  if (slots.length === 0) return "they listed no votes and no values: nothing is lost";
  if (lost.length === 0) {
    return slots.every((slot) => slot <= covered)
      ? `slot ${names}: the state holds it, nothing is lost`
      : `slot ${names}: the log shows its chosen value elsewhere, or the state holds it, nothing is lost`;
  }
  return `slot ${lost.join(", ")}: a vote or a chosen value is lost, it counts as damaged, never as free; ${found.source}`;
}

/** L5: what is executed is in the log too, or said to be compacted. */
function compareState({ recovery: { index } }: RecoveredLog, heldSlot: Slot, found: Inspection): void {
  if (index.compactedUpTo > heldSlot) {
    const missing = `slots ${heldSlot + 1} to ${index.compactedUpTo}`;
    const text = `the state is that of slot ${heldSlot}, and the log begins after slot ${index.compactedUpTo}: ${missing} are lost here; ${found.source}`;
    found.find("log", null, text);
    return;
  }
  const hidden = index.hiddenUpTo(heldSlot);
  if (hidden > index.compactedUpTo) {
    const text = `the state is that of slot ${heldSlot}, and the log does not show the chosen values of all slots up to ${hidden}; the next start compacts it up to there, nothing is lost`;
    found.find("log", null, text);
  }
}
