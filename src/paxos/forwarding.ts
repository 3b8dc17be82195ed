// Commands of the callers here, from `propose` until they are known chosen: handed to whoever leads, and again
// to the next leader (2.9). Sessions make a command that is chosen twice take effect once.
import type { Ballot, ReplicaId } from "./ballot.js";
import { type Command, commandSize } from "./value.js";

/** Bytes of commands in one `forward`. */
const FORWARD_BYTES = 1 << 20;
const NOTHING: readonly Command[][] = [];

export class Forwarding {
  readonly self: ReplicaId;
  readonly incarnation: number;
  /** Not known chosen, by number, in the order of their proposal. */
  pending: Map<number, Command>;
  /** Numbers not handed to the present leader yet; those no more pending are skipped. */
  unsent: number[];
  /** The leadership to which the others of `pending` were handed, and through whom; 0: none. */
  handedTo: Ballot;
  handedVia: ReplicaId;
  /** When something was last handed over. */
  handedAt: number;

  constructor(self: ReplicaId, incarnation: number) {
    this.self = self;
    this.incarnation = incarnation;
    this.pending = new Map();
    this.unsent = [];
    this.handedTo = 0;
    this.handedVia = 0;
    this.handedAt = 0;
  }

  add(number: number, settled: number, payload: Uint8Array): void {
    this.pending.set(number, { origin: this.self, incarnation: this.incarnation, number, settled, payload });
    this.unsent.push(number);
  }

  /** Known chosen, or given up by its caller: not sent again. */
  drop(number: number): void {
    this.pending.delete(number);
  }

  /** Everything pending goes to the leader again: it is new, or what was sent may be lost. */
  handAgain(): void {
    this.unsent = [...this.pending.keys()];
    this.handedTo = 0;
  }

  /** What must go to the leader of `ballot` through `via` now, in parts of bounded size. */
  take(ballot: Ballot, via: ReplicaId, now: number): readonly Command[][] {
    if (ballot !== this.handedTo || via !== this.handedVia) this.handAgain();
    this.handedTo = ballot;
    this.handedVia = via;
    if (this.unsent.length === 0) return NOTHING;
    this.handedAt = now;
    const parts: Command[][] = [];
    let part: Command[] = [];
    let bytes = 0;
    for (const number of this.unsent) {
      const command = this.pending.get(number);
      if (command === undefined) continue;
      if (part.length > 0 && bytes + commandSize(command) > FORWARD_BYTES) {
        parts.push(part);
        part = [];
        bytes = 0;
      }
      part.push(command);
      bytes += commandSize(command);
    }
    if (part.length > 0) parts.push(part);
    this.unsent = [];
    return parts;
  }

  copy(): Forwarding {
    const copy = Object.assign(new Forwarding(this.self, this.incarnation), this);
    copy.pending = new Map(this.pending);
    copy.unsent = [...this.unsent];
    return copy;
  }
}
