// Recovers from one state by the code that every start runs, and sees that what it found can be relied on: it outlasts
// the next failure of power, and the log goes on.

import { durableImage } from "./durable-image.js";
import { describeSlot } from "./expected-log.js";
import type { Found, Turn } from "./fact.js";
import { ending, type Life, settle } from "./life.js";
import { type Recording, recordingOf } from "./recording.js";
import { RecordingDisk } from "./recording-disk.js";
import type { Scene, Started } from "./scene.js";
import { afterwards } from "./traffic.js";

/** Throws where a start does not go well; `isClosed`: the first life ends in good order. */
export async function recover(
  scene: Scene,
  recording: Recording,
  version: number,
  isClosed: boolean,
): Promise<Found> {
  const first = await started(scene.recover(new RecordingDisk(recording), version));
  const { life } = first;
  const turn = afterwards(life.found);
  life.append(turn);
  await settle();
  if (isClosed) await ending("closing", life.close());
  checkWell(life, 1);
  const disk = new RecordingDisk(recordingOf(durableImage(recording)));
  const again = await started(first.again(disk));
  checkWell(again.life, 0);
  compare(life.found, turn, again.life.found);
  return life.found;
}

function started(start: Promise<Started>): Promise<Started> {
  return ending("the start", start);
}

function checkWell({ failures, proven }: Life, turns: number): void {
  if (failures.length > 0) throw failures[0];
  if (proven !== turns) throw new Error("what is appended after the start is not synced");
}

/** The next start finds all that the first one found, and what was appended since. */
function compare(before: Found, { promise, records }: Turn, after: Found): void {
  const wanted: Found = {
    ...before,
    incarnation: before.incarnation + 1,
    promised: promise,
    log: logAfter(before, records, after.compactedUpTo),
    // The machine may have been committed since, and the log compacted.
    held: Math.max(before.held, after.held),
    compactedUpTo: Math.max(before.compactedUpTo, after.compactedUpTo),
  };
  for (const key of Object.keys(wanted) as (keyof Found)[]) {
    if (wanted[key] === after[key]) continue;
    throw new Error(`the start after it found ${key} ${after[key]}, must be ${wanted[key]}`);
  }
}

function logAfter({ log }: Found, records: Turn["records"], compactedUpTo: number): string {
  const lines = log.split(" ").filter((line) => line !== "" && Number.parseInt(line, 10) > compactedUpTo);
  for (const record of records) {
    if (record.kind === "accepted") lines.push(describeSlot(record.slot, record.ballot, record.value));
  }
  return lines.join(" ");
}
