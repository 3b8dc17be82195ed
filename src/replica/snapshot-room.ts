// Room for snapshots for or of other replicas. Rule: none takes the reserve, nor the room of what the log and the state
// write next; one that has no room is let go of, and tried again, and what this replica serves does not suffer.
import { noSpace } from "../base/no-space.js";

/** As all else that waits for room. */
const AGAIN_MS = 1000;
/** Whether there is room again is known when one was made: nobody may need one. */
const ALARM_MS = 60_000;
const NO_ROOM =
  "there is no room on the disk for a snapshot for or of another replica: free some room; it is tried again while it is needed";

export interface SnapshotRoomPorts {
  now(): number;
  /** The log, the state or the reserve has no room. */
  isLacking(): boolean;
  onFault(text: string): void;
}

export class SnapshotRoom {
  readonly #ports: SnapshotRoomPorts;
  /** When the last one had no room. */
  #lackedAt: number;

  constructor(ports: SnapshotRoomPorts) {
    this.#ports = ports;
    this.#lackedAt = Number.NEGATIVE_INFINITY;
  }

  /** Whether one may be begun. */
  get isThere(): boolean {
    return !this.#ports.isLacking() && this.#ports.now() >= this.#lackedAt + AGAIN_MS;
  }

  /** What an operator should know, as sentences. */
  get alarms(): readonly string[] {
    return this.#ports.now() < this.#lackedAt + ALARM_MS ? [NO_ROOM] : [];
  }

  /** Of one that is under way. Throws what a full disk throws. */
  check(): void {
    if (this.#ports.isLacking()) throw noSpace("the log or the state needs the room of the snapshot");
  }

  /** One had none, and nothing is left of it. */
  lacked(): void {
    if (this.alarms.length === 0) this.#ports.onFault(NO_ROOM);
    this.#lackedAt = this.#ports.now();
  }

  /** `chunks` while there is room. No generator: one that was not begun would not let go of what it reads. */
  guarded(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const source = chunks[Symbol.asyncIterator]();
    const next = async () => {
      this.check();
      return source.next();
    };
    const end = async () => (await source.return?.()) ?? { done: true as const, value: undefined };
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
  }
}
