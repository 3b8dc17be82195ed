// Fetches the state from a peer when what is missing here is gone from the logs (L4): piece by piece, one asked for
// while the one before is written, and asked for again when it does not come. Another peer's word counts only when the
// first one is silent, and where a frame came damaged: then the others are asked for it, one after the other, and the
// one that sent it is told, for its file may be damaged while its state is not.
import { isNoSpace } from "../base/no-space.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { PeerMessage } from "../wire/peer-message.js";
import type { SnapshotChunkMessage, SnapshotOfferMessage } from "../wire/snapshot-messages.js";
import type { Incoming } from "./incoming-snapshot.js";
import type { SnapshotFiles } from "./snapshot-files.js";
import { isSame, SMALLEST_FILE, SnapshotDamaged, type SnapshotInfo } from "./snapshot-format.js";

const AGAIN_MS = 500;
/** It is longer each time that nothing comes, up to this: what was asked for may be on its way, on a slow link. */
const LONGEST_MS = 4_000;
/** From one that has sent nothing for so long it is not waited for any more. */
const SILENT_MS = 2_000;
/** What nobody has whole is not tried again for so long. */
const SHUNNED_MS = 10_000;
const NEVER = Number.POSITIVE_INFINITY;
/** In the place of a peer: what is left here of a snapshot that was found damaged. */
const OWN: ReplicaId = 0;
const PIECE_BYTES = 256 << 10;

export interface SnapshotReceiverPorts {
  readonly files: SnapshotFiles;
  /** Whether the state after `slot` from `from` would be better than the own. */
  isWanted(from: ReplicaId, slot: Slot): boolean;
  /** Who can be asked. */
  linked(): readonly ReplicaId[];
  /** Puts the state of a whole snapshot in the place of the own. */
  install(info: SnapshotInfo): Promise<void>;
  send(to: readonly ReplicaId[], message: PeerMessage): void;
  now(): number;
  onFault(text: string): void;
  /** Throws when what else this replica writes has no room: what is fetched must not take it. */
  checkRoom(): void;
  /** There was no room for it: whoever offered it offers it again. */
  onNoRoom(error: Error): void;
  onFailed(error: Error): void;
  /** Nobody who can be asked has the bytes of a snapshot from `offset` on as they were: the rest is kept. */
  onBroken(info: SnapshotInfo, offset: number): void;
}

interface Fetch {
  readonly info: SnapshotInfo;
  /** Who is asked. */
  from: ReplicaId;
  /** Who did not have the next frame, or not as it was. */
  readonly tried: Set<ReplicaId>;
  /** Null while it is opened, and when all of it is there. */
  incoming: Incoming | null;
  /** A step of the disk or the installation is under way: nothing is asked for. */
  isBusy: boolean;
  /** It is not wanted any more. */
  isVoid: boolean;
  askedAt: number;
  /** After so long it is asked for again. */
  waitMs: number;
  /** Of the piece that was asked for last. */
  askedOffset: number;
  heardAt: number;
  /** A piece that came while the one before it was written. */
  waiting: { readonly from: ReplicaId; readonly message: SnapshotChunkMessage } | null;
}

export class SnapshotReceiver {
  readonly #ports: SnapshotReceiverPorts;
  #fetch: Fetch | null;
  #step: Promise<void>;
  #isClosed: boolean;
  /** What could not be had whole, and until when it is not fetched again, though it is offered. */
  #shunned: SnapshotInfo | null;
  #shunnedUntil: number;
  /** Bytes received, and snapshots installed, in this life. */
  bytes: number;
  installed: number;

  constructor(ports: SnapshotReceiverPorts) {
    this.#ports = ports;
    this.#fetch = null;
    this.#step = Promise.resolve();
    this.#isClosed = false;
    this.#shunned = null;
    this.#shunnedUntil = 0;
    this.bytes = 0;
    this.installed = 0;
  }

