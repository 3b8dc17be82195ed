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
  /** What is read, or was the last time. */
  #info: SnapshotInfo | null;
  #at: number;
  #reading: Promise<void> | null;

  constructor(ports: SnapshotCheckPorts) {
    this.#ports = ports;
    this.#info = null;
    this.#at = 0;
    this.#reading = null;
  }

  /** Whether it is being read now. */
  isOf(info: SnapshotInfo): boolean {
    return this.#reading !== null && this.#info !== null && isSame(this.#info, info);
  }

  /** Begins to read it, unless that was done a while ago, or another one is read. Whether it is being read now. */
  begin(info: SnapshotInfo): boolean {
    if (this.#reading !== null) return this.isOf(info);
    const now = this.#ports.now();
    if (this.#info !== null && isSame(this.#info, info) && now < this.#at + AGAIN_MS) return false;
    this.#info = info;
    this.#at = now;
    this.#reading = this.#read(info);
    return true;
  }

  async #read(info: SnapshotInfo): Promise<void> {
    const { files, onFault, onDamaged, onChecked, onFailed } = this.#ports;
    try {
      const wrong = await files.check(info);
      this.#reading = null;
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

  /** Resolves when nothing is being read. */
  async idle(): Promise<void> {
    await this.#reading;
  }
}
