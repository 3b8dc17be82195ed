// Fetches the state from a peer when what is missing here is gone from the logs (L4): piece by piece, each asked for
// after the one before is written, and asked for again when it does not come. Another peer's word counts only when the
// first one is silent.
import { isNoSpace } from "../base/no-space.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { PeerMessage } from "../wire/peer-message.js";
import type { SnapshotChunkMessage, SnapshotOfferMessage } from "../wire/snapshot-messages.js";
import type { Incoming } from "./incoming-snapshot.js";
import type { SnapshotFiles } from "./snapshot-files.js";
import { isSame, SMALLEST_FILE, SnapshotDamaged, type SnapshotInfo } from "./snapshot-format.js";

const AGAIN_MS = 500;
/** From one that has sent nothing for so long it is not waited for any more. */
const SILENT_MS = 2_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface SnapshotReceiverPorts {
  readonly files: SnapshotFiles;
  /** Whether the state after `slot` from `from` would be better than the own. */
  isWanted(from: ReplicaId, slot: Slot): boolean;
  /** Puts the state of a whole snapshot in the place of the own. */
  install(info: SnapshotInfo): Promise<void>;
  send(to: readonly ReplicaId[], message: PeerMessage): void;
  now(): number;
  onFault(text: string): void;
  /** There was no room for it. */
  onNoRoom(error: Error): void;
  onFailed(error: Error): void;
}

interface Fetch {
  readonly info: SnapshotInfo;
  from: ReplicaId;
  /** Null while it is opened, and when all of it is there. */
  incoming: Incoming | null;
  /** A step of the disk or the installation is under way: nothing is asked for. */
  isBusy: boolean;
  /** It is not wanted any more. */
  isVoid: boolean;
  askedAt: number;
  heardAt: number;
}

export class SnapshotReceiver {
  readonly #ports: SnapshotReceiverPorts;
  #fetch: Fetch | null;
  #step: Promise<void>;
  #isClosed: boolean;
  /** Bytes received, and snapshots installed, in this life. */
  bytes: number;
  installed: number;

  constructor(ports: SnapshotReceiverPorts) {
    this.#ports = ports;
    this.#fetch = null;
    this.#step = Promise.resolve();
    this.#isClosed = false;
    this.bytes = 0;
    this.installed = 0;
  }

  /** When `elapse` has something to do. */
  get deadline(): number {
    const fetch = this.#fetch;
    return fetch === null || fetch.isBusy ? NEVER : fetch.askedAt + AGAIN_MS;
  }

