// One TCP connection to another replica: frames in, a bounded queue of frames out. It keeps one write under way,
// so that frames of a turn leave together and a reader that is slow costs no more than the queue.
import type { Socket } from "node:net";
import type { ReplicaId } from "../paxos/ballot.js";
import { type FrameFault, FrameParser, MAX_FRAME_BYTES, MAX_HELLO_FRAME_BYTES } from "../wire/frame.js";
import { encodeRefusal, type Hello } from "../wire/handshake.js";

/** Bytes of one write: also the grain in which progress is seen on a slow connection. */
const WRITE_BYTES = 256 * 1024;
/** A frame at least this long is written from where it is; shorter ones are copied together. */
const LONG_FRAME_BYTES = 64 * 1024;
/** What a queued frame costs beside its buffer. */
const FRAME_OVERHEAD_BYTES = 64;
/** How long the last frames of a link that we close may take to leave. */
const LINGER_MS = 500;

export interface LinkEvents {
  /** A whole frame, kind byte first; not called any more once the link is dropped. */
  onPayload(link: Link, payload: Uint8Array): void;
  onBadFrame(link: Link, fault: FrameFault): void;
  /** The other side closed, or the system did (`code`: ECONNREFUSED, ECONNRESET, ...; "" when orderly). */
  onClosed(link: Link, code: string): void;
  /** The socket is gone; comes for every link, dropped or not. */
  onGone(link: Link): void;
}

export interface LinkOptions {
  readonly socket: Socket;
  /** The replica that was dialled; 0: the other side dialled. */
  readonly dialled: ReplicaId;
  readonly queueBytes: number;
  readonly handshakeMs: number;
  readonly events: LinkEvents;
}

export class Link {
  readonly dialled: ReplicaId;
  /** What the other side said of itself; null until its hello was let in. */
  hello: Hello | null;
  /** Given by the replica that decides for the pair; 0 until the link is up. */
  number: number;
  /** When the link came up, on the monotonic clock. */
  upSince: number;
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  readonly #parser: FrameParser;
  readonly #queueBytes: number;
  readonly #handshakeTimer: NodeJS.Timeout;
  #queue: Uint8Array[];
  /** Bytes of `#queue[0]` that were already handed to the socket. */
  #offset: number;
  #queued: number;
  #pumpPlanned: boolean;
  #writing: boolean;
  #progressAt: number;
  /** Bytes came since the last tick. */
  #heard: boolean;
  #silentTicks: number;
  #dropped: boolean;
  #lastFrameQueued: boolean;

