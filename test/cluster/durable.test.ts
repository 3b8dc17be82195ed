// A durable machine under the driver: it goes on from what it held, the rest is replayed, nothing twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machineContract } from "../../src/machine/contract.js";
import type { StateMachine } from "../../src/machine/machine.js";
import { MemoryCluster } from "../support/memory-cluster.js";

/** What a durable machine has on its disk. */
interface Store {
  slot: number;
  meta: Uint8Array;
  seen: readonly number[];
  commits: number;
  isClosed: boolean;
}

type Machine = StateMachine<number, number, null, readonly number[]>;

const emptyStore = (): Store => ({ slot: 0, meta: new Uint8Array(0), seen: [], commits: 0, isClosed: false });

function durableMachine(store: Store): Machine {
  let seen = [...store.seen];
  let uncommitted = 0;
  return {
    encode: (command) => new TextEncoder().encode(String(command)),
    decode(bytes) {
      const text = new TextDecoder().decode(bytes);
      if (!/^\d+$/.test(text)) throw new TypeError("no number");
      return Number(text);
    },
    apply(command) {
      seen.push(command);
      uncommitted += 1;
      return seen.length;
    },
    query: () => [...seen],
    async *snapshot() {
      yield new TextEncoder().encode(JSON.stringify(seen));
    },
    async restore(chunks) {
      let text = "";
      for await (const chunk of chunks) text += new TextDecoder().decode(chunk);
      seen = JSON.parse(text) as number[];
    },
    durable: {
      held: () => ({ slot: store.slot, meta: store.meta }),
      async commit(slot, meta) {
        const frozen = [...seen];
        uncommitted = 0;
        await Promise.resolve();
        Object.assign(store, { slot, meta, seen: frozen, commits: store.commits + 1 });
      },
      uncommittedBytes: () => uncommitted,
      close: async () => {
        store.isClosed = true;
      },
    },
  };
}

for (const { name, run } of machineContract) {
  if (name.startsWith("a snapshot is of the moment")) continue;
  test(`a durable machine: ${name}`, async () => {
    let store = emptyStore();
    await run({
      make: async () => {
        store = emptyStore();
        return durableMachine(store);
      },
      reopen: async () => durableMachine(store),
      commands: Array.from({ length: 20 }, (_, i) => i),
      describe: async (machine) => JSON.stringify(await machine.query(null)),
    });
  });
}

test("a durable machine goes on from what it held, whatever was committed when power failed", async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const stores = new Map([1, 2, 3].map((id) => [id, emptyStore()]));
    const c = new MemoryCluster({ replicas: 3, machine: (id) => durableMachine(stores.get(id)!), seed });
    await c.startAll();
    const sent: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const commands = Array.from({ length: 30 }, (_, i) => round * 100 + i);
      const at = ((seed + round) % 3) + 1;
      await c.clock.settle(Promise.all(commands.map((command) => c.replica(at).propose(command))));
      sent.push(...commands);
      await c.clock.pass(seed * 23 * (round + 1));
      const victims = round % 2 === 0 ? [at] : c.ids;
      for (const id of victims) await c.crash(id);
      for (const id of victims) await c.start(id);
      for (const id of c.ids) await c.clock.settle(c.replica(id).ready());
    }
    await c.level();
    for (const id of c.ids) {
      const seen = await c.clock.settle(c.replica(id).read(null));
      assert.deepEqual(
        [...seen].sort((a, b) => a - b),
        sent,
        `replica ${id}, seed ${seed}`,
      );
    }
    await c.closeAll();
    for (const store of stores.values()) assert.ok(store.commits > 0 && store.isClosed);
  }
});

test("an orderly stop commits everything: the next start replays nothing", async () => {
  const store = emptyStore();
  const c = new MemoryCluster({ replicas: 1, machine: () => durableMachine(store) });
  await c.startAll();
  for (let i = 0; i < 5; i += 1) await c.clock.settle(c.replica(1).propose(i));
  const { appliedUpTo } = c.replica(1).status();
  await c.closeAll();
  assert.deepEqual([store.slot, store.seen.length], [appliedUpTo, 5]);
  await c.startAll();
  assert.equal(c.replica(1).status().counters.executedCommands, 0);
  assert.deepEqual(await c.clock.settle(c.replica(1).read(null)), [0, 1, 2, 3, 4]);
  await c.closeAll();
});

test("an idle durable machine is committed, with nothing more to wait for", async () => {
  const stores = new Map([1, 2, 3].map((id) => [id, emptyStore()]));
  const c = new MemoryCluster({ replicas: 3, machine: (id) => durableMachine(stores.get(id)!) });
  await c.startAll();
  for (let i = 0; i < 5; i += 1) await c.clock.settle(c.replica(1).propose(i));
  await c.clock.pass(1000);
  for (const store of stores.values()) assert.equal(store.seen.length, 5);
  await c.closeAll();
});