  /** When `elapse` has something to do. */
  get deadline(): number {
    const fetch = this.#fetch;
    return fetch === null || fetch.isBusy ? NEVER : fetch.askedAt + fetch.waitMs;
  }

  offered(from: ReplicaId, { slot, bytes, sum }: SnapshotOfferMessage): void {
    const info = { slot, bytes, sum };
    const fetch = this.#fetch;
    if (this.#isClosed || !this.#ports.isWanted(from, slot) || bytes < SMALLEST_FILE) return;
    if (fetch === null) {
      const isShunned = this.#shunned !== null && isSame(this.#shunned, info);
      if (!isShunned || this.#ports.now() >= this.#shunnedUntil) this.#begin(from, info);
    } else if (!fetch.isBusy && this.#ports.now() >= fetch.heardAt + SILENT_MS) {
      if (isSame(fetch.info, info)) this.#goOnWith(fetch, from);
      else this.#run(fetch, () => this.#change(fetch, from, info));
    }
  }

  /** Another one has as long as the first: if each offer counted, none of many would have the time to send a piece. */
  #goOnWith(fetch: Fetch, from: ReplicaId): void {
    const now = this.#ports.now();
    if (from !== fetch.from) {
      fetch.heardAt = now;
      fetch.waitMs = AGAIN_MS;
    } else if (now < fetch.askedAt + AGAIN_MS) return;
    this.#ask(fetch, from);
  }

  #begin(from: ReplicaId, info: SnapshotInfo): void {
    const now = this.#ports.now();
    const fetch: Fetch = {
      info,
      from,
      tried: new Set(),
      incoming: null,
      isBusy: false,
      isVoid: false,
      askedAt: now,
      waitMs: AGAIN_MS,
      askedOffset: -1,
      heardAt: now,
      waiting: null,
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
    // What was wanted when it was offered need not be wanted since a fence.
    if (!this.#isClosed && !fetch.isVoid) this.#begin(from, info);
  }

  chunk(from: ReplicaId, message: SnapshotChunkMessage): void {
    const { offset, data } = message;
    const fetch = this.#fetch;
    if (this.#isClosed || fetch === null || fetch.isVoid || !isSame(fetch.info, message)) return;
    if (fetch.isBusy) {
      if (offset === fetch.askedOffset) fetch.waiting = { from, message };
      return;
    }
    const { incoming } = fetch;
    if (incoming === null || incoming.offset !== offset || fetch.tried.has(from)) return;
    // A frame comes from one peer, or nobody could say whose it was when it is damaged.
    if (from !== fetch.from && incoming.isInFrame) return;
    fetch.from = from;
    this.bytes += data.length;
    const next = offset + data.length;
    if (data.length > 0 && next < fetch.info.bytes) this.#ask(fetch, from, next);
    this.#run(fetch, async () => {
      await this.#take(fetch, incoming, from, data);
      await this.#goOn(fetch);
    });
  }

  async #take(fetch: Fetch, incoming: Incoming, from: ReplicaId, data: Uint8Array): Promise<void> {
    this.#ports.checkRoom();
    const before = incoming.frames;
    const isGood = data.length > 0 && (await incoming.append(data));
    if (incoming.frames > before) fetch.tried.clear();
    if (isGood) {
      fetch.heardAt = this.#ports.now();
      fetch.waitMs = AGAIN_MS;
    } else {
      fetch.tried.add(from);
      if (from !== OWN) this.#complain(fetch, from);
    }
  }

