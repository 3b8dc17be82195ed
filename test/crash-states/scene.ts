// What a workload is: a disk to begin with, lives that are recorded, and how a start recovers from what is left.
import type { Random } from "../../src/base/random.js";
import { durableImage } from "./durable-image.js";
import type { Facts } from "./fact.js";
import type { StateAfter } from "./judge.js";
import { genesisWith, hex, type Life, LogLife, settle } from "./life.js";
import type { Image } from "./recording.js";
import { recordingOf } from "./recording.js";
import { RecordingDisk } from "./recording-disk.js";
import { factsAfter } from "./walk.js";

/** What a life begins with: the disk, and the version of the store beside it. */
export interface Beginning {
  readonly image: Image;
  readonly version: number;
  readonly facts: Facts;
}

/** A life that has started from an image. */
export interface Started {
  readonly life: Life;
  /** The next start, with what the store beside the disk has by then. */
  again(disk: RecordingDisk): Promise<Started>;
}

export interface Scene {
  readonly beginning: Beginning;
  readonly stateAfter: StateAfter;
  /** A life that is recorded, to its end. */
  live(disk: RecordingDisk, version: number): Promise<void>;
  recover(disk: RecordingDisk, version: number): Promise<Started>;
}

export interface Workload {
  readonly name: string;
  readonly what: string;
  /** Lives that end before the one of which every end is tried. */
  earlierLives(random: Random): number;
  make(random: Random): Promise<Scene>;
}

export const NO_STATE: StateAfter = () => "";

/** The ids of disks: of the one that the workload makes, and of one that a recovery would make. */
export const OWN = "a";
export const ANOTHER = "b";

/** A directory that was started once, with a genesis and an empty log. */
export async function formed(segmentBytes: number): Promise<Beginning> {
  const recording = recordingOf(new Map());
  const disk = new RecordingDisk(recording);
  await LogLife.start(disk, { segmentBytes, held: 0, digit: OWN }, (directory) =>
    saveGenesis(disk, directory),
  );
  return { image: durableImage(recording), version: 0, facts: factsAfter(recording) };
}

export async function saveGenesis(
  disk: RecordingDisk,
  directory: {
    readonly identity: { readonly diskId: string };
    saveGenesis(bytes: Uint8Array): Promise<void>;
  },
): Promise<void> {
  const genesis = genesisWith(directory.identity.diskId);
  disk.tell({ kind: "saving genesis", genesis: hex(genesis) });
  await directory.saveGenesis(genesis);
  disk.tell({ kind: "saved genesis" });
}

/** A start of the directory and the log, where a state is held elsewhere up to slot `version`. */
export async function recoverLog(
  disk: RecordingDisk,
  version: number,
  segmentBytes: number,
): Promise<Started & { readonly life: LogLife }> {
  const life = await LogLife.start(disk, { segmentBytes, held: version, digit: ANOTHER });
  return {
    life,
    again: (next) => recoverLog(next, version, segmentBytes),
  };
}

/** A few microtasks, or everything that waits: what is appended meanwhile goes into the next batch. */
export async function pause(random: Random): Promise<void> {
  if (random.below(2) === 0) await settle();
  else for (let count = random.below(6); count > 0; count -= 1) await Promise.resolve();
}
