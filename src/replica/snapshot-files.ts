// The snapshot files of a replica: frozen states, each of one slot, on the port Disk (A5, 2.10; docs/format.md).
// Rule: a file has a snapshot's name only when all of it is durable; what is found damaged is never used again.
import { assert } from "../base/assert.js";
import { concatBytes } from "../base/bytes.js";
import { isNoSpace } from "../base/no-space.js";
import type { Slot } from "../paxos/ballot.js";
import type { Disk, DiskFile } from "../wal/disk.js";
import { readPart } from "../wal/unreadable.js";
import { BrokenSnapshots, DAMAGED, PUT_ASIDE } from "./broken-snapshots.js";
import { Incoming, removeOldParts } from "./incoming-snapshot.js";
import {
  checkFirstSector,
  encodeFirstSector,
  type FirstSector,
  framesOf,
  isSame,
  META,
  payloadOf,
  SnapshotDamaged,
  type SnapshotInfo,
  wholeSector,
} from "./snapshot-format.js";
import { readFirst } from "./snapshot-heads.js";
import { DIVERGED, NAME, NEW, snapshotName } from "./snapshot-names.js";
import { SteppedFile, writeFrames } from "./snapshot-writer.js";

/** Damaged ones that are kept, and whole ones of a machine that has its state in them. */
const KEPT = 2;

/** A file that may be used. */
interface Held {
  readonly first: FirstSector;
  /** Under way: the name stays this file's until they are done. */
  readonly uses: Set<Promise<unknown>>;
  /** All of it was written or checked in this life. */
  isChecked: boolean;
}

export class SnapshotFiles {
  readonly #disk: Disk;
  readonly #held: Map<Slot, Held>;
  #isWriting: boolean;
  #isReceiving: boolean;
  /** The last step that changes names, or is about to. */
  #renamed: Promise<unknown>;
  /** Names under which damaged files were put aside in this life, for the operator; two files are kept. */
  readonly damaged: string[];
  readonly broken: BrokenSnapshots;
  /** Slots of those that others are fetching: `removeOld` leaves them. */
  fetched: ReadonlySet<Slot>;

  private constructor(disk: Disk) {
    this.#disk = disk;
    this.#held = new Map();
    this.#isWriting = false;
    this.#isReceiving = false;
    this.#renamed = Promise.resolve();
    this.damaged = [];
    this.broken = new BrokenSnapshots(disk);
    this.fetched = new Set();
  }

  /**
   * Finds what earlier lives left; their unfinished files are removed, but for one that was being received. Throws
   * `DataDirectoryError` for a file of a newer version, and has changed nothing then.
   */
  static async open(disk: Disk): Promise<SnapshotFiles> {
    const files = new SnapshotFiles(disk);
    const names = await disk.list();
    const bad: string[] = [];
    for (const name of names.filter((name) => NAME.test(name))) {
      const first = await readFirst(disk, name);
      if (first === null || snapshotName(first.slot) !== name) bad.push(name);
      else files.#held.set(first.slot, { first, uses: new Set(), isChecked: false });
    }
    for (const name of names) await files.broken.add(name);
    for (const name of bad) await files.#putAside(name);
    for (const name of names.filter((name) => NEW.test(name))) await disk.remove(name);
    await removeOldParts(disk, names, files.newest?.slot ?? 0);
    // The life that gave a file its name may have died before that was durable, and the log is cut by what is held.
    await disk.syncDirectory();
    await files.#removeOldDamaged();
    return files;
  }

