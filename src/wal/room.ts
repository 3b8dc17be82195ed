// Room on the disk (design 2.10): what is made before anybody relies on it waits for room and is tried again, and a
// reserve is given back for it. Rule: a full disk is not a failed write, for nothing of what is not made was told.
import { isNoSpace } from "../base/no-space.js";
import type { Disk } from "./disk.js";
import { writeZeros } from "./zeros.js";

export const RESERVE_NAME = "reserve";
/** Until all of it is on disk. */
const UNFINISHED_NAME = "reserve.new";
export const RESERVE_NAMES: readonly string[] = [RESERVE_NAME, UNFINISHED_NAME];

/** How often it is tried again. */
const AGAIN_MS = 1000;

export interface RoomOptions {
  readonly disk: Disk;
  readonly clock: {
    now(): number;
    at(at: number, task: () => void): unknown;
    cancel(handle: unknown): void;
  };
  /** Size of the reserve; 0: there is none. */
  readonly reserveBytes: number;
  /** There is no room for `what`, and there was; told once, until `onRoom`. */
  onLack(what: string): void;
  /** Everything that had no room has it, and the reserve is there. */
  onRoom(): void;
  onFailed(error: Error): void;
}

export class Room {
  readonly #options: RoomOptions;
  /** What has no room. */
  readonly #lacking: Set<string>;
  /** Those who try again the next time. */
  #waiting: (() => void)[];
  #isLacking: boolean;
  #hasReserve: boolean;
  /** What is under way with the reserve; one step at a time. */
  #step: Promise<void>;
  #timer: unknown;
  #isClosed: boolean;

  private constructor(options: RoomOptions, hasReserve: boolean) {
    this.#options = options;
    this.#lacking = new Set();
    this.#waiting = [];
    this.#isLacking = false;
    this.#hasReserve = hasReserve;
    this.#step = Promise.resolve();
    this.#timer = null;
    this.#isClosed = false;
  }

  /** Looks for the reserve that an earlier life has left; one of another size is removed. Makes none. */
  static async open(options: RoomOptions): Promise<Room> {
    const { disk, reserveBytes } = options;
    const names = await disk.list();
    if (names.includes(UNFINISHED_NAME)) await disk.remove(UNFINISHED_NAME);
    if (!names.includes(RESERVE_NAME)) return new Room(options, false);
    const file = await disk.open(RESERVE_NAME, false);
    const bytes = await file.size();
    await file.close();
    if (bytes === reserveBytes) return new Room(options, true);
    await disk.remove(RESERVE_NAME);
    return new Room(options, false);
  }

  /** One without a reserve, for a log that stands alone. */
  static withoutReserve(options: Pick<RoomOptions, "disk" | "clock" | "onFailed">): Room {
    return new Room({ ...options, reserveBytes: 0, onLack: () => {}, onRoom: () => {} }, false);
  }

  /** Since something had no room, until all of that has it and the reserve is there again. */
  get isLacking(): boolean {
    return this.#isLacking;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Makes the reserve, unless it is there; in the background. */
  begin(): void {
    if (this.#hasReserve || this.#isLacking || this.#isClosed) return;
    void this.#alone(async () => {
      if (!(await this.#makeReserve())) this.#lack("the reserve");
      this.#lacking.delete("the reserve");
    });
  }

  /**
   * Runs `attempt`, which leaves nothing behind when it fails, until it has room. Rejects when it fails otherwise; and,
   * when nobody waits any more, as it does without room.
   */
  async allocate<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const made = await attempt();
        this.has(what);
        return made;
      } catch (error) {
        if (!isNoSpace(error) || !(await this.lacks(what))) throw error;
      }
    }
  }

  /**
   * `what` had no room. Resolves with true when it is to be tried again: at once when the reserve was there, or later;
   * with false when nobody waits any more.
   */
  async lacks(what: string): Promise<boolean> {
    this.#lack(what);
    let isGiven = false;
    await this.#alone(async () => {
      isGiven = await this.#giveReserve();
    });
    if (isGiven) return true;
    if (this.#isClosed) return false;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return true;
  }

  has(what: string): void {
    this.#lacking.delete(what);
  }

  #lack(what: string): void {
    this.#lacking.add(what);
    if (this.#isLacking || this.#isClosed) return;
    this.#isLacking = true;
    this.#options.onLack(what);
    this.#arm();
  }

  #alone(step: () => Promise<void>): Promise<void> {
    this.#step = this.#step.then(step).catch((error: Error) => this.#options.onFailed(error));
    return this.#step;
  }

  async #giveReserve(): Promise<boolean> {
    if (!this.#hasReserve) return false;
    const { disk } = this.#options;
    this.#hasReserve = false;
    // An operator may have removed it for the room that it takes.
    if ((await disk.list()).includes(RESERVE_NAME)) await disk.remove(RESERVE_NAME);
    // Some file systems give the room to others only then.
    await disk.syncDirectory();
    return true;
  }

  /** False: there is no room for it. */
  async #makeReserve(): Promise<boolean> {
    const { disk, reserveBytes } = this.#options;
    if (this.#hasReserve || reserveBytes === 0) return true;
    try {
      const file = await disk.open(UNFINISHED_NAME, true);
      let isWhole = false;
      try {
        isWhole = await writeZeros(file, reserveBytes, { goesOn: () => !this.#isClosed });
      } finally {
        await file.close();
      }
      if (isWhole) {
        await disk.rename(UNFINISHED_NAME, RESERVE_NAME);
        await disk.syncDirectory();
      } else {
        await disk.remove(UNFINISHED_NAME);
      }
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      for (const name of await disk.list()) if (RESERVE_NAMES.includes(name)) await disk.remove(name);
      return false;
    }
    this.#hasReserve = !this.#isClosed;
    return true;
  }

  #arm(): void {
    if (this.#isClosed) return;
    const { clock } = this.#options;
    this.#timer = clock.at(clock.now() + AGAIN_MS, () => this.#again());
  }

  /** Whoever waits comes before the reserve. */
  #again(): void {
    this.#timer = null;
    if (this.#waiting.length > 0 || this.#lacking.size > 0) {
      this.#wake();
      this.#arm();
      return;
    }
    void this.#alone(async () => {
      if (this.#isClosed || (await this.#fill())) return;
      this.#arm();
    });
  }

  async #fill(): Promise<boolean> {
    if (!(await this.#makeReserve()) || this.#lacking.size > 0 || this.#isClosed) return false;
    this.#isLacking = false;
    this.#options.onRoom();
    return true;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const goOn of waiting) goOn();
  }

  /** Nobody waits from now on: those who do try once more, and what has no room then fails. */
  endWaiting(): void {
    this.#isClosed = true;
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer);
    this.#timer = null;
    this.#wake();
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.endWaiting();
    await this.#step;
  }
}