  constructor({ socket, dialled, queueBytes, handshakeMs, events }: LinkOptions) {
    this.dialled = dialled;
    this.hello = null;
    this.number = 0;
    this.upSince = 0;
    this.#socket = socket;
    this.#events = events;
    this.#parser = new FrameParser(MAX_HELLO_FRAME_BYTES);
    this.#queueBytes = queueBytes;
    this.#handshakeTimer = setTimeout(() => this.fail("ETIMEDOUT"), handshakeMs);
    this.#queue = [];
    this.#offset = 0;
    this.#queued = 0;
    this.#pumpPlanned = false;
    this.#writing = false;
    this.#progressAt = 0;
    this.#heard = false;
    this.#silentTicks = 0;
    this.#dropped = false;
    this.#lastFrameQueued = false;
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    let code = "";
    socket.on("data", (chunk: Uint8Array) => this.#read(chunk));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      code = error.code ?? error.message;
    });
    socket.on("end", () => this.fail(""));
    socket.on("close", () => {
      this.fail(code);
      this.#events.onGone(this);
    });
  }

  /** The other side's address, for texts. */
  get address(): string {
    const { remoteAddress } = this.#socket;
    return remoteAddress === undefined ? "address not known" : remoteAddress;
  }

  /** The handshake is done: larger frames are taken, and the timer ends. */
  settle(number: number, now: number): void {
    this.number = number;
    this.upSince = now;
    this.#parser.limit = MAX_FRAME_BYTES;
    clearTimeout(this.#handshakeTimer);
  }

  /** Sends ahead of queued messages: for the few frames of the handshake. */
  tell(frame: Uint8Array): void {
    if (this.#dropped) return;
    if (this.#offset === 0) this.#socket.write(frame);
    else this.#enqueue(frame);
  }

  /** Queues a message for the end of this turn; false: it does not fit and is dropped. */
  send(frame: Uint8Array): boolean {
    if (this.#dropped || this.#queued + costOf(frame) > this.#queueBytes) return false;
    this.#enqueue(frame);
    return true;
  }

  #enqueue(frame: Uint8Array): void {
    if (this.#queued === 0) this.#progressAt = performance.now();
    this.#queue.push(frame);
    this.#queued += costOf(frame);
    if (this.#pumpPlanned || this.#writing) return;
    this.#pumpPlanned = true;
    process.nextTick(() => {
      this.#pumpPlanned = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#writing || this.#socket.destroyed) return;
    if (this.#queue.length === 0) {
      if (this.#lastFrameQueued) this.#socket.end();
      return;
    }
    this.#writing = true;
    const { piece, cost } = this.#takePiece();
    this.#socket.write(piece, () => {
      this.#writing = false;
      this.#queued -= cost;
      this.#progressAt = performance.now();
      this.#pump();
    });
  }

  /** What the next write carries, and the part of `#queued` that it frees. */
  #takePiece(): { piece: Uint8Array; cost: number } {
    const head = this.#queue[0]!;
    if (head.length >= LONG_FRAME_BYTES) {
      const piece = head.subarray(this.#offset, this.#offset + WRITE_BYTES);
      this.#offset += piece.length;
      if (this.#offset < head.length) return { piece, cost: 0 };
      this.#offset = 0;
      this.#queue.shift();
      return { piece, cost: costOf(head) };
    }
    let count = 0;
    let length = 0;
    let cost = 0;
    for (const frame of this.#queue) {
      if (frame.length >= LONG_FRAME_BYTES || length + frame.length > WRITE_BYTES) break;
      count += 1;
      length += frame.length;
      cost += costOf(frame);
    }
    const frames = this.#queue.splice(0, count);
    return { piece: count === 1 ? head : Buffer.concat(frames, length), cost };
  }

  #read(chunk: Uint8Array): void {
    if (this.#dropped) return;
    this.#heard = true;
    // A plain view: what is cut from it travels through the core, which knows no Buffer.
    this.#parser.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    while (!this.#dropped) {
      const payload = this.#parser.next();
      if (payload === null) break;
      this.#events.onPayload(this, payload);
    }
    if (!this.#dropped && this.#parser.fault !== null) this.#events.onBadFrame(this, this.#parser.fault);
  }

  /** Whether nothing could be written for `stallMs` although something waits. */
  isStuck(now: number, stallMs: number): boolean {
    return !this.#dropped && this.#queued > 0 && now - this.#progressAt >= stallMs;
  }

  /**
   * Called regularly: for how many calls in a row no byte has come. Counted in calls, not in time, so that a
   * process that stalled itself does not take its peers for dead.
   */
  countSilence(): number {
    this.#silentTicks = this.#heard ? 0 : this.#silentTicks + 1;
    this.#heard = false;
    return this.#silentTicks;
  }

  /** Closes as if the system had, and says so to the owner. */
  fail(code: string): void {
    if (this.#dropped) return;
    this.drop();
    this.#events.onClosed(this, code);
  }

  /** Closes at once; nothing that still comes is looked at, and the owner is told nothing more of it. */
  drop(): void {
    if (this.#dropped) return;
    this.#silence();
    this.#socket.destroy();
  }

  /** Closes and tells the other side why; the owner is told nothing more. */
  refuse(text: string): void {
    if (this.#dropped) return;
    this.finish(encodeRefusal(text));
  }

  /** Sends what is queued and then `frame`, and closes; the owner is told nothing more. */
  finish(frame: Uint8Array): void {
    if (this.#dropped) return;
    this.#enqueue(frame);
    this.#lastFrameQueued = true;
    this.#silence();
    const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once("close", () => clearTimeout(linger));
  }

  #silence(): void {
    this.#dropped = true;
    clearTimeout(this.#handshakeTimer);
  }
}

function costOf(frame: Uint8Array): number {
  return frame.buffer.byteLength + FRAME_OVERHEAD_BYTES;
}
