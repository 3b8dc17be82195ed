// What is kept along with the state of the machine: the table of sessions, and the last digest that was noted, so that
// a replica that starts again says the same of its state as before (2.10).
import { ByteReader, ByteWriter } from "../base/bytes.js";
import { EMPTY_DIGEST, mixNumber } from "../base/digest.js";
import { StateCorrupt } from "../machine/machine.js";
import type { Slot } from "../paxos/ballot.js";
import { Sessions } from "../paxos/sessions.js";

/** The state after `slot`, in short. */
export interface NotedDigest {
  readonly slot: Slot;
  readonly digest: number;
}

export interface StateMeta {
  readonly sessions: Sessions;
  /** Null: there was none yet. */
  readonly noted: NotedDigest | null;
}

export function encodeMeta({ sessions, noted }: StateMeta): Uint8Array {
  const writer = ByteWriter.forShort();
  writer.bytes(sessions.encode());
  writer.varint(noted?.slot ?? 0);
  writer.varint(noted?.digest ?? 0);
  return writer.take();
}

/** Null for bytes that are none. */
export function decodeMeta(bytes: Uint8Array): StateMeta | null {
  const reader = new ByteReader(bytes);
  const sessions = Sessions.decode(reader.bytes());
  const slot = reader.varint();
  const digest = reader.varint();
  if (sessions === null || reader.failed || !reader.atEnd) return null;
  return { sessions, noted: slot === 0 ? null : { slot, digest } };
}

/** A machine that throws has no digest here, nor anywhere else: that is no reason to stop, as with its `apply`. */
function stateOf(machine: { digest?(): number }): number {
  try {
    return machine.digest?.() ?? 0;
  } catch (thrown) {
    if (thrown instanceof StateCorrupt) throw thrown;
    return 0;
  }
}

/** 53 bits, of the table and of what the machine says, if it says something. */
export function digestOf(sessions: Sessions, machine: { digest?(): number }): number {
  const table = sessions.digest();
  const state = stateOf(machine);
  const low = mixNumber(mixNumber(EMPTY_DIGEST, table), state);
  return (mixNumber(mixNumber(low, state), table) % 2 ** 21) * 2 ** 32 + low;
}