  /** Nobody needs what is behind the end: who asks for that says that what was before it came damaged. */
  #complain({ info }: Fetch, from: ReplicaId): void {
    this.#ports.send([from], { kind: "snapshotRequest", ...info, offset: info.bytes });
  }

  /** Asks for the next piece, or has all of them. */
  async #goOn(fetch: Fetch): Promise<void> {
    const { incoming, info } = fetch;
    if (incoming === null || fetch.isVoid) return;
    const { broken } = this.#ports.files;
    while (incoming.offset < info.bytes && !incoming.isInFrame && !fetch.tried.has(OWN) && broken.has(info)) {
      const before = incoming.frames;
      const data = await broken.read(info, incoming.offset, PIECE_BYTES);
      await this.#take(fetch, incoming, OWN, data);
      if (incoming.isInFrame && incoming.frames === before) fetch.tried.add(OWN);
      incoming.restartFrame();
    }
    if (incoming.offset < info.bytes) {
      const { from, tried } = fetch;
      if (tried.has(from)) await this.#askAnother(fetch, incoming);
      else if (fetch.askedOffset !== incoming.offset) this.#ask(fetch, from);
      return;
    }
    fetch.incoming = null;
    await incoming.finish();
    if (!this.#isClosed && !fetch.isVoid) await this.#install(fetch);
  }

  /** Who is asked has not got the next frame, or is silent. */
  async #askAnother(fetch: Fetch, incoming: Incoming): Promise<void> {
    const { tried, info } = fetch;
    incoming.restartFrame();
    const next = this.#ports.linked().find((peer) => !tried.has(peer));
    if (next !== undefined) {
      this.#ask(fetch, next);
      return;
    }
    const { offset } = incoming;
    fetch.incoming = null;
    await incoming.close();
    this.#fetch = null;
    this.#shunned = info;
    this.#shunnedUntil = this.#ports.now() + SHUNNED_MS;
    this.#ports.onBroken(info, offset);
  }

  /** Whether a snapshot is on its way, and comes. */
  get isFetching(): boolean {
    const fetch = this.#fetch;
    return fetch !== null && (fetch.isBusy || this.#ports.now() < fetch.heardAt + SILENT_MS);
  }

  /** From whom the value of `slot` is on its way; 0: from nobody. */
  sourceOf(slot: Slot): ReplicaId {
    const fetch = this.#fetch;
    if (fetch === null || !this.isFetching || slot > fetch.info.slot) return 0;
    return this.#ports.linked().includes(fetch.from) ? fetch.from : 0;
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

  #ask(fetch: Fetch, from: ReplicaId, offset = fetch.incoming?.offset ?? 0): void {
    fetch.from = from;
    fetch.askedAt = this.#ports.now();
    fetch.askedOffset = offset;
    this.#ports.send([from], { kind: "snapshotRequest", ...fetch.info, offset });
  }

  /** One step at a time. */
  #run(fetch: Fetch, step: () => Promise<void>): void {
    fetch.isBusy = true;
    this.#step = this.#finished(fetch, step).then(
      () => {
        fetch.isBusy = false;
        const { waiting } = fetch;
        fetch.waiting = null;
        if (waiting !== null && this.#fetch === fetch) this.chunk(waiting.from, waiting.message);
      },
      async (error: Error) => {
        const { info, from, incoming } = fetch;
        if (error instanceof SnapshotDamaged) {
          this.#ports.onFault(`the snapshot of slot ${info.slot} from replica ${from}: ${error.message}`);
          this.#complain(fetch, from);
        } else if (isNoSpace(error)) {
          this.#ports.onNoRoom(error);
        } else {
          this.#ports.onFailed(error);
          return;
        }
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
    if (fetch === null || fetch.isBusy || now < fetch.askedAt + fetch.waitMs) return;
    const { incoming, from } = fetch;
    // Whoever offered it is waited for until somebody else offers one; the others may not have it.
    if (incoming === null || fetch.tried.size === 0) {
      fetch.waitMs = Math.min(2 * fetch.waitMs, LONGEST_MS);
      this.#ask(fetch, from);
      return;
    }
    fetch.tried.add(from);
    this.#run(fetch, () => this.#askAnother(fetch, incoming));
  }

  /** What was received is kept for the next life. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#step;
    await this.#fetch?.incoming?.close();
    this.#fetch = null;
  }
}
