// Exactly once: which commands of which origin have taken effect (2.9). Replicated state: the same on every
// replica after the same commands, and stored along with the machine's state.
// Source: Ongaro, "Consensus", section 6.3, with windows instead of a last number, for commands may overtake.
import { ByteReader, ByteWriter } from "../base/bytes.js";
import { EMPTY_DIGEST, mixBytes } from "../base/digest.js";
import type { ReplicaId } from "./ballot.js";
import type { Command } from "./value.js";

/** Numbers above `settled` that a session remembers; the origin has no more than this many unanswered. */
export const SESSION_WINDOW = 16_384;

interface Session {
  /** The highest life of the origin seen; a command of an older one has no effect. */
  incarnation: number;
  /** Every number up to it is answered and will not be sent again: it has no effect any more. */
  settled: number;
  /** Numbers above `settled` that were executed. */
  executed: Set<number>;
}

export class Sessions {
  #table: Map<ReplicaId, Session>;
  /** Those in the table, ascending; null: somebody is new. */
  #origins: readonly ReplicaId[] | null;

  constructor() {
    this.#table = new Map();
    this.#origins = null;
  }

  /** Notes a chosen command; true: execute it, false: it has no effect, for it had one already or is too old. */
  execute(command: Command): boolean {
    const { origin, incarnation, number, settled } = command;
    let session = this.#table.get(origin);
    if (session === undefined || incarnation > session.incarnation) {
      session = { incarnation, settled: 0, executed: new Set() };
      this.#table.set(origin, session);
      this.#origins = null;
    } else if (incarnation < session.incarnation) {
      return false;
    }
    if (settled > session.settled) settle(session, settled);
    if (number <= session.settled || number > session.settled + SESSION_WINDOW) return false;
    if (session.executed.has(number)) return false;
    session.executed.add(number);
    return true;
  }

  /** Whether a command of this life of `origin` has taken effect, or never will. */
  has(origin: ReplicaId, incarnation: number, number: number): boolean {
    const session = this.#table.get(origin);
    if (session === undefined || session.incarnation < incarnation) return false;
    return session.incarnation > incarnation || number <= session.settled || session.executed.has(number);
  }

  encode(): Uint8Array {
    const writer = ByteWriter.forShort();
    this.#origins ??= ascending(this.#table.keys());
    const origins = this.#origins;
    writer.varint(origins.length);
    for (const origin of origins) {
      const { incarnation, settled, executed } = this.#table.get(origin)!;
      writer.varint(origin);
      writer.varint(incarnation);
      writer.varint(settled);
      writeRuns(writer, settled, executed);
    }
    return writer.take();
  }

  /** The inverse of `encode`; null for bytes that are none. */
  static decode(bytes: Uint8Array): Sessions | null {
    const reader = new ByteReader(bytes);
    const sessions = new Sessions();
    const count = reader.varint();
    for (let i = 0; i < count && !reader.failed; i += 1) {
      const origin = reader.varint();
      const incarnation = reader.varint();
      const settled = reader.varint();
      const executed = readRuns(reader, settled);
      sessions.#table.set(origin, { incarnation, settled, executed });
    }
    return reader.failed || !reader.atEnd ? null : sessions;
  }

  copy(): Sessions {
    const copy = new Sessions();
    for (const [origin, { incarnation, settled, executed }] of this.#table) {
      copy.#table.set(origin, { incarnation, settled, executed: new Set(executed) });
    }
    return copy;
  }

  digest(): number {
    return mixBytes(EMPTY_DIGEST, this.encode());
  }

  /** `1.3:7+2` : replica 1 in life 3, settled up to 7, two executed above. */
  describe(): string {
    const origins = [...this.#table.keys()].sort((a, b) => a - b);
    return origins
      .map((origin) => {
        const { incarnation, settled, executed } = this.#table.get(origin)!;
        return `${origin}.${incarnation}:${settled}+${executed.size}`;
      })
      .join(" ");
  }
}

function settle(session: Session, settled: number): void {
  if (settled - session.settled > session.executed.size) {
    for (const number of session.executed) if (number <= settled) session.executed.delete(number);
  } else {
    for (let number = session.settled + 1; number <= settled; number += 1) session.executed.delete(number);
  }
  session.settled = settled;
}

/** Mostly they are in order already, and to sort is to call back for each. */
function ascending(numbers: Iterable<number>): number[] {
  const all = [...numbers];
  for (let i = 1; i < all.length; i += 1) if (all[i - 1]! > all[i]!) return all.sort((a, b) => a - b);
  return all;
}

/** Runs of neighbouring numbers: distance from the end of the run before, and length. */
function writeRuns(writer: ByteWriter, settled: number, executed: ReadonlySet<number>): void {
  if (executed.size === 0) {
    writer.varint(0);
    return;
  }
  const numbers = ascending(executed);
  const runs: number[] = [];
  let end = settled;
  for (let i = 0; i < numbers.length; ) {
    const first = numbers[i]!;
    let last = first;
    for (i += 1; numbers[i] === last + 1; i += 1) last += 1;
    runs.push(first - end, last - first + 1);
    end = last;
  }
  writer.varint(runs.length / 2);
  for (const number of runs) writer.varint(number);
}

function readRuns(reader: ByteReader, settled: number): Set<number> {
  const executed = new Set<number>();
  const runs = reader.varint();
  let end = settled;
  for (let run = 0; run < runs && !reader.failed; run += 1) {
    const first = end + reader.varint();
    const length = reader.varint();
    if (length === 0 || first + length - 1 > settled + SESSION_WINDOW) reader.failed = true;
    for (let i = 0; i < length && !reader.failed; i += 1) executed.add(first + i);
    end = first + length - 1;
  }
  return executed;
}
