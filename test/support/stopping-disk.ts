// A disk whose process or power is gone at a step of choice, any step: what is created, written, synced, renamed and
// removed. Runs what a test does up to each of them, and shows what is left.
import { Random } from "../../src/base/random.js";
import type { Disk, DiskCallback, DiskFile } from "../../src/wal/disk.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";

export class StoppingDisk implements Disk {
  readonly #disk: MemoryDisk;
  readonly #stopAt: number;
  /** The last step is still taken, though nobody is told of it. */
  readonly #takesLast: boolean;
  readonly #stop: () => void;
  readonly stopped: Promise<void>;
  /** What was done, in order. */
  readonly steps: string[] = [];

  constructor(disk: MemoryDisk, stopAt = Number.POSITIVE_INFINITY, takesLast = false) {
    this.#disk = disk;
    this.#stopAt = stopAt;
    this.#takesLast = takesLast;
    let stop = () => {};
    this.stopped = new Promise((resolve) => {
      stop = resolve;
    });
    this.#stop = stop;
  }

  async #step<T>(what: string, action: () => Promise<T>): Promise<T> {
    this.steps.push(what);
    if (this.steps.length < this.#stopAt) return action();
    if (this.steps.length === this.#stopAt && this.#takesLast) await action();
    this.#stop();
    return new Promise(() => {});
  }

  list(): Promise<string[]> {
    return this.#disk.list();
  }

  read(name: string): Promise<Uint8Array> {
    return this.#disk.read(name);
  }

  async open(name: string, create: boolean): Promise<DiskFile> {
    const open = () => this.#disk.open(name, create);
    const file = await (create ? this.#step(`create ${name}`, open) : open());
    const settle = (what: string, action: (done: DiskCallback) => void, done: DiskCallback) => {
      void this.#step(what, () => new Promise<Error | null>((resolve) => action(resolve))).then(done);
    };
    return {
      name,
      size: () => file.size(),
      read: (position, length) => file.read(position, length),
      write: (position, bytes, done) =>
        settle(
          `write ${name} ${position} ${bytes.length}`,
          (told) => file.write(position, bytes, told),
          done,
        ),
      sync: (done) => settle(`sync ${name}`, (told) => file.sync(told), done),
      close: () => file.close(),
    };
  }

  rename(from: string, to: string): Promise<void> {
    return this.#step(`rename ${from} ${to}`, () => this.#disk.rename(from, to));
  }

  remove(name: string): Promise<void> {
    return this.#step(`remove ${name}`, () => this.#disk.remove(name));
  }

  syncDirectory(): Promise<void> {
    return this.#step("syncDirectory", () => this.#disk.syncDirectory());
  }
}

export type Ending = "kill" | "nothing unsynced is kept" | number;

/** How many seeds of what a failure of power keeps, and the other two ways to end. */
export function endings(seeds: number): Ending[] {
  return ["kill", "nothing unsynced is kept", ...Array.from({ length: seeds }, (_, i) => i + 1)];
}

export function end(disk: MemoryDisk, ending: Ending): void {
  if (ending === "kill") disk.kill();
  else disk.crash(typeof ending === "number" ? new Random(ending) : null);
}

export interface Stops {
  before(): Promise<MemoryDisk>;
  run(disk: Disk): Promise<void>;
  /** `isDone`: `run` had resolved before the end came. */
  check(disk: MemoryDisk, isDone: boolean): Promise<void>;
  readonly endings: readonly Ending[];
}

/** Ends `run` before and after each of its steps, and once it is done; resolves with the number of its steps. */
export async function stopEverywhere(stops: Stops): Promise<number> {
  const whole = new StoppingDisk(await stops.before());
  await stops.run(whole);
  for (let at = 1; at <= whole.steps.length + 1; at += 1) {
    for (const ending of stops.endings) {
      for (const takesLast of [false, true]) {
        const disk = await stops.before();
        const stopping = new StoppingDisk(disk, at, takesLast);
        const isDone = await Promise.race([
          stops.run(stopping).then(() => true),
          stopping.stopped.then(() => false),
        ]);
        end(disk, ending);
        const where = `${takesLast ? "after" : "before"} step ${at} (${whole.steps[at - 1] ?? "the end"}), ${ending}`;
        try {
          await stops.check(disk, isDone);
        } catch (error) {
          throw new Error(`stopped ${where}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
  }
  return whole.steps.length;
}
