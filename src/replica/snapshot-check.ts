// Reads a snapshot file that others want, and puts it aside when it is damaged: one that an earlier life has left, and
// one of which somebody says that it came damaged. Rule: a word is no proof, and costs one reading in a while at most;
// and who waits for a reading never waits for a scrub, which takes minutes: that reads beside the others.
import type { SnapshotFiles } from "./snapshot-files.js";
import { isSame, SnapshotDamaged, type SnapshotInfo } from "./snapshot-format.js";

/** One that was looked at is not looked at again for so long. */
const AGAIN_MS = 60_000;

export interface SnapshotCheckPorts {
  readonly files: Pick<SnapshotFiles, "check">;
  now(): number;
  onFault(text: string): void;
  /** It is put aside. */
  onDamaged(info: SnapshotInfo): void;
  /** What somebody waits for was read, well or not: whoever waits for it waits no more. */
  onChecked(): void;
  /** A failed write: the replica must stop. */
  onFailed(error: Error): void;
}

export class SnapshotCheck {
  readonly #ports: SnapshotCheckPorts;
  /** Those that somebody waits for: the first is being read. Each is a file that is held, and is there once. */
  readonly #due: SnapshotInfo[];
  /** What was read last of them, and when that was over. */
  #last: SnapshotInfo | null;
  #at: number;
  #isStopped: boolean;
  #reading: Promise<void> | null;

  constructor(ports: SnapshotCheckPorts) {
    this.#ports = ports;
    this.#due = [];
    this.#last = null;
    this.#at = 0;
    this.#isStopped = false;
    this.#reading = null;
  }

  /**
   * Whether it is being read for somebody, or will be. A scrub is no reason to doubt a file: until it finds damage the
   * file is as good as it was before, and whoever gets a damaged one notices, for its frames have checksums.
   */
  isOf(info: SnapshotInfo): boolean {
    return this.#due.some((due) => isSame(due, info));
  }

  /** Has it read, unless that was done a while ago. Whether it is being read now, or will be when its turn comes. */
  begin(info: SnapshotInfo): boolean {
    if (this.isOf(info)) return true;
    const isSoon = this.#last !== null && isSame(this.#last, info) && this.#ports.now() < this.#at + AGAIN_MS;
    if (isSoon || this.#isStopped) return false;
    this.#due.push(info);
    this.#reading ??= this.#readDue();
    return true;
  }

  async #readDue(): Promise<void> {
    const { now, onChecked, onFailed } = this.#ports;
    try {
      for (let info = this.#due[0]; info !== undefined && !this.#isStopped; info = this.#due[0]) {
        await this.#read(info, async () => {});
        this.#due.shift();
        this.#last = info;
        this.#at = now();
        if (!this.#isStopped) onChecked();
      }
    } catch (error) {
      onFailed(error as Error);
    }
    this.#reading = null;
  }

  /** Reads it for nobody, with a `pause` after each part. Rejects when the replica must stop: a write has failed. */
  async scrub(info: SnapshotInfo, pause: () => Promise<void>): Promise<void> {
    if (!this.#isStopped) await this.#read(info, pause);
  }

  async #read(info: SnapshotInfo, pause: () => Promise<void>): Promise<void> {
    const { files, onFault, onDamaged } = this.#ports;
    const wrong = await files.check(info, async () => {
      await pause();
      return !this.#isStopped;
    });
    if (wrong === null || this.#isStopped) return;
    if (wrong instanceof SnapshotDamaged) {
      onFault(`${wrong.message}; it is put aside, and others are given a new one`);
      onDamaged(info);
    } else {
      onFault(`the snapshot of slot ${info.slot} cannot be read: ${wrong.message}`);
    }
  }

  /** What is read is not read to its end. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when nothing is being read for somebody; a scrub is waited for by who began it. */
  async idle(): Promise<void> {
    await this.#reading;
  }
}
