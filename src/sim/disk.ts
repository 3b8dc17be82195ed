// A replica's disk over virtual time: slow or failing when a fault says so, and dead to a process that has died.
// What a crash leaves is `MemoryDisk`'s business; what faults do to sectors that were written is decided here.
import { ioError, isIoError } from "../base/io-error.js";
import type { Random } from "../base/random.js";
import type { Disk, DiskCallback, DiskFile } from "../wal/disk.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import type { EventQueue } from "./event-queue.js";
import type { ProcessLife } from "./process-life.js";
import { isAwaited, UnsyncedWrites } from "./unsynced-writes.js";

/** How a disk behaves; faults change it in place. Chances are per operation. */
export interface DiskManners {
  /** Milliseconds for an operation, and for each further KiB. */
  slowness: number;
  writeError: number;
  syncError: number;
  readError: number;
  /** A write is acknowledged and not done. */
  dropped: number;
  /** A write lands some sectors away. */
  misdirected: number;
}

const GOOD: DiskManners = {
  slowness: 0.2,
  writeError: 0,
  syncError: 0,
  readError: 0,
  dropped: 0,
  misdirected: 0,
};

/** True time for each of local time, at most. */
const SLOWEST_CLOCK = 1.25;
const SECTOR = 512;
/** A misdirected write lands at most so many sectors away. */
const ASTRAY = 24;
/** A read is in vain at most so often: whoever tries a third time has it, or the sector is lost. */
const VAIN_READS = 2;
/** After so many batches a missing one before them is missed: one of them is there. */
const BATCHES_THAT_SHOW = 4;
/** After so many one of them is there whatever sectors a fault ruins. */
const BATCHES_THAT_LAST = 32;

export class SimDisk {
  readonly memory: MemoryDisk;
  readonly unsynced: UnsyncedWrites;
  readonly #random: Random;
  readonly #reached: (what: string) => void;
  readonly #queue: EventQueue;
  manners: DiskManners;
  /** Reads that were in vain since the disk was in order, by file and place. */
  readonly #vain: Map<string, number>;
  /** When the last operation ends that began while the disk was slow, in true time. */
  slowUntil: number;
  /** Batches written to the log since one that was dropped or went elsewhere. */
  #batchesSinceLie: number;
  /** Called when a sync of the log begins; a crash in it comes before the sync. */
  onSync: () => void;
  #life: ProcessLife | null;

  constructor(random: Random, reached: (what: string) => void, queue: EventQueue) {
    this.#random = random;
    this.#reached = reached;
    this.manners = { ...GOOD };
    this.#vain = new Map();
    this.slowUntil = 0;
    this.#batchesSinceLie = Number.POSITIVE_INFINITY;
    this.onSync = () => {};
    this.#queue = queue;
    this.#life = null;
    this.unsynced = new UnsyncedWrites();
    this.memory = new MemoryDisk({
      schedule: (operation, bytes, task) => {
        const { slowness } = this.manners;
        const ms = operation === "sync" ? slowness * (0.5 + random.next()) : slowness * (0.1 + bytes / 65536);
        // A write into the page cache takes no time unless the disk is in trouble.
        if (slowness > GOOD.slowness)
          this.slowUntil = Math.max(this.slowUntil, queue.now + SLOWEST_CLOCK * ms);
        if (operation === "write" && slowness === GOOD.slowness) this.#life?.defer(task);
        else this.#life?.after(ms, task);
      },
      fault: (operation) => {
        const chance = operation === "write" ? this.manners.writeError : this.manners.syncError;
        if (chance === 0 || random.next() >= chance) return null;
        reached(`EIO on ${operation}`);
        return new Error(`EIO: i/o error, ${operation}`);
      },
    });
  }

  heal(): void {
    this.manners = { ...GOOD };
    this.#vain.clear();
  }

