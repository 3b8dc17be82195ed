// Walks over a recording, and knows at every step what a failure of power may leave. Rule: a creation, renaming or
// removal that no sync of the directory covers has happened or not, each by itself; a renaming may leave both names.
import { FileModel, type FileState } from "./file-model.js";
import type { Choice, Place } from "./places.js";
import type { Image, Step } from "./recording.js";
import { SECTOR, type Sectors, Sum } from "./sectors.js";

export type NameStep = Extract<Step, { kind: "create" | "rename" | "remove" }>;

/** What is left: files by name, and the version of the store, if there is one. */
export interface State {
  readonly files: ReadonlyMap<string, FileState>;
  readonly version: number;
}

export class DiskModel {
  readonly #sectors: Sectors;
  readonly #files: FileModel[];
  readonly #durable: Map<string, number>;
  #pending: { readonly at: number; readonly step: NameStep }[];
  #version: number;
  #storing: { readonly version: number | null } | null;
  #steps: number;

  constructor(sectors: Sectors, image: Image, version: number) {
    this.#sectors = sectors;
    this.#files = [];
    this.#durable = new Map();
    this.#pending = [];
    this.#version = version;
    this.#storing = null;
    this.#steps = 0;
    for (const [name, bytes] of image) {
      this.#durable.set(name, this.#files.length);
      this.#files.push(new FileModel(sectors, name, bytes));
    }
  }

  take(step: Step): void {
    const at = this.#steps;
    this.#steps += 1;
    switch (step.kind) {
      case "create":
        this.#files[step.file] = new FileModel(this.#sectors, step.name, new Uint8Array(0));
        this.#pending.push({ at, step });
        return;
      case "rename":
      case "remove":
        this.#pending.push({ at, step });
        return;
      case "write":
        this.#files[step.file]!.write(at, step.position, step.bytes);
        return;
      case "synced":
        this.#files[step.file]!.synced(step.begun);
        return;
      case "directory synced":
        for (const { at, step: pending } of this.#pending) {
          if (at < step.begun) happened(this.#durable, pending);
        }
        this.#pending = this.#pending.filter(({ at }) => at >= step.begun);
        return;
      case "storing":
        this.#storing = step;
        return;
      case "stored":
        this.#version = step.version;
        this.#storing = null;
        return;
      case "told":
        return;
    }
  }

  /** Of the store, for sure. */
  get version(): number {
    return this.#version;
  }

  places(): Place[] {
    const places: Place[] = this.#pending.map(({ step }, at) => ({
      kind: "name",
      step: at,
      outcomes: outcomesOf(step),
    }));
    if (this.#storing !== null && this.#storing.version !== null) places.push({ kind: "store", outcomes: 2 });
    const named = new Set(this.#durable.values());
    for (const { step } of this.#pending) if (step.kind !== "remove") named.add(step.file);
    for (const file of [...named].sort((a, b) => a - b)) places.push(...this.#files[file]!.places(file));
    return places;
  }

  state(places: readonly Place[], choice: Choice): State {
    const names = new Map(this.#durable);
    let version = this.#version;
    const ofFiles = new Map<number, { places: Place[]; choice: number[] }>();
    for (const [at, place] of places.entries()) {
      if (place.kind === "name") happen(names, this.#pending[place.step]!.step, choice[at]!);
      else if (place.kind === "store") version = choice[at] === 1 ? this.#storing!.version! : version;
      else {
        const own = ofFiles.get(place.file) ?? { places: [], choice: [] };
        ofFiles.set(place.file, own);
        own.places.push(place);
        own.choice.push(choice[at]!);
      }
    }
    const files = new Map<string, FileState>();
    for (const name of [...names.keys()].sort()) {
      const file = names.get(name)!;
      const own = ofFiles.get(file);
      files.set(name, this.#files[file]!.state(own?.places ?? [], own?.choice ?? []));
    }
    return { files, version };
  }
}

function outcomesOf(step: NameStep): number {
  return step.kind === "rename" ? 3 : 2;
}

export function happened(names: Map<string, number>, step: NameStep): void {
  happen(names, step, outcomesOf(step) - 1);
}

/** 0: it has not happened. A renaming has, 2, as it is read, or 1, the new name is there and the old one still is. */
function happen(names: Map<string, number>, step: NameStep, outcome: number): void {
  if (outcome === 0) return;
  if (step.kind === "create") {
    names.set(step.name, step.file);
  } else if (step.kind === "remove") {
    if (names.get(step.name) === step.file) names.delete(step.name);
  } else {
    names.set(step.to, step.file);
    if (outcome === 2 && names.get(step.from) === step.file && step.from !== step.to) names.delete(step.from);
  }
}

/** The same for the same names and contents. */
export function sumOf({ files, version }: State, sectors: Sectors): number {
  const sum = new Sum();
  sum.add(version);
  for (const [name, { sectors: numbers, length }] of files) {
    sum.addText(name);
    sum.add(length);
    for (const number of numbers) sum.add(sectors.sumOf(number));
  }
  return sum.value;
}

export function imageOf({ files }: State, sectors: Sectors): Image {
  const image = new Map<string, Uint8Array>();
  for (const [name, { sectors: numbers, length }] of files) {
    const bytes = new Uint8Array(numbers.length * SECTOR);
    for (const [at, number] of numbers.entries()) bytes.set(sectors.bytesOf(number), at * SECTOR);
    image.set(name, bytes.subarray(0, length));
  }
  return image;
}
