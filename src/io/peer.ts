// The connection to one other replica: one is kept per pair. The replica with the lower id decides which: it
// welcomes one connection, and before it gives up a link for another connection of the same run it asks over the
// new one whether the old one still lives, so that simultaneous dials converge and a half-open link blocks nobody.
import type { ReplicaId } from "../paxos/ballot.js";
import type { Identity } from "../replica/ports.js";
import { FRAME_KINDS } from "../wire/frame.js";
import { decodeNumber, encodeBare, encodeNumber } from "../wire/handshake.js";
import type { Link } from "./link.js";

/** A link that lived so long is sound: the next loss is answered by a reconnect at once. */
const SOUND_AFTER_MS = 1000;
const FIRST_BACKOFF_MS = 20;
const LONGEST_BACKOFF_MS = 1000;

export interface PeerHost {
  readonly self: ReplicaId;
  /** How long a reconnect may take before `onLinkDown`. */
  readonly reconnectMs: number;
  /** A new connection under way; its events come back to the peer. */
  dial(peer: ReplicaId): Link;
  nextNumber(): number;
  /** Whether the owner takes the replica. */
  onLinkUp(peer: Identity, link: Link): boolean;
  onLinkDown(peer: ReplicaId): void;
}

export class Peer {
  readonly id: ReplicaId;
  /** The link; null: none. */
  link: Link | null;
  readonly #host: PeerHost;
  readonly #decides: boolean;
  /** Our own attempt, until it is the link or has failed. */
  #dialled: Link | null;
  /** Connections that said hello and are not the link; the deciding side has asked about them. */
  readonly #waiting: Set<Link>;
  /** Down was told and no link came up since. */
  #down: boolean;
  #graceTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  /** Attempts that failed since the last link. */
  #failures: number;
  /** Links lost in a row before they were sound. */
  #shortLives: number;
  #stopped: boolean;

  constructor(id: ReplicaId, host: PeerHost) {
    this.id = id;
    this.link = null;
    this.#host = host;
    this.#decides = host.self < id;
    this.#dialled = null;
    this.#waiting = new Set();
    this.#down = false;
    this.#graceTimer = undefined;
    this.#retryTimer = undefined;
    this.#failures = 0;
    this.#shortLives = 0;
    this.#stopped = false;
  }

