// The key-value machine of one life, watched: the same command in the same place gives the same result on every
// replica and in every life (invariants 13 and 15), and no command is executed in two places (22).
import { EMPTY_DIGEST, mixBytes } from "../base/digest.js";
import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../kv/commands.js";
import type { KvMachine } from "../kv/machine.js";
import type { DurableState, StateMachine } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";
import { InvariantBroken, payloadKey } from "./ghost.js";

/** What was executed anywhere, by place. */
export class Executions {
  /** For each slot, in order: the command and what it gave, as text. */
  readonly #bySlot: Map<Slot, string[]>;
  /** Where each command was executed, by its bytes. */
  readonly #places: Map<string, Slot>;
  /** In the order of execution, each command once. */
  readonly commands: { readonly slot: Slot; readonly command: KvCommand; readonly result: KvResult }[];

  readonly #violate: (broken: InvariantBroken) => void;

  /** `violate` is told, for what a machine throws counts as the refusal of a command. */
  constructor(violate: (broken: InvariantBroken) => void) {
    this.#violate = violate;
    this.#bySlot = new Map();
    this.#places = new Map();
    this.commands = [];
  }

  note(id: number, slot: Slot, at: number, command: KvCommand, payload: Uint8Array, result: KvResult): void {
    const told = `${mixBytes(EMPTY_DIGEST, payload)} ${describeResult(result)}`;
    const inSlot = this.#bySlot.get(slot) ?? [];
    this.#bySlot.set(slot, inSlot);
    const before = inSlot[at];
    if (before !== undefined) {
      if (before === told) return;
      const where = `replica ${id}, slot ${slot}, command ${at}`;
      this.#violate(new InvariantBroken(`sameResults: ${where}: ${told}, elsewhere ${before}`));
      return;
    }
    inSlot[at] = told;
    // Callers put a value of its own into each put and transaction; two deletions are alike.
    const isUnique = command.kind === "put" || command.kind === "txn";
    const key = isUnique ? payloadKey(payload) : "";
    const place = this.#places.get(key);
    if (place !== undefined) {
      const what = `replica ${id} executes in slot ${slot} what was executed in slot ${place}`;
      this.#violate(new InvariantBroken(`exactlyOnce: ${what}`));
    }
    if (isUnique) this.#places.set(key, slot);
    this.commands.push({ slot, command, result });
  }
}

function describeResult(result: KvResult): string {
  const { kind, revision } = result;
  if (result.kind === "deleteRange") return `${kind} ${revision} ${result.response.deleted}`;
  if (result.kind === "txn") return `${kind} ${revision} ${result.response.succeeded}`;
  return result.kind === "refused" ? `${kind} ${revision} ${result.refusal}` : `${kind} ${revision}`;
}

export class WatchedMachine implements StateMachine<KvCommand, KvResult, KvQuery, KvAnswer> {
  readonly durable: DurableState;
  readonly #machine: KvMachine;
  readonly #id: number;
  readonly #executions: Executions;
  #slot: Slot;
  #at: number;

  constructor(machine: KvMachine, id: number, executions: Executions) {
    this.durable = machine.durable;
    this.#machine = machine;
    this.#id = id;
    this.#executions = executions;
    this.#slot = 0;
    this.#at = 0;
  }

  encode(command: KvCommand): Uint8Array {
    return this.#machine.encode(command);
  }

  decode(bytes: Uint8Array): KvCommand {
    return this.#machine.decode(bytes);
  }

  apply(command: KvCommand, slot: Slot): KvResult {
    const result = this.#machine.apply(command);
    this.#at = slot === this.#slot ? this.#at + 1 : 0;
    this.#slot = slot;
    this.#executions.note(this.#id, slot, this.#at, command, this.#machine.encode(command), result);
    return result;
  }

  query(query: KvQuery): KvAnswer | Promise<KvAnswer> {
    return this.#machine.query(query);
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return this.#machine.snapshot();
  }

  restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#machine.restore(chunks);
  }
}
