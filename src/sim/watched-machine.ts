// The key-value machine of one life, watched: the same command in the same place gives the same result on every
// replica and in every life (invariants 13 and 15), no command is executed in two places (22), and each one that
// changes something makes a revision (16).
import { bytesEqual } from "../base/bytes.js";
import { EMPTY_DIGEST, mixBytes } from "../base/digest.js";
import { encodeCommand } from "../kv/codec.js";
import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../kv/commands.js";
import type { KvMachine } from "../kv/machine.js";
import { FIRST_REVISION } from "../kv/mvcc-store.js";
import type { DurableState, StateMachine } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";
import { BySlot } from "./by-slot.js";
import { InvariantBroken, payloadKey } from "./ghost.js";
import { NEVER_ASKED } from "./state-rot.js";

export interface ExecutedCommand {
  readonly slot: Slot;
  /** In its slot. */
  readonly at: number;
  /** By `payloadKey`. */
  readonly payload: string;
  readonly bytes: Uint8Array;
  /** After it. */
  readonly revision: number;
  /** Keys that a deletion deleted. */
  readonly deleted: number;
  /** When it was first executed anywhere, in true time. */
  readonly time: number;
}

/** What a command gave where it was first executed. */
interface Told {
  readonly payload: Uint8Array;
  readonly result: KvResult;
}

/** What was executed anywhere, by place. */
export class Executions {
  /** For each slot, in order. */
  readonly #bySlot: BySlot<Told[]>;
  /** Where each command was executed, by its bytes. */
  readonly #places: Map<string, Slot>;
  /** In the order of execution, each place once. */
  readonly executed: ExecutedCommand[];

  /** What was encoded last. */
  #encoded: { readonly command: KvCommand; readonly bytes: Uint8Array } | null;
  readonly #violate: (broken: InvariantBroken) => void;
  readonly #now: () => number;

  /** `violate` is told, for what a machine throws counts as the refusal of a command. */
  constructor(violate: (broken: InvariantBroken) => void, now: () => number) {
    this.#encoded = null;
    this.#violate = violate;
    this.#now = now;
    this.#bySlot = new BySlot();
    this.#places = new Map();
    this.executed = [];
  }

  /** Who asks for a command wants its bytes, and mostly right after that the replica that is asked does. */
  encode(command: KvCommand): Uint8Array {
    if (this.#encoded?.command !== command) this.#encoded = { command, bytes: encodeCommand(command) };
    return this.#encoded.bytes;
  }

  note(id: number, slot: Slot, at: number, command: KvCommand, payload: Uint8Array, result: KvResult): void {
    let inSlot = this.#bySlot.get(slot);
    if (inSlot === undefined) {
      inSlot = [];
      this.#bySlot.set(slot, inSlot);
    }
    const before = inSlot[at];
    if (before !== undefined) {
      if (bytesEqual(before.payload, payload) && isSameResult(before.result, result)) return;
      const where = `replica ${id}, slot ${slot}, command ${at}`;
      const told = `${describe(payload, result)}, elsewhere ${describe(before.payload, before.result)}`;
      this.#violate(new InvariantBroken(`sameResults: ${where}: ${told}`));
      return;
    }
    inSlot[at] = { payload, result };
    // Callers put a value of its own into each put and transaction; two deletions are alike.
    const isUnique = command.kind === "put" || command.kind === "txn";
    const key = payloadKey(payload);
    const place = isUnique ? this.#places.get(key) : undefined;
    if (place !== undefined) {
      const what = `replica ${id} executes in slot ${slot} what was executed in slot ${place}`;
      this.#violate(new InvariantBroken(`exactlyOnce: ${what}`));
    }
    if (isUnique) this.#places.set(key, slot);
    this.#checkRevision(id, slot, result);
    // A refusal has no effect, a compaction none that a client of this world sees: they have no place in the order.
    if (result.kind === "refused" || result.kind === "compact") return;
    const deleted = result.kind === "deleteRange" ? result.response.deleted : 0;
    const { revision } = result;
    this.executed.push({ slot, at, payload: key, bytes: payload, revision, deleted, time: this.#now() });
  }

  /** Revisions (16): one more for each command that changes something, and else the same. */
  #checkRevision(id: number, slot: Slot, result: KvResult): void {
    const before = this.executed.at(-1)?.revision ?? FIRST_REVISION;
    if (result.revision === before + (hasChanged(result) ? 1 : 0)) return;
    const what = `replica ${id}, slot ${slot}: ${describeResult(result)} after revision ${before}`;
    this.#violate(new InvariantBroken(`revisions: ${what}`));
  }

  /** The revision after the commands of all slots up to `slot`. */
  revisionAt(slot: Slot): number {
    let low = 0;
    let high = this.executed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.executed[middle]!.slot <= slot) low = middle + 1;
      else high = middle;
    }
    return this.executed[low - 1]?.revision ?? FIRST_REVISION;
  }
}

