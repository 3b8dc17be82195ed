// Serves replicas that are behind the log (L4): offers a snapshot, makes one where there is none, sends the pieces
// asked for. Rule: while somebody may be fetching one, the log is kept from its slot on, for that is what comes next;
// and one that comes damaged is not offered for ever: it is read here, and another one made in its place.
import { isNoSpace } from "../base/no-space.js";
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { PeerMessage } from "../wire/peer-message.js";
import type { SnapshotRequestMessage } from "../wire/snapshot-messages.js";
import { Unavailable } from "./errors.js";
import { PiecePace } from "./piece-pace.js";
import { SnapshotCheck } from "./snapshot-check.js";
import type { SnapshotFiles } from "./snapshot-files.js";
import { isSame, type SnapshotInfo } from "./snapshot-format.js";
import type { StateSnapshot } from "./status.js";

/** At most. One is under way at a time, so that commands and heartbeats get through between them. */
const PIECE_BYTES = 256 << 10;
/** One that nobody has asked for for so long is not needed any more, nor the log after it. */
const KEPT_MS = 60_000;
/** How often it is looked whether one that the machine would remove takes room that something else needs. */
const LOOK_MS = 1000;
const NEVER = Number.POSITIVE_INFINITY;

/** The state of this moment. */
export interface Captured {
  readonly slot: Slot;
  readonly meta: Uint8Array;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface SnapshotSenderPorts {
  readonly files: SnapshotFiles;
  /** The files are the machine's own, which removes them itself. */
  readonly areMachines: boolean;
  /** Slots up to it are gone from the log: a snapshot of an older one helps nobody. */
  compactedUpTo(): Slot;
  appliedUpTo(): Slot;
  /** Null: the state is being replaced, or there is none yet. */
  capture(): Captured | null;
  /** Where the files are the machine's: has it write one soon, after which `made` is called. */
  hasten(): void;
  /** The log, the state or the reserve has no room. */
  isLacking(): boolean;
  /** Where the files are the machine's: one was damaged, and is put aside. */
  onLost(): void;
  /** Whether the state here may be given to others. */
  isTrusted(): boolean;
  send(to: readonly ReplicaId[], message: PeerMessage): void;
  now(): number;
  onFault(text: string): void;
  /** A failed write: the replica must stop. */
  onFailed(error: Error): void;
  /** There was no room for a snapshot: who asked for it asks again. */
  onNoRoom(error: Error): void;
}

export class SnapshotSender {
  readonly #ports: SnapshotSenderPorts;
  /** When a snapshot was last offered or asked for, by its slot. */
  readonly #usedAt: Map<Slot, number>;
  /** Of those that are the machine's: which each replica has asked for last, and when; below 0: in an earlier life. */
  readonly #fetched: Map<ReplicaId, { readonly slot: Slot; readonly at: number }>;
  #lookAt: number;
  /** To be offered the snapshot that is being made. */
  #waiting: Map<ReplicaId, Slot>;
  #making: Promise<void> | null;
  readonly #check: SnapshotCheck;
  /** Peers for whom a piece is read, and what they asked for last meanwhile: what came before it may be of no use. */
  readonly #serving: Map<ReplicaId, SnapshotRequestMessage | null>;
  readonly #paces: Map<ReplicaId, PiecePace>;
  /** Slot of the one that is being installed here; 0: none is. */
  #installing: Slot;
  /** Removals of files, and pieces that are read: whoever has the directory next must find them ended. */
  readonly #underWay: Set<Promise<void>>;
  #isStopped: boolean;
  /** Pieces sent in this life. */
  pieces: number;

