// A replica that has lost its state, and whose log does not reach back, asks the others for a snapshot, one after the
// other. Nobody may have a whole one, so that nobody comes to know more than it and offers one by itself; and yet every
// frame may be somewhere (PAR, FAST 2018, section 3.4).
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { SnapshotRequestMessage } from "../wire/snapshot-messages.js";
import type { SnapshotInfo } from "./snapshot-format.js";

const AGAIN_MS = 500;
/** When all were asked in vain it is longer each time, up to this: what is missing may come back with one of them. */
const LONGEST_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface RestoringPorts {
  /** The slot after which the state is, and the one after which the log begins. */
  heldUpTo(): Slot;
  neededUpTo(): Slot;
  linked(): readonly ReplicaId[];
  /** A snapshot is on its way, or is asked for elsewhere. */
  isBusy(): boolean;
  send(to: readonly ReplicaId[], message: SnapshotRequestMessage): void;
  onFault(text: string): void;
}

export class Restoring {
  readonly #ports: RestoringPorts;
  /** Infinity: nothing is missing. */
  deadline: number;
  /** Of those who are linked. */
  #next: number;
  #waitMs: number;
  /** Of snapshots that were fetched in vain, by name: what nobody had; the last word of it when that was so again. */
  readonly #missing: Map<string, string>;

  constructor(ports: RestoringPorts, now: number) {
    this.#ports = ports;
    this.#next = 0;
    this.#waitMs = AGAIN_MS;
    this.#missing = new Map();
    // The others have so long to offer a whole one.
    this.deadline = this.#isNeeded ? now + AGAIN_MS : NEVER;
  }

  get #isNeeded(): boolean {
    return this.#ports.heldUpTo() < this.#ports.neededUpTo();
  }

  /** What an operator should know, as sentences. */
  get alarms(): readonly string[] {
    return this.#isNeeded ? [...this.#missing.values()] : [];
  }

  elapse(now: number): void {
    if (now < this.deadline) return;
    if (!this.#isNeeded) {
      this.deadline = NEVER;
      return;
    }
    this.deadline = now + AGAIN_MS;
    if (this.#ports.isBusy()) return;
    const to = this.#ports.linked()[this.#next];
    if (to === undefined) {
      this.#next = 0;
      this.deadline = now + this.#waitMs;
      this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_MS);
      return;
    }
    this.#next += 1;
    const slot = this.#ports.neededUpTo();
    this.#ports.send([to], { kind: "snapshotRequest", slot, bytes: 0, sum: 0, offset: 0 });
  }

  /** Nobody had the bytes from `offset` on; who has a good state has been told, and makes another one. */
  stuck({ slot, bytes, sum }: SnapshotInfo, offset: number): void {
    const name = `${slot} ${bytes} ${sum}`;
    const what = `no replica that can be reached has bytes ${offset} and following of the snapshot of slot ${slot} as they were: `;
    const first = `${what}it is asked for again, and those with a good state make another one`;
    const last = `${what}start those that are away; if none is, and none serves, restore the cluster from a backup`;
    const said = this.#missing.get(name);
    // Whose log reaches back is only behind: what it misses is the state of others.
    const isAgain = this.#isNeeded && (said === first || said === last);
    const text = isAgain ? last : first;
    if (said === text) return;
    this.#missing.set(name, text);
    this.#ports.onFault(text);
  }
}
