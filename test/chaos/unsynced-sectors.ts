// What a power loss may leave of one file: of each sector any state since the one that a sync made durable, and of the
// length likewise. A sector that is written and synced takes all older writes of it along; a failed sync takes none.
import type { Random } from "../../src/base/random.js";
import type { Sync, SyncRange, Write } from "./journal.js";

const SECTOR = 512;

/** How a file loses what was not synced. */
type Manner = "all" | "none" | "order" | "any";
const MANNERS: readonly Manner[] = ["all", "none", "order", "order", "any", "any"];

class Pending {
  readonly write: Write;
  isSynced: boolean;
  isFailed: boolean;

  constructor(write: Write) {
    this.write = write;
    this.isSynced = false;
    this.isFailed = false;
  }
}

/** A file after the power loss: its length, and the sectors that are not what can be read now. */
export interface Fallen {
  readonly size: number;
  readonly sectors: ReadonlyMap<number, Uint8Array>;
}

export class UnsyncedSectors {
  readonly #pending: Pending[];
  /** Per sector: the number of pending writes up to which a sync of a range made it durable. */
  readonly #ranges: Map<number, number>;
  #sizeFloor: number;

  constructor() {
    this.#pending = [];
    this.#ranges = new Map();
    this.#sizeFloor = 0;
  }

  add(record: Write | Sync | SyncRange): void {
    if (record.kind === "write") {
      this.#pending.push(new Pending(record));
      return;
    }
    const covered = this.#pending.filter(({ write }) => write.position < record.upTo);
    if (record.kind === "sync range") {
      this.#sizeFloor = Math.max(this.#sizeFloor, covered.length);
      for (const sector of sectorsOf(record)) this.#ranges.set(sector, covered.length);
      return;
    }
    for (const each of covered) {
      if (record.kind === "sync failed" && !each.isSynced) each.isFailed = true;
      if (record.kind === "sync" && !each.isFailed) each.isSynced = true;
    }
    if (this.#pending.every(({ isSynced }) => isSynced)) this.#forget();
  }

  #forget(): void {
    this.#pending.length = 0;
    this.#ranges.clear();
    this.#sizeFloor = 0;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** `read` gives what is in a sector now, `size` is the length now. */
  fall(random: Random, size: number, read: (sector: number) => Uint8Array): Fallen {
    const all = this.#pending;
    const durable = lastIndex(all, ({ isSynced }) => isSynced) + 1;
    const sizeFloor = Math.max(this.#sizeFloor, durable);
    const cut = all.some(({ write }) => write.newSize < write.oldSize);
    const manner = cut ? "order" : MANNERS[random.below(MANNERS.length)]!;
    // Of the writes in their order so many are kept; of the next one, unless a length shrank, some sectors.
    const kept = manner === "all" ? 0 : durable + random.below(all.length - durable + 1);
    const sectors = new Map<number, Uint8Array>();
    for (const [sector, writes] of this.#bySector()) {
      const floor = Math.max(
        lastIndex(writes, (index) => all[index]!.isSynced) + 1,
        writes.filter((index) => index < (this.#ranges.get(sector) ?? 0)).length,
      );
      const keeps = Math.max(floor, this.#keeps(random, manner, writes, kept, cut));
      if (keeps === writes.length) continue;
      const bytes = Uint8Array.from(read(sector));
      for (const index of writes.slice(keeps).reverse()) undo(bytes, sector, all[index]!.write);
      sectors.set(sector, bytes);
    }
    const sizes = manner === "none" ? all.length : manner === "any" ? random.below(all.length + 1) : kept;
    const sizeKept = Math.max(sizes, sizeFloor);
    return { size: sizeKept === all.length ? size : all[sizeKept]!.write.oldSize, sectors };
  }

  /** How many of the writes of a sector chance keeps. */
  #keeps(random: Random, manner: Manner, writes: readonly number[], kept: number, cut: boolean): number {
    if (manner === "none") return writes.length;
    if (manner === "any") return random.below(writes.length + 1);
    const before = writes.filter((index) => index < kept).length;
    const isTorn = manner === "order" && !cut && writes[before] === kept && random.below(2) === 0;
    return isTorn ? before + 1 : before;
  }

  #bySector(): Map<number, number[]> {
    const found = new Map<number, number[]>();
    for (const [index, { write }] of this.#pending.entries()) {
      for (const sector of sectorsOf(write)) {
        const writes = found.get(sector);
        if (writes === undefined) found.set(sector, [index]);
        else writes.push(index);
      }
    }
    return found;
  }
}

function lastIndex<T>(list: readonly T[], is: (each: T) => boolean): number {
  return list.findLastIndex(is);
}

function* sectorsOf({ at, span }: { readonly at: number; readonly span: number }): Generator<number> {
  for (let sector = Math.floor(at / SECTOR); sector * SECTOR < at + span; sector += 1) yield sector;
}

/** Puts back what `write` overwrote; where the file had ended, zeros. */
function undo(bytes: Uint8Array, sector: number, { at, span, old }: Write): void {
  const start = sector * SECTOR;
  const end = Math.min(start + SECTOR, at + span);
  for (let place = Math.max(start, at); place < end; place += 1) bytes[place - start] = old[place - at] ?? 0;
}
