// The JSON machine keeps the contract of state machines.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machineContract } from "./contract.js";
import { jsonMachine } from "./json-machine.js";

interface Account {
  readonly to: string;
  readonly add: number;
}

function accounts() {
  return jsonMachine({
    initial: { balances: {} as Record<string, number> },
    apply(state, command: Account) {
      if (typeof command?.add !== "number") throw new TypeError("add must be a number");
      const balance = (state.balances[command.to] ?? 0) + command.add;
      state.balances[command.to] = balance;
      return balance;
    },
    query: (state, to: string | null) => (to === null ? JSON.stringify(state) : (state.balances[to] ?? 0)),
  });
}

for (const { name, run } of machineContract) {
  test(`json machine: ${name}`, () =>
    run({
      make: async () => accounts(),
      commands: Array.from({ length: 40 }, (_, i) => ({ to: `ü${i % 7}`, add: i })),
      describe: async (machine) => String(await machine.query(null)),
    }));
}

test("json machine: what is no JSON value is refused before it is proposed", () => {
  assert.throws(() => accounts().encode(undefined as unknown as Account), TypeError);
});

test("json machine: the initial state is not shared", () => {
  const initial = { total: 0 };
  const options = { initial, apply: (state: { total: number }) => (state.total += 1), query: () => 0 };
  jsonMachine(options).apply(null, 1);
  assert.equal(initial.total, 0);
});
