// What a failure of power may leave of one file. Rule: of every sector any content that it had since the last sync that
// covers it, of the length any that it had since, each by itself; a sector is written whole or not at all.
import type { Choice, Place } from "./places.js";
import { SECTOR, type Sectors, ZEROS } from "./sectors.js";

interface Version {
  /** The step that made it. */
  readonly at: number;
  readonly content: number;
  /** It ends at this byte of the file at the latest. */
  readonly end: number;
}

interface Length {
  readonly at: number;
  readonly length: number;
}

/** A file of one state: numbers of its sectors. */
export interface FileState {
  readonly sectors: readonly number[];
  readonly length: number;
}

export class FileModel {
  readonly #sectors: Sectors;
  /** A sector that is being written over may be torn within: two copies are kept of what is in it (A6). */
  readonly #tearsWithin: boolean;
  /** What the disk holds for sure, and what is read. */
  readonly #durable: number[];
  #durableLength: number;
  readonly #read: number[];
  #readLength: number;
  readonly #pending: Map<number, Version[]>;
  #lengths: Length[];

  constructor(sectors: Sectors, name: string, bytes: Uint8Array) {
    this.#sectors = sectors;
    this.#tearsWithin = name.startsWith("promise-");
    this.#durable = [];
    for (let at = 0; at < bytes.length; at += SECTOR) {
      const whole = new Uint8Array(SECTOR);
      whole.set(bytes.subarray(at, at + SECTOR));
      this.#durable.push(sectors.numberOf(whole));
    }
    this.#durableLength = bytes.length;
    this.#read = [...this.#durable];
    this.#readLength = bytes.length;
    this.#pending = new Map();
    this.#lengths = [];
  }

  write(at: number, position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    for (let sector = Math.floor(position / SECTOR); sector * SECTOR < end; sector += 1) {
      const before = this.#read[sector] ?? ZEROS;
      const content = this.#written(before, position - sector * SECTOR, bytes);
      for (let hole = this.#read.length; hole <= sector; hole += 1) this.#read[hole] = ZEROS;
      const upTo = Math.min(end, (sector + 1) * SECTOR);
      if (upTo > Math.max(this.#readLength, this.#lengths.at(-1)?.length ?? 0)) {
        this.#lengths.push({ at, length: upTo });
      }
      if (content === before) continue;
      this.#read[sector] = content;
      const versions = this.#pending.get(sector) ?? [];
      const of = { at, end: Math.max(upTo, Math.min(this.#readLength, (sector + 1) * SECTOR)) };
      if (this.#tearsWithin) versions.push({ ...of, content: this.#torn(before, content) });
      versions.push({ ...of, content });
      this.#pending.set(sector, versions);
    }
    this.#readLength = Math.max(this.#readLength, end);
  }

  /** The sector with the part of `bytes` that is in it; `from`: where they begin, seen from the sector. */
  #written(before: number, from: number, bytes: Uint8Array): number {
    const whole = this.#sectors.bytesOf(before).slice();
    const part = bytes.subarray(Math.max(0, -from), Math.min(bytes.length, SECTOR - from));
    whole.set(part, Math.max(0, from));
    return this.#sectors.numberOf(whole);
  }

  #torn(before: number, after: number): number {
    const whole = this.#sectors.bytesOf(before).slice();
    whole.set(this.#sectors.bytesOf(after).subarray(0, 8));
    return this.#sectors.numberOf(whole);
  }

  /** A sync that began at step `begun` is done. */
  synced(begun: number): void {
    for (const [sector, versions] of this.#pending) {
      const durable = versions.findLast(({ at }) => at < begun);
      if (durable === undefined) continue;
      for (let hole = this.#durable.length; hole <= sector; hole += 1) this.#durable[hole] = ZEROS;
      this.#durable[sector] = durable.content;
      const later = versions.filter(({ at }) => at >= begun);
      if (later.length > 0) this.#pending.set(sector, later);
      else this.#pending.delete(sector);
    }
    for (const { at, length } of this.#lengths) if (at < begun) this.#durableLength = length;
    this.#lengths = this.#lengths.filter(({ at }) => at >= begun);
  }

  /** What chance decides, with the number of its outcomes; outcome 0: as it is for sure, the last: as it is read. */
  places(file: number): Place[] {
    const places: Place[] = [];
    for (const [sector, versions] of [...this.#pending].sort((a, b) => a[0] - b[0])) {
      places.push({ kind: "sector", file, sector, outcomes: versions.length + 1 });
    }
    if (this.#lengths.length > 0) places.push({ kind: "length", file, outcomes: this.#lengths.length + 1 });
    return places;
  }

  state(places: readonly Place[], choice: Choice): FileState {
    const sectors = [...this.#durable];
    let length = this.#durableLength;
    for (const [at, place] of places.entries()) {
      const outcome = choice[at]!;
      if (outcome === 0) continue;
      if (place.kind === "length") {
        length = Math.max(length, this.#lengths[outcome - 1]!.length);
      } else if (place.kind === "sector") {
        const { content, end } = this.#pending.get(place.sector)![outcome - 1]!;
        while (sectors.length <= place.sector) sectors.push(ZEROS);
        sectors[place.sector] = content;
        // What got to the disk is within the file.
        length = Math.max(length, end);
      }
    }
    const count = Math.ceil(length / SECTOR);
    while (sectors.length < count) sectors.push(ZEROS);
    return { sectors: sectors.slice(0, count), length };
  }
}
