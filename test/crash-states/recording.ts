// What a workload did to its disk, in order: the steps from which every state that a failure of power may leave is
// worked out, and between them the facts that it was told. Rule: nothing is in it that the disk was not asked for.
import type { Fact } from "./fact.js";

/** A directory with its files; the bytes are never changed. */
export type Image = ReadonlyMap<string, Uint8Array>;

/** Files are counted from 0, those of the image first: a name may mean one file after the other. */
export type Step =
  | { readonly kind: "create"; readonly name: string; readonly file: number }
  | { readonly kind: "rename"; readonly from: string; readonly to: string; readonly file: number }
  | { readonly kind: "remove"; readonly name: string; readonly file: number }
  | { readonly kind: "write"; readonly file: number; readonly position: number; readonly bytes: Uint8Array }
  /** What came before step `begun` is durable from here on; after it chance decided. */
  | { readonly kind: "synced"; readonly file: number; readonly begun: number }
  | { readonly kind: "directory synced"; readonly begun: number }
  /** A store of its own takes something up, all of it or nothing; `version` is how it then is, once it is known. */
  | { readonly kind: "storing"; version: number | null }
  | { readonly kind: "stored"; readonly version: number }
  | { readonly kind: "told"; readonly fact: Fact };

export interface Recording {
  readonly image: Image;
  readonly steps: Step[];
}

export function recordingOf(image: Image): Recording {
  return { image, steps: [] };
}

/** The process is killed before step `at`: its syncs under way are never done, what it wrote is still to be synced. */
export function killedAt({ image, steps }: Recording, at: number): Recording {
  return { image, steps: steps.slice(0, at) };
}