  /** The disk as one process sees it. */
  view(life: ProcessLife): Disk {
    this.#life = life;
    this.unsynced.begin();
    const { memory } = this;
    const run = <T>(task: () => Promise<T>) => this.#run(life, task);
    return {
      list: () => run(() => memory.list()),
      read: (name) => run(() => this.#read(name, () => memory.read(name))),
      open: async (name, create) => this.#file(life, await run(() => memory.open(name, create))),
      rename: (from, to) => run(() => memory.rename(from, to)),
      remove: (name) =>
        run(() => {
          this.unsynced.removed(name);
          return memory.remove(name);
        }),
      syncDirectory: () => run(() => memory.syncDirectory()),
    };
  }

  /** A little later, unless the process dies first: then never. */
  #run<T>(life: ProcessLife, task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      life.after(this.manners.slowness * (0.5 + this.#random.next()), () => {
        this.#queue.isStirred = true;
        task().then(resolve, reject);
      });
    });
  }

  async #read<T>(place: string, task: () => Promise<T>): Promise<T> {
    const { readError } = this.manners;
    const inVain = this.#vain.get(place) ?? 0;
    if (readError > 0 && this.#random.next() < readError && inVain < VAIN_READS) {
      this.#vain.set(place, inVain + 1);
      this.#reached("EIO on read");
      throw ioError("read");
    }
    return task().catch((error: unknown) => {
      if (isIoError(error)) this.#reached("EIO of a lost sector");
      throw error;
    });
  }

  #file(life: ProcessLife, file: DiskFile): DiskFile {
    const run = <T>(task: () => Promise<T>) => this.#run(life, task);
    // A promise waits for each step by which a segment is made, and nobody else may stir meanwhile.
    let isMaking = false;
    const isLog = file.name.startsWith("log-");
    const speaks = isAwaited(file.name);
    const { unsynced } = this;
    const writes = unsynced.of(file.name);
    return {
      name: file.name,
      size: () => run(() => file.size()),
      read: (position, length) =>
        run(() => this.#read(`${file.name} ${position}`, () => file.read(position, length))),
      write: (position, bytes, done) => {
        if (!life.isAlive) return;
        // At position 0 a segment is made ahead of its use, beside everything else: no batch begins there.
        const makes = isLog && position === 0;
        if (speaks && !makes) unsynced.written(writes);
        if (!isLog) {
          file.write(position, bytes, this.#stirring(done));
          return;
        }
        isMaking = makes;
        if (!makes) this.#batchesSinceLie += 1;
        this.#writeToLog(file, position, bytes, isMaking ? this.#stirring(done) : done);
      },
      sync: (done) => {
        if (life.isAlive) this.onSync();
        if (!life.isAlive) return;
        const covered = writes.count;
        const told = isMaking || !isLog ? this.#stirring(done) : done;
        file.sync((error) => {
          if (error === null) unsynced.synced(writes, covered);
          told(error);
        });
      },
      close: () => file.close(),
    };
  }

  /** Microtasks are let run after `done`. */
  #stirring(done: DiskCallback): DiskCallback {
    return (error) => {
      this.#queue.isStirred = true;
      done(error);
    };
  }

  /** Where the disk lies the file system does not: the file is as long as it says, and has its room. */
  #writeToLog(file: DiskFile, position: number, bytes: Uint8Array, done: DiskCallback): void {
    const aimed = this.#aim(position);
    const kept = this.#drops(bytes);
    if ((aimed === position && kept === bytes) || !this.memory.has(file.name)) {
      file.write(aimed, kept, done);
      return;
    }
    const { length } = this.memory.bytesOf(file.name);
    // Behind the file's end it would hit nothing of the log: it goes as far the other way.
    const isBehind = aimed > position && aimed + bytes.length > length;
    const at = isBehind ? Math.max(0, 2 * position - aimed) : aimed;
    const more = Math.max(0, position + bytes.length - length);
    file.write(Math.min(at, length), kept.subarray(0, Math.max(0, length - at)), more > 0 ? () => {} : done);
    if (more > 0) file.write(length, new Uint8Array(more), done);
  }

  /** Where a write really goes. */
  #aim(position: number): number {
    if (this.manners.misdirected === 0 || this.#random.next() >= this.manners.misdirected) return position;
    this.#reached("misdirected write");
    this.#batchesSinceLie = 0;
    return Math.max(0, position + SECTOR * (this.#random.below(2 * ASTRAY + 1) - ASTRAY));
  }

  /**
   * It lied about a write of the log, and nothing or too little was written after it by which a start could notice:
   * no log can tell that from a write that never was.
   */
  get hasLiedUnseen(): boolean {
    return this.#batchesSinceLie < BATCHES_THAT_SHOW;
  }

  /** It lied, and damage to what was written after that could hide it. */
  get hasLiedOfLate(): boolean {
    return this.#batchesSinceLie < BATCHES_THAT_LAST;
  }

  /** What of a write really happens. */
  #drops(bytes: Uint8Array): Uint8Array {
    if (this.manners.dropped === 0 || this.#random.next() >= this.manners.dropped) return bytes;
    this.#reached("dropped write");
    this.#batchesSinceLie = 0;
    return new Uint8Array(0);
  }

  /** The process that used it is dead: the power went, or the process alone. */
  end(isPowerLoss: boolean, tears: boolean): void {
    this.#life = null;
    if (isPowerLoss) this.memory.crash(tears ? this.#random : null);
    else this.memory.kill();
  }

  /** Everything on it is thrown away; nobody uses it. */
  wipe(): void {
    for (const name of this.memory.names()) void this.memory.remove(name);
    void this.memory.syncDirectory();
  }
}
