// Catching up on chosen values (L4): whom to ask, when, and what to answer. Only values known chosen are
// served, in chunks; what is not in memory any more is served from the log on disk.
import type { ReplicaId, Slot } from "./ballot.js";
import type { Learner } from "./learner.js";
import type { ChosenEntry } from "./message.js";

const CHUNK_BYTES = 1 << 20;
const CHUNK_ENTRIES = 4096;

export class CatchUp {
  /** Slots up to it are chosen, as `source` said. */
  heardUpTo: Slot;
  source: ReplicaId;
  /** Questions since the last answer that helped: another replica is asked each time. */
  unanswered: number;
  /** Ask at this time if still behind; Infinity: nothing is missing. */
  askAt: number;

  constructor() {
    this.heardUpTo = 0;
    this.source = 0;
    this.unanswered = 0;
    this.askAt = Number.POSITIVE_INFINITY;
  }

  /** `source` knows everything up to `upTo` chosen; what is missing here at `askAt` is asked for. */
  hear(source: ReplicaId, upTo: Slot, chosenUpTo: Slot, askAt: number): void {
    if (upTo <= chosenUpTo) return;
    if (upTo > this.heardUpTo || this.source === 0) {
      this.heardUpTo = Math.max(upTo, this.heardUpTo);
      this.source = source;
    }
    this.askAt = Math.min(this.askAt, askAt);
  }

  isBehind(chosenUpTo: Slot): boolean {
    return chosenUpTo < this.heardUpTo;
  }

  /**
   * Whom to ask now; 0: nobody is linked. The source first; it may have forgotten, with a crash, what it knew,
   * so that every further question goes to another.
   */
  choose(linked: ReadonlySet<ReplicaId>): ReplicaId {
    const peers = [...linked].sort((a, b) => a - b);
    if (peers.length === 0) return 0;
    const first = Math.max(0, peers.indexOf(this.source));
    const chosen = peers[(first + this.unanswered) % peers.length]!;
    this.unanswered += 1;
    return chosen;
  }

  /** Called when `chosenUpTo` has grown: what was missing may have come by itself. */
  settle(chosenUpTo: Slot): void {
    this.unanswered = 0;
    if (!this.isBehind(chosenUpTo)) this.askAt = Number.POSITIVE_INFINITY;
  }

  copy(): CatchUp {
    return Object.assign(new CatchUp(), this);
  }
}

/** The chosen values from `fromSlot` on that are in memory, up to the size of a chunk. */
export function recentEntries(learner: Learner, fromSlot: Slot): ChosenEntry[] {
  const entries: ChosenEntry[] = [];
  let bytes = 0;
  for (let slot = fromSlot; slot <= learner.chosenUpTo && entries.length < CHUNK_ENTRIES; slot += 1) {
    const value = learner.recent.get(slot);
    if (value === undefined || (bytes > 0 && bytes + value.length > CHUNK_BYTES)) break;
    entries.push({ slot, value });
    bytes += value.length;
  }
  return entries;
}
