// Reads a snapshot file that others want, and puts it aside when it is damaged: one that an earlier life has left, and
// one of which somebody says that it came damaged. Rule: a word is no proof, and costs one reading in a while at most.
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
  /** It was read, well or not: whoever waits for it waits no more. */
  onChecked(): void;
  /** A failed write: the replica must stop. */
  onFailed(error: Error): void;
}

export class SnapshotCheck {
  readonly #ports: SnapshotCheckPorts;
  /** What is read, or was the last time, and when that was over. */
  #info: SnapshotInfo | null;
  #at: number;
  #isStopped: boolean;
  #reading: Promise<void> | null;

  constructor(ports: SnapshotCheckPorts) {
    this.#ports = ports;
    this.#info = null;
    this.#at = 0;
    this.#isStopped = false;
    this.#reading = null;
  }

  /** Whether it is being read now. */
  isOf(info: SnapshotInfo): boolean {
    return this.#reading !== null && this.#info !== null && isSame(this.#info, info);
  }

  /**
   * Begins to read it, unless that was done a while ago, or another one is read. Whether it is being read now. Where
   * nobody waits for it there is a `pause` between two parts.
   */
  begin(info: SnapshotInfo, pause: () => Promise<void> = async () => {}): boolean {
    if (this.#reading !== null) return this.isOf(info);
    const isSoon = this.#info !== null && isSame(this.#info, info) && this.#ports.now() < this.#at + AGAIN_MS;
    if (isSoon || this.#isStopped) return false;
    this.#info = info;
    this.#reading = this.#read(info, pause);
    return true;
  }

  async #read(info: SnapshotInfo, pause: () => Promise<void>): Promise<void> {
    const { files, now, onFault, onDamaged, onChecked, onFailed } = this.#ports;
    try {
      const wrong = await files.check(info, async () => {
        await pause();
        return !this.#isStopped;
      });
      this.#reading = null;
      this.#at = now();
      if (this.#isStopped) return;
      if (wrong instanceof SnapshotDamaged) {
        onFault(`${wrong.message}; it is put aside, and others are given a new one`);
        onDamaged(info);
      } else if (wrong !== null) {
        onFault(`the snapshot of slot ${info.slot} cannot be read: ${wrong.message}`);
      }
      onChecked();
    } catch (error) {
      this.#reading = null;
      onFailed(error as Error);
    }
  }

  /** What is read is not read to its end. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when nothing is being read. */
  async idle(): Promise<void> {
    await this.#reading;
  }
}
