// Faults of links on their way to the owner: one that repeats with every attempt is told once a minute.
import type { ReplicaId } from "../paxos/ballot.js";
import type { LinkFault } from "../replica/ports.js";

const REPEAT_AFTER_MS = 60_000;
const MAX_TEXTS = 256;

export class FaultLog {
  readonly #tell: (fault: LinkFault) => void;
  /** When each text was told, by replica; 0: whoever has not shaken hands. */
  readonly #told: Map<ReplicaId, Map<string, number>>;

  constructor(tell: (fault: LinkFault) => void) {
    this.#tell = tell;
    this.#told = new Map();
  }

  tell(peer: ReplicaId, text: string): void {
    const now = performance.now();
    let texts = this.#told.get(peer);
    if (texts === undefined) {
      texts = new Map();
      this.#told.set(peer, texts);
    }
    const before = texts.get(text);
    if (before !== undefined && now - before < REPEAT_AFTER_MS) return;
    if (texts.size >= MAX_TEXTS) texts.clear();
    texts.set(text, now);
    this.#tell({ peer, text });
  }
}