/** Whether a command with this result has changed the store. */
function hasChanged(result: KvResult): boolean {
  if (result.kind === "put") return true;
  if (result.kind === "deleteRange") return result.response.deleted > 0;
  if (result.kind !== "txn") return false;
  return result.response.responses.some(({ responsePut, responseDeleteRange }) => {
    return responsePut !== undefined || (responseDeleteRange?.deleted ?? 0) > 0;
  });
}

function isSameResult(a: KvResult, b: KvResult): boolean {
  if (a.revision !== b.revision) return false;
  if (a.kind === "deleteRange") return b.kind === "deleteRange" && a.response.deleted === b.response.deleted;
  if (a.kind === "txn") return b.kind === "txn" && a.response.succeeded === b.response.succeeded;
  if (a.kind === "refused") return b.kind === "refused" && a.refusal === b.refusal;
  return a.kind === b.kind;
}

function describe(payload: Uint8Array, result: KvResult): string {
  return `${mixBytes(EMPTY_DIGEST, payload)} ${describeResult(result)}`;
}

function describeResult(result: KvResult): string {
  const { kind, revision } = result;
  if (result.kind === "deleteRange") return `${kind} ${revision} ${result.response.deleted}`;
  if (result.kind === "txn") return `${kind} ${revision} ${result.response.succeeded}`;
  return result.kind === "refused" ? `${kind} ${revision} ${result.refusal}` : `${kind} ${revision}`;
}

export class WatchedMachine implements StateMachine<KvCommand, KvResult, KvQuery, KvAnswer> {
  readonly durable?: DurableState;
  readonly #machine: KvMachine;
  readonly #id: number;
  readonly #executions: Executions;
  readonly #onUse: () => void;
  readonly #onRestored: () => void;
  readonly #wrongly: (slot: Slot) => number;
  #slot: Slot;
  #at: number;
  /** Of the command decoded last: the one that is applied next. */
  #payload: Uint8Array;

  /**
   * `onUse`: called when a command is applied or a query answered; `onRestored`: when a snapshot has replaced the
   * state; `wrongly`: how often, before the first command of a slot, something is executed that is not there.
   * `isVolatile`: it hides that it is durable.
   */
  constructor(
    machine: KvMachine,
    id: number,
    executions: Executions,
    isVolatile: boolean,
    hooks: { readonly onUse: () => void; readonly onRestored: () => void; wrongly(slot: Slot): number },
  ) {
    if (!isVolatile) this.durable = machine.durable;
    this.#machine = machine;
    this.#id = id;
    this.#executions = executions;
    this.#onUse = hooks.onUse;
    this.#onRestored = hooks.onRestored;
    this.#wrongly = hooks.wrongly;
    this.#slot = 0;
    this.#at = 0;
    this.#payload = new Uint8Array(0);
  }

  encode(command: KvCommand): Uint8Array {
    return this.#executions.encode(command);
  }

  decode(bytes: Uint8Array): KvCommand {
    this.#payload = bytes;
    return this.#machine.decode(bytes);
  }

  apply(command: KvCommand, slot: Slot): KvResult {
    this.#onUse();
    this.#at = slot === this.#slot ? this.#at + 1 : 0;
    if (this.#at === 0) for (let i = this.#wrongly(slot); i > 0; i -= 1) this.#machine.apply(NEVER_ASKED);
    const result = this.#machine.apply(command);
    this.#slot = slot;
    this.#executions.note(this.#id, slot, this.#at, command, this.#payload, result);
    return result;
  }

  query(query: KvQuery): KvAnswer | Promise<KvAnswer> {
    this.#onUse();
    return this.#machine.query(query);
  }

  grows(command: KvCommand): boolean {
    return this.#machine.grows(command);
  }

  digest(): number {
    return this.#machine.digest();
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return this.#machine.snapshot();
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#machine.restore(chunks);
    this.#onRestored();
  }
}