  /** By slot, ascending. */
  get all(): readonly SnapshotInfo[] {
    return [...this.#held.values()].map(({ first }) => infoOf(first)).sort((a, b) => a.slot - b.slot);
  }

  get newest(): SnapshotInfo | null {
    // Asked with every sync of the log.
    let newest: FirstSector | null = null;
    for (const { first } of this.#held.values()) {
      if (newest === null || first.slot > newest.slot) newest = first;
    }
    return newest === null ? null : infoOf(newest);
  }

  /** Durable when it resolves. One at a time. */
  async write(slot: Slot, meta: Uint8Array, chunks: AsyncIterable<Uint8Array>): Promise<SnapshotInfo> {
    assert(!this.#isWriting, "one snapshot is written at a time");
    assert(Number.isSafeInteger(slot) && slot > 0, "a snapshot has a slot from 1");
    this.#isWriting = true;
    const name = `${snapshotName(slot)}.new`;
    const source = chunks[Symbol.asyncIterator]();
    try {
      // Left by a write that failed.
      for (const left of (await this.#disk.list()).filter((left) => NEW.test(left))) {
        await this.#disk.remove(left);
      }
      const first = await this.#writeFile(name, slot, meta, { [Symbol.asyncIterator]: () => source });
      await this.#place(name, first);
      return infoOf(first);
    } catch (error) {
      // Whoever makes it keeps the state of that moment, and may not have been asked for the first chunk yet.
      await source.return?.();
      if (isNoSpace(error) && (await this.#disk.list()).includes(name)) await this.#disk.remove(name);
      throw error;
    } finally {
      this.#isWriting = false;
    }
  }

  async #writeFile(
    name: string,
    slot: Slot,
    meta: Uint8Array,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<FirstSector> {
    const file = await this.#disk.open(name, true);
    try {
      const stepped = new SteppedFile(file);
      const { bytes, frames, sum } = await writeFrames(stepped, meta, chunks);
      const first = wholeSector({ slot, bytes, sum }, frames);
      await stepped.write(0, encodeFirstSector(first));
      await stepped.sync();
      return first;
    } finally {
      await file.close();
    }
  }

  /** Gives a file its name; one of the same slot is replaced, once nobody is at it. */
  #place(from: string, first: FirstSector): Promise<void> {
    return this.#inTurn(async () => {
      await this.#letGo(first.slot);
      await this.#disk.rename(from, snapshotName(first.slot));
      await this.#disk.syncDirectory();
      this.#held.set(first.slot, { first, uses: new Set(), isChecked: true });
    });
  }

  /** One file after the other. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#renamed.then(step);
    this.#renamed = Promise.allSettled([done]);
    return done;
  }

  /** Takes it off the list, and waits for those who are at it. */
  async #letGo(slot: Slot): Promise<void> {
    const held = this.#held.get(slot);
    this.#held.delete(slot);
    if (held !== undefined) await Promise.allSettled(held.uses);
  }

  /**
   * Opens it to be restored. Every frame is checked: `chunks` throws `SnapshotDamaged` when it comes to damage, which
   * may be after good ones; `verify` before, to be told at once.
   */
  async load(info: SnapshotInfo): Promise<{ meta: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
    const meta: Uint8Array[] = [];
    for await (const frame of this.#frames(info)) {
      if (frame.kind !== META) break;
      meta.push(payloadOf(frame));
    }
    return { meta: concatBytes(meta), chunks: this.#chunks(info) };
  }

  async *#chunks(info: SnapshotInfo): AsyncGenerator<Uint8Array> {
    for await (const frame of this.#frames(info)) {
      if (frame.kind !== META) yield payloadOf(frame);
    }
  }

  /** Whether this life has written it, or has checked it. */
  isChecked(info: SnapshotInfo): boolean {
    const held = this.#held.get(info.slot);
    return held?.isChecked === true && isSame(held.first, info);
  }

  /** Reads and checks all of it; throws `SnapshotDamaged`. */
  async verify(info: SnapshotInfo, goesOn?: () => Promise<boolean>): Promise<void> {
    const held = this.#held.get(info.slot);
    for await (const _ of this.#frames(info)) if (goesOn !== undefined && !(await goesOn())) return;
    if (held !== undefined) held.isChecked = true;
  }

  /**
   * The same while `goesOn`, asked after each frame; what is damaged is put aside. Resolves with what is wrong with it,
   * or why it cannot be read; null: nothing, or it is not there any more.
   */
  async check(info: SnapshotInfo, goesOn?: () => Promise<boolean>): Promise<Error | null> {
    const held = this.#heldAs(info);
    // Another of its slot may get the name meanwhile.
    const isHeld = () => held !== null && this.#held.get(info.slot) === held;
    try {
      // The disk keeps the room of one that is removed meanwhile until it is closed.
      await this.verify(info, async () => (goesOn === undefined || (await goesOn())) && isHeld());
      return null;
    } catch (error) {
      const isThere = error instanceof SnapshotDamaged ? await this.#setAside(held, "damaged") : isHeld();
      return isThere ? (error as Error) : null;
    }
  }

  /** A walk keeps its file open: it goes on when the file is removed meanwhile. */
  async *#frames(info: SnapshotInfo) {
    const { first, file } = await this.#using(info, async (held) => ({
      first: held.first,
      file: await this.#disk.open(snapshotName(info.slot), false),
    }));
    try {
      await checkFirstSector(file, first);
      yield* framesOf(file, first);
    } finally {
      await file.close();
    }
  }

  /** Raw bytes of the file, for a peer, who checks them; fewer than `length` at its end, or before a bad sector. */
  read(info: SnapshotInfo, offset: number, length: number): Promise<Uint8Array> {
    return this.#using(info, async () => {
      const file: DiskFile = await this.#disk.open(snapshotName(info.slot), false);
      try {
        return await readPart(file, offset, length);
      } finally {
        await file.close();
      }
    });
  }

  /**
   * The same from the first byte to the last, in pieces. The file is kept open: it goes on when the file is removed
   * meanwhile, however long that takes. Fewer bytes than `info` says when it has become shorter, or cannot be read.
   * `areLent`: a piece is good until the next one is asked for, and no buffer is made for it.
   */
  async *pieces(info: SnapshotInfo, length: number, areLent = false): AsyncGenerator<Uint8Array> {
    const file = await this.#using(info, () => this.#disk.open(snapshotName(info.slot), false));
    // One is read while the other is lent.
    const memory = areLent ? [new Uint8Array(length), new Uint8Array(length)] : [];
    let count = 0;
    const read = () => {
      const reading = readPart(file, offset, length, memory[count % 2]);
      count += 1;
      // A failure is told when the piece is asked for.
      reading.catch(() => {});
      return reading;
    };
    let offset = 0;
    let reading = read();
    try {
      while (offset < info.bytes) {
        const piece = await reading;
        if (piece.length === 0) return;
        offset += piece.length;
        reading = read();
        yield piece;
      }
    } finally {
      await Promise.allSettled([reading]);
      await file.close();
    }
  }

  async #using<T>(info: SnapshotInfo, use: (held: Held) => Promise<T>): Promise<T> {
    const held = this.#held.get(info.slot);
    if (held === undefined || !isSame(held.first, info)) {
      throw new Error(`${snapshotName(info.slot)} is not held any more: ask for the newest snapshot`);
    }
    const done = use(held);
    held.uses.add(done);
    try {
      return await done;
    } finally {
      held.uses.delete(done);
    }
  }

  /** It was found to be wrong: kept under another name for who wants to look at it, and never used again. */
  async setAside(info: SnapshotInfo, why: "damaged" | "diverged" = "damaged"): Promise<void> {
    await this.#setAside(this.#heldAs(info), why);
  }

  /** Whether it was there: another reading may come to the damage first, and another file of its slot get the name. */
  async #setAside(held: Held | null, why: "damaged" | "diverged"): Promise<boolean> {
    let isThere = false;
    await this.#inTurn(async () => {
      if (held === null || this.#held.get(held.first.slot) !== held) return;
      isThere = true;
      const { slot } = held.first;
      await this.#letGo(slot);
      const name = snapshotName(slot);
      if (why === "damaged") await this.#putAside(name);
      else await this.#disk.rename(name, name + DIVERGED);
      await this.#disk.syncDirectory();
      await this.#removeOldDamaged();
    });
    return isThere;
  }

  #heldAs(info: SnapshotInfo): Held | null {
    const held = this.#held.get(info.slot);
    return held !== undefined && isSame(held.first, info) ? held : null;
  }

  async #putAside(name: string): Promise<void> {
    const aside = name + DAMAGED;
    await this.#disk.rename(name, aside);
    this.damaged.push(aside);
    await this.broken.add(aside);
  }

  /** Those of the highest slots are kept, whenever they were found: of them may be what the log has not any more. */
  async #removeOldDamaged(): Promise<void> {
    const names = (await this.#disk.list()).filter((name) => PUT_ASIDE.test(name));
    for (const old of names.sort().slice(0, -KEPT)) await this.#disk.remove(old);
  }

  /** Of states that were put aside because they differed only the last is kept. */
  async removeEvidence(): Promise<void> {
    for (const name of await this.#disk.list()) {
      if (name.endsWith(DIVERGED) && NAME.test(name.slice(0, -DIVERGED.length)))
        await this.#disk.remove(name);
    }
  }

  /** The newest two stay, and what is fetched. */
  async removeOld(): Promise<void> {
    for (const info of this.all.slice(0, -KEPT)) if (!this.fetched.has(info.slot)) await this.remove(info);
  }

  /** Waits for reads under way. Nothing happens when it has been removed or put aside meanwhile. */
  remove({ slot }: SnapshotInfo): Promise<void> {
    const isHeld = this.#held.has(slot);
    const free = this.#letGo(slot);
    return this.#inTurn(async () => {
      await free;
      if (!isHeld || this.#held.has(slot)) return;
      await this.#disk.remove(snapshotName(slot));
      await this.#disk.syncDirectory();
    });
  }

  /**
   * Begins to receive a snapshot, or goes on where an earlier life ended. One at a time. Whoever decodes an offer
   * checks that it has a slot from 1 and a length.
   */
  async receive(info: SnapshotInfo): Promise<Incoming> {
    assert(!this.#isReceiving, "one snapshot is received at a time");
    this.#isReceiving = true;
    const onEnd = () => {
      this.#isReceiving = false;
    };
    const place = (from: string, first: FirstSector) => this.#place(from, first);
    try {
      return await Incoming.begin(infoOf(info), { disk: this.#disk, place, onEnd });
    } catch (error) {
      onEnd();
      throw error;
    }
  }
}

function infoOf({ slot, bytes, sum }: SnapshotInfo): SnapshotInfo {
  return { slot, bytes, sum };
}