  offered(from: ReplicaId, { slot, bytes, sum }: SnapshotOfferMessage): void {
    const info = { slot, bytes, sum };
    const fetch = this.#fetch;
    if (this.#isClosed || !this.#ports.isWanted(from, slot) || bytes < SMALLEST_FILE) return;
    if (fetch === null) {
      this.#begin(from, info);
    } else if (!fetch.isBusy && this.#ports.now() >= fetch.heardAt + SILENT_MS) {
      if (isSame(fetch.info, info)) this.#ask(fetch, from);
      else this.#run(fetch, () => this.#change(fetch, from, info));
    }
  }

  #begin(from: ReplicaId, info: SnapshotInfo): void {
    const now = this.#ports.now();
    const fetch: Fetch = {
      info,
      from,
      incoming: null,
      isBusy: false,
      isVoid: false,
      askedAt: now,
      heardAt: now,
    };
    this.#fetch = fetch;
    this.#run(fetch, async () => {
      const { files } = this.#ports;
      // An earlier life may have got all of it, and died before it was installed.
      if (files.all.some((held) => isSame(held, info))) await this.#install(fetch);
      else fetch.incoming = await files.receive(info);
      await this.#goOn(fetch);
    });
  }

  async #change(fetch: Fetch, from: ReplicaId, info: SnapshotInfo): Promise<void> {
    await fetch.incoming?.abandon();
    this.#fetch = null;
    if (!this.#isClosed) this.#begin(from, info);
  }

  chunk(from: ReplicaId, { slot, bytes, sum, offset, data }: SnapshotChunkMessage): void {
    const fetch = this.#fetch;
    if (
      this.#isClosed ||
      fetch === null ||
      fetch.isBusy ||
      fetch.isVoid ||
      !isSame(fetch.info, { slot, bytes, sum })
    )
      return;
    const { incoming } = fetch;
    if (incoming === null || incoming.offset !== offset || data.length === 0) return;
    fetch.from = from;
    fetch.heardAt = this.#ports.now();
    this.bytes += data.length;
    this.#run(fetch, async () => {
      await incoming.append(data);
      await this.#goOn(fetch);
    });
  }

  /** Asks for the next piece, or has all of them. */
  async #goOn(fetch: Fetch): Promise<void> {
    const { incoming, info } = fetch;
    if (incoming === null || fetch.isVoid) return;
    if (incoming.offset < info.bytes) {
      this.#ask(fetch, fetch.from);
      return;
    }
    fetch.incoming = null;
    await incoming.finish();
    if (!this.#isClosed && !fetch.isVoid) await this.#install(fetch);
  }

  /** Whether a snapshot is on its way, and comes. */
  get isFetching(): boolean {
    const fetch = this.#fetch;
    return fetch !== null && (fetch.isBusy || this.#ports.now() < fetch.heardAt + SILENT_MS);
  }

  /** Resolves when no step is under way. */
  async idle(): Promise<void> {
    let step: Promise<void> | null = null;
    // The end of one fetch may be the begin of another.
    while (step !== this.#step) {
      step = this.#step;
      await step;
    }
  }

  /** What is being fetched is not wanted any more, from whomever it comes. */
  giveUp(): void {
    const fetch = this.#fetch;
    if (fetch === null) return;
    fetch.isVoid = true;
    if (!fetch.isBusy) this.#run(fetch, async () => {});
  }

  async #install(fetch: Fetch): Promise<void> {
    await this.#ports.install(fetch.info);
    this.installed += 1;
    this.#fetch = null;
  }

  #ask(fetch: Fetch, from: ReplicaId): void {
    fetch.from = from;
    fetch.askedAt = this.#ports.now();
    const offset = fetch.incoming?.offset ?? 0;
    this.#ports.send([from], { kind: "snapshotRequest", ...fetch.info, offset });
  }

  /** One step at a time. */
  #run(fetch: Fetch, step: () => Promise<void>): void {
    fetch.isBusy = true;
    this.#step = this.#finished(fetch, step).then(
      () => {
        fetch.isBusy = false;
      },
      async (error: Error) => {
        const hasNoRoom: boolean = isNoSpace(error);
        if (!hasNoRoom && !(error instanceof SnapshotDamaged)) {
          this.#ports.onFailed(error);
          return;
        }
        if (hasNoRoom) this.#ports.onNoRoom(error);
        const { info, from, incoming } = fetch;
        this.#ports.onFault(`the snapshot of slot ${info.slot} from replica ${from}: ${error.message}`);
        // It is still busy meanwhile: another one may begin only when this one has ended.
        await incoming?.abandon().catch((failure: Error) => this.#ports.onFailed(failure));
        this.#fetch = null;
      },
    );
  }

  async #finished(fetch: Fetch, step: () => Promise<void>): Promise<void> {
    await step();
    if (!fetch.isVoid || this.#fetch !== fetch) return;
    const { incoming } = fetch;
    fetch.incoming = null;
    await incoming?.abandon();
    this.#fetch = null;
  }

  /** Asks again for what does not come. */
  elapse(now: number): void {
    const fetch = this.#fetch;
    if (fetch !== null && !fetch.isBusy && now >= fetch.askedAt + AGAIN_MS) this.#ask(fetch, fetch.from);
  }

  /** What was received is kept for the next life. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#step;
    await this.#fetch?.incoming?.close();
    this.#fetch = null;
  }
}
