// A volatile machine whose state is the list of all that it has executed, so that whatever is missing, doubled or put
// in the place of something else shows.
import { jsonMachine } from "../../src/machine/json-machine.js";
import type { StateMachine } from "../../src/machine/machine.js";

export type ListMachine = StateMachine<string, number, "all", readonly string[]>;

export function listMachine(): ListMachine {
  return jsonMachine({
    initial: { texts: [] as string[] },
    apply: (state, text: string) => state.texts.push(text),
    query: (state, _query: "all") => [...state.texts],
  });
}