  constructor(ports: SnapshotSenderPorts) {
    this.#ports = ports;
    this.#usedAt = new Map();
    this.#fetched = new Map();
    this.#lookAt = NEVER;
    this.#waiting = new Map();
    this.#making = null;
    this.#check = new SnapshotCheck({
      files: ports.files,
      now: () => ports.now(),
      onFault: (text) => ports.onFault(text),
      onDamaged: ({ slot }) => {
        this.#usedAt.delete(slot);
        if (ports.areMachines) ports.onLost();
      },
      onChecked: () => this.#offerAll(),
      onFailed: (error) => ports.onFailed(error),
    });
    this.#serving = new Map();
    this.#paces = new Map();
    this.#installing = 0;
    this.#underWay = new Set();
    this.#isStopped = false;
    this.pieces = 0;
    // An earlier life may have offered it; of the machine's it has kept an older one only for somebody.
    const { all } = ports.files;
    for (const { slot } of ports.areMachines ? all.slice(0, -2) : all) {
      this.#usedAt.set(slot, ports.now());
      if (ports.areMachines) this.#keep(-slot, slot);
    }
  }

  /** The log must be kept after this slot; Infinity: nobody fetches anything. */
  get keepFrom(): Slot {
    let lowest = NEVER;
    for (const slot of this.#usedAt.keys()) lowest = Math.min(lowest, slot);
    return lowest;
  }

  /** When `tidy` has something to do. */
  get deadline(): number {
    let earliest = NEVER;
    // It would be over at once, again and again, while one that takes long is made.
    if (this.#making !== null) return earliest;
    for (const at of this.#usedAt.values()) earliest = Math.min(earliest, at + KEPT_MS);
    return Math.min(earliest, this.#lookAt);
  }

  /** `to` needs slots that are gone from the log here, or the whole state after slot `atLeast`. */
  offer(to: ReplicaId, atLeast: Slot = 0): void {
    if (this.#isStopped || !this.#ports.isTrusted() || this.#tell(to, atLeast)) return;
    // Who asked for more than there is asks again.
    if (this.#ports.appliedUpTo() < atLeast) {
      this.#tellBroken(to, atLeast);
      return;
    }
    this.#waiting.set(to, atLeast);
    this.#make();
  }

  #tell(to: ReplicaId, atLeast: Slot): boolean {
    const { newest } = this.#ports.files;
    // The log must go on from it.
    if (newest === null || newest.slot < Math.max(atLeast, this.#ports.compactedUpTo())) return false;
    this.#usedAt.set(newest.slot, this.#ports.now());
    if (this.#isDoubtful(newest)) {
      this.#waiting.set(to, atLeast);
      return true;
    }
    this.#ports.send([to], { kind: "snapshotOffer", ...newest });
    return true;
  }

  /** Somebody doubts it, and it is being read: what an earlier life has left may have rotted since. */
  #isDoubtful(info: SnapshotInfo): boolean {
    return this.#check.isOf(info) || (!this.#ports.files.isChecked(info) && this.#check.begin(info));
  }

  /** Where there is nothing better, what is whole of a damaged one may help. */
  #tellBroken(to: ReplicaId, atLeast: Slot): void {
    for (const info of this.#ports.files.broken.all) {
      if (info.slot >= atLeast) this.#ports.send([to], { kind: "snapshotOffer", ...info });
    }
  }

  /** Those who wait are offered what there is, or what is made then. */
  #offerAll(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [to, atLeast] of waiting) this.offer(to, atLeast);
  }

  /** Those who wait are offered what there is now; who gets nothing asks again. */
  made(): void {
    const waiting = this.#waiting;
    if (waiting.size === 0 || !this.#ports.isTrusted()) return;
    this.#waiting = new Map();
    for (const [to, atLeast] of waiting) this.#tell(to, atLeast);
  }

  #make(): void {
    if (this.#making !== null || this.#isStopped) return;
    if (this.#ports.areMachines) {
      this.#ports.hasten();
      return;
    }
    const captured = this.#ports.capture();
    if (captured === null) return;
    const { slot, meta, chunks } = captured;
    this.#usedAt.set(slot, this.#ports.now());
    this.#making = this.#ports.files.write(slot, meta, chunks).then(
      () => {
        this.#making = null;
        this.made();
      },
      (error: Error) => {
        this.#making = null;
        this.#usedAt.delete(slot);
        if (isNoSpace(error)) this.#ports.onNoRoom(error);
        else this.#ports.onFailed(error);
      },
    );
  }

  /** A snapshot of the state of this moment, or a later one. */
  async fresh(): Promise<StateSnapshot> {
    const { files, appliedUpTo } = this.#ports;
    const wanted = appliedUpTo();
    const { newest } = files;
    if (newest !== null && newest.slot >= wanted && this.#isDoubtful(newest)) await this.#check.idle();
    // One that is being made may be of an older state.
    for (let tried = 0; tried < 2 && (files.newest?.slot ?? 0) < wanted; tried += 1) {
      await this.#making;
      if ((files.newest?.slot ?? 0) < wanted) this.#make();
      await this.#making;
    }
    const info = files.newest;
    if (info === null || info.slot < wanted) {
      throw new Unavailable("no snapshot of the state can be made now: try again, or ask another replica");
    }
    this.#usedAt.set(info.slot, this.#ports.now());
    return {
      slot: info.slot,
      bytes: info.bytes,
      pieces: this.#piecesOf(info, false),
      lentPieces: this.#piecesOf(info, true),
    };
  }

  async *#piecesOf(info: SnapshotInfo, areLent: boolean): AsyncGenerator<Uint8Array> {
    const { files, now } = this.#ports;
    let left = info.bytes;
    for await (const piece of files.pieces(info, PIECE_BYTES, areLent)) {
      // It may have been let go: who takes a piece a minute is served from the open file.
      if (this.#usedAt.has(info.slot)) this.#usedAt.set(info.slot, now());
      left -= piece.length;
      yield piece;
    }
    if (left > 0) throw new Unavailable("the snapshot has become shorter: ask for another one");
  }

  /** The one after `slot` came from a peer, and its file is read here until `received`: it stays so long. */
  installs(slot: Slot): void {
    this.#installing = slot;
  }

  /** It has done what it can here, well or not: others may take it for a while. */
  received(slot: Slot): void {
    this.#installing = 0;
    if (!this.#ports.areMachines) this.#usedAt.set(slot, this.#ports.now());
  }

  /**
   * Reads the files that a machine keeps, for nobody else does before they are needed; slowly, and nobody waits for it.
   * Rejects when the replica must stop.
   */
  async scrub(pause: () => Promise<void>): Promise<void> {
    if (!this.#ports.areMachines) return;
    for (const info of this.#ports.files.all) await this.#check.scrub(info, pause);
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#isStopped = true;
    this.#check.stop();
  }

  /** Resolves when no snapshot is being made: the state is not read any more. */
  async idle(): Promise<void> {
    await this.#making;
  }

  /** After `stop`: resolves when nothing is under way, but for a scrub, which whoever began it waits for. */
  async close(): Promise<void> {
    await this.#check.idle();
    await this.#making;
    await Promise.all(this.#underWay);
  }

  /** `step` tells its failures itself. */
  #begun(step: Promise<void>): void {
    const done = step.finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  asked(from: ReplicaId, message: SnapshotRequestMessage): void {
    const { files, now, isTrusted } = this.#ports;
    const { slot, bytes, sum, offset } = message;
    if (this.#isStopped || !isTrusted()) return;
    const info = { slot, bytes, sum };
    const isHeld = files.all.some((held) => isSame(held, info));
    if (!isHeld && !files.broken.has(info)) {
      this.offer(from, bytes === 0 ? slot : 0);
      return;
    }
    this.#usedAt.set(slot, now());
    if (offset >= bytes) {
      if (isHeld) this.#doubted(info, from);
      return;
    }
    if (isHeld && this.#ports.areMachines) this.#keep(from, slot);
    if (this.#serving.has(from)) {
      this.#serving.set(from, message);
      return;
    }
    this.#serving.set(from, null);
    const pace = this.#paces.get(from) ?? new PiecePace(PIECE_BYTES);
    this.#paces.set(from, pace);
    const length = pace.next(info, offset, now());
    const read = isHeld ? files.read(info, offset, length) : files.broken.read(info, offset, length);
    const served = read.then(
      (data) => {
        this.pieces += 1;
        this.#ports.send([from], { kind: "snapshotChunk", ...info, offset, data });
        this.#served(from, message);
      },
      (error: Error) => {
        this.#serving.delete(from);
        if (isHeld && this.#doubted(info, from)) return;
        this.#ports.onFault(`the snapshot of slot ${slot} cannot be read: ${error.message}`);
      },
    );
    this.#begun(served);
  }

  #served(from: ReplicaId, message: SnapshotRequestMessage): void {
    const next = this.#serving.get(from) ?? null;
    this.#serving.delete(from);
    if (next !== null && (next.offset !== message.offset || !isSame(next, message))) this.asked(from, next);
  }

  /** It came damaged to `from`, or cannot be read. Whether it is being read now, or will be. */
  #doubted(info: SnapshotInfo, from: ReplicaId): boolean {
    const isRead = this.#check.begin(info);
    if (isRead) this.#waiting.set(from, 0);
    return isRead;
  }

  /** One for each replica that fetches at most, or many that come and go would fill the disk. */
  #keep(from: ReplicaId, slot: Slot): void {
    const now = this.#ports.now();
    this.#fetched.set(from, { slot, at: now });
    this.#lookAt = Math.min(this.#lookAt, now + LOOK_MS);
    this.#ports.files.fetched = new Set([...this.#fetched.values()].map((fetched) => fetched.slot));
  }

  #look(now: number): void {
    if (now < this.#lookAt) return;
    const { files, isLacking, onFailed } = this.#ports;
    for (const [from, { at }] of this.#fetched) {
      if (isLacking() || now >= at + KEPT_MS) this.#fetched.delete(from);
    }
    this.#lookAt = this.#fetched.size === 0 ? NEVER : now + LOOK_MS;
    files.fetched = new Set([...this.#fetched.values()].map(({ slot }) => slot));
    this.#begun(files.removeOld().catch((error: Error) => onFailed(error)));
  }

  /** Lets go of what nobody has asked for for long. */
  tidy(now: number): void {
    this.#look(now);
    const { files, areMachines } = this.#ports;
    for (const [slot, at] of this.#usedAt) {
      if (now < at + KEPT_MS || this.#making !== null) continue;
      const info = files.all.find((held) => held.slot === slot);
      // Whoever is to have it waits; or it is what becomes the state here.
      if (slot === this.#installing || (info !== undefined && this.#check.isOf(info))) {
        this.#usedAt.set(slot, now);
        continue;
      }
      this.#usedAt.delete(slot);
      if (areMachines || info === undefined) continue;
      this.#begun(files.remove(info).catch((error: Error) => this.#ports.onFailed(error)));
    }
  }
}
