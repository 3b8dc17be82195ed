// The in-memory network keeps the contract.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { MemoryHub } from "./memory-network.js";
import { NETWORK_CONTRACT, type NetworkLab } from "./network-contract.js";

const soon = (task: () => void) => void setImmediate(task);

function makeLab(): NetworkLab {
  const hub = new MemoryHub({ soon }, [1, 2, 3]);
  return {
    network: (replica) => hub.network(replica),
    kill: (replica) => hub.kill(replica),
    breakLink: (a, b) => hub.breakLink(a, b),
    cut: (a, b) => hub.cut(a, b),
    heal: (a, b) => hub.heal(a, b),
    async until(what, condition) {
      for (let turns = 0; turns < 1000; turns += 1) {
        if (condition()) return;
        await turn();
      }
      assert.fail(`never: ${what}`);
    },
  };
}

describe("memory network", () => {
  for (const { name, run } of NETWORK_CONTRACT) test(name, () => run(makeLab()));
});