  dial(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    if (this.#stopped || this.link !== null || this.#dialled !== null) return;
    this.#dialled = this.#host.dial(this.id);
  }

  /** `link` said a hello that was let in. */
  onHello(link: Link): void {
    this.#waiting.add(link);
    if (!this.#decides) return;
    const current = this.link;
    if (current === null || current.hello?.run !== link.hello?.run)
      this.#adopt(link, this.#host.nextNumber());
    else link.tell(encodeNumber(FRAME_KINDS.question, current.number));
  }

  /** A frame of the handshake after hello; false: it has no place here. */
  onHandshakeFrame(link: Link, payload: Uint8Array): boolean {
    if (!this.#waiting.has(link)) return false;
    const number = decodeNumber(payload);
    if (this.#decides) {
      if (payload[0] !== FRAME_KINDS.take) return false;
      this.#adopt(link, this.#host.nextNumber());
      return true;
    }
    if (number === null) return false;
    if (payload[0] === FRAME_KINDS.welcome) this.#adopt(link, number);
    else if (payload[0] === FRAME_KINDS.question) this.#answer(link, number);
    else return false;
    return true;
  }

  /** The deciding side holds `link` for a second connection beside link `number`. */
  #answer(link: Link, number: number): void {
    if (this.link?.number === number && this.link.hello?.run === link.hello?.run) {
      this.#forget(link);
      link.drop();
      return;
    }
    // Whatever link the other side means is not known here: none but this one may come up now.
    this.link?.drop();
    this.link = null;
    this.#dropOthers(link);
    this.#startGrace();
    link.tell(encodeBare(FRAME_KINDS.take));
  }

  #adopt(link: Link, number: number): void {
    const { hello } = link;
    if (hello === null) return;
    this.link?.drop();
    this.link = link;
    this.#forget(link);
    this.#dropOthers(link);
    clearTimeout(this.#graceTimer);
    clearTimeout(this.#retryTimer);
    this.#graceTimer = undefined;
    this.#retryTimer = undefined;
    link.settle(number, performance.now());
    if (this.#decides) link.tell(encodeNumber(FRAME_KINDS.welcome, number));
    const { clusterId, replica, diskId, incarnation, run } = hello;
    if (this.#host.onLinkUp({ clusterId, replica, diskId, incarnation, run }, link)) {
      this.#down = false;
      this.#failures = 0;
      return;
    }
    if (this.link !== link) return;
    this.refuse(`replica ${this.#host.self} does not take replica ${replica} (disk ${diskId}): see its log`);
  }

  #forget(link: Link): void {
    this.#waiting.delete(link);
    if (this.#dialled === link) this.#dialled = null;
  }

  #dropOthers(kept: Link): void {
    for (const link of this.#waiting) {
      if (link !== kept) {
        this.#waiting.delete(link);
        link.drop();
      }
    }
    if (this.#dialled !== null && this.#dialled !== kept) {
      this.#dialled.drop();
      this.#dialled = null;
    }
  }

  /** Closes the link and tells the other side why. */
  refuse(text: string): void {
    this.link?.refuse(text);
    this.link = null;
    this.onRefused();
  }

  /** `link`, which belonged to this peer or was dialled for it, closed. */
  onClosed(link: Link): void {
    const wasLink = this.link === link;
    this.#forget(link);
    if (this.#stopped) return;
    if (wasLink) this.#onLost(link);
    else this.#onFailed();
  }

  #onLost(link: Link): void {
    this.link = null;
    if (this.#decides) {
      const next = [...this.#waiting].pop();
      if (next !== undefined) {
        this.#adopt(next, this.#host.nextNumber());
        return;
      }
    }
    if (performance.now() - link.upSince >= SOUND_AFTER_MS) this.#shortLives = 0;
    this.#startGrace();
    if (this.#shortLives === 0) this.dial();
    else this.#retryAfter(this.#backoff());
    this.#shortLives += 1;
  }

  /** An attempt failed; with another one still on its way there is nothing to tell yet. */
  #onFailed(): void {
    if (this.link !== null || this.#dialled !== null || this.#waiting.size > 0) return;
    this.#reportDown();
    this.#failures += 1;
    this.#retryAfter(this.#backoff());
  }

  /** The other side refused us or we it, or it said goodbye: no attempt at once would help. */
  onRefused(): void {
    if (this.#stopped || this.link !== null) return;
    this.#reportDown();
    this.#retryAfter(LONGEST_BACKOFF_MS);
  }

  onRefusal(link: Link): void {
    if (this.link === link) this.link = null;
    this.#forget(link);
    this.onRefused();
  }

  onGoodbye(link: Link): void {
    this.#forget(link);
    if (this.link !== link) return;
    this.link = null;
    this.#reportDown();
    this.#retryAfter(this.#backoff());
  }

  #startGrace(): void {
    if (this.#down || this.#graceTimer !== undefined) return;
    const planned = performance.now() + this.#host.reconnectMs;
    this.#graceTimer = setTimeout(() => this.#onGraceOver(planned), this.#host.reconnectMs);
  }

  #onGraceOver(planned: number): void {
    this.#graceTimer = undefined;
    // A late timer says that this process stalled, not that the peer is slow: it gets its time once more.
    if (performance.now() - planned > this.#host.reconnectMs / 2) this.#startGrace();
    else this.#reportDown();
  }

  #reportDown(): void {
    clearTimeout(this.#graceTimer);
    this.#graceTimer = undefined;
    if (this.#down || this.#stopped) return;
    this.#down = true;
    this.#host.onLinkDown(this.id);
  }

  #backoff(): number {
    const doublings = Math.min(this.#failures + this.#shortLives, 10);
    const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** doublings);
    return longest * (0.5 + Math.random() / 2);
  }

  #retryAfter(ms: number): void {
    if (this.#stopped || this.#retryTimer !== undefined) return;
    this.#retryTimer = setTimeout(() => this.dial(), ms);
  }

  /** No timer and no attempt is left; the link is told goodbye. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#graceTimer);
    clearTimeout(this.#retryTimer);
    this.link?.finish(encodeBare(FRAME_KINDS.goodbye));
    this.link = null;
    for (const link of this.#waiting) link.drop();
    this.#waiting.clear();
    this.#dialled?.drop();
    this.#dialled = null;
  }
}
