// A state machine in a few lines: the state is one JSON value, commands, results, queries and answers are JSON.
// Volatile: after a restart the log is replayed. For states that are small enough to be one string.
import { concatBytes } from "../base/bytes.js";
import { decodeUtf8, encodeUtf8 } from "../base/utf8.js";
import type { StateMachine } from "./machine.js";

const CHUNK_BYTES = 1 << 16;

export interface JsonMachineOptions<State, Command, Result, Query, Answer> {
  /** The state of an empty cluster; it is copied. */
  readonly initial: State;
  /** Changes `state` and gives the result; deterministic, and throws, if at all, before it changes anything. */
  readonly apply: (state: State, command: Command) => Result;
  /** Answers from `state` and changes nothing. */
  readonly query: (state: State, query: Query) => Answer;
  /** Whether a command may make the state larger; all may, unless given. */
  readonly grows?: ((command: Command) => boolean) | undefined;
}

export function jsonMachine<State extends object, Command, Result, Query, Answer>(
  options: JsonMachineOptions<State, Command, Result, Query, Answer>,
): StateMachine<Command, Result, Query, Answer> {
  let state = copyOf(options.initial);
  return {
    encode(command) {
      const text = JSON.stringify(command) as string | undefined;
      if (text === undefined) throw new TypeError("a command must be a JSON value");
      return encodeUtf8(text);
    },
    decode: (bytes) => JSON.parse(textOf(bytes)) as Command,
    apply: (command) => options.apply(state, command),
    query: (query) => options.query(state, query),
    grows: (command) => options.grows?.(command) ?? true,
    digest: () => digestOf(JSON.stringify(state)),
    snapshot: () => chunksOf(encodeUtf8(JSON.stringify(state))),
    async restore(chunks) {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      state = JSON.parse(textOf(concatBytes(parts))) as State;
    },
  };
}

function copyOf<State>(state: State): State {
  return JSON.parse(JSON.stringify(state)) as State;
}

/** 53 bits. */
function digestOf(text: string): number {
  let low = text.length;
  let high = ~text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high + unit, 0x85ebca6b) ^ (high >>> 13);
  }
  return ((high >>> 0) % 2 ** 21) * 2 ** 32 + (low >>> 0);
}

function textOf(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  if (text === null) throw new TypeError("not valid UTF-8");
  return text;
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}
