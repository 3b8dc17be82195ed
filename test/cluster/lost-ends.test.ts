// Whose log lost its end cannot say what it voted for in slots that are still free (A4). Where too many cannot, nobody
// may lead: the cluster waits, shows nothing and says why, and goes on by itself where another's word is enough.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { ruinEnd } from "../../src/sim/disk-damage.js";
import { MemoryCluster } from "../support/memory-cluster.js";

const machine = () =>
  jsonMachine({
    initial: { count: 0 },
    apply: (state, { add }: { add: number }) => {
      state.count += add;
      return state.count;
    },
    query: ({ count }, _query: "count") => count,
  });

/** Three commands are executed; then all lose their power, and `bad` the last sector of their logs. */
async function endsLostAt(...bad: readonly number[]) {
  const c = new MemoryCluster({ replicas: 3, machine });
  await c.startAll();
  for (let i = 0; i < 3; i += 1) await c.clock.settle(c.replica(1).propose({ add: 1 }));
  await c.level();
  await c.clock.pass(1000);
  for (const id of c.ids) await c.crash(id, false);
  for (const id of bad) ruinEnd(c.disks.get(id)!);
  return c;
}

const LEAD = 20_000;

test("the ends of all logs are lost: nobody leads, and all who stand in vain say from which slot on", async () => {
  const c = await endsLostAt(1, 2, 3);
  for (const id of c.ids) await c.start(id);
  await c.clock.pass(LEAD);
  for (const id of c.ids) {
    const { alarms, role, leader } = c.replica(id).status();
    assert.deepEqual([role, leader], ["follower", 0], `replica ${id}`);
    assert.equal(alarms.length, 1);
    assert.match(
      alarms[0]!,
      /^what was in slots from \d+ on is lost, for the ends of too many logs are damaged: restore the cluster from a backup; /,
    );
    assert.ok(c.faults(id).includes(alarms[0]!));
  }
});

test("one end is lost and one replica is away: that one is named; when it comes all goes on, and no alarm is left", async () => {
  const c = await endsLostAt(1);
  for (const id of [1, 2]) await c.start(id);
  await c.clock.pass(LEAD);
  for (const id of [1, 2]) {
    const [alarm, ...more] = c.replica(id).status().alarms;
    assert.match(
      alarm!,
      /^what is in slots from \d+ on cannot be told, for ends of logs are damaged: start replica 3; until then nobody leads$/,
    );
    assert.deepEqual(more, []);
  }
  await c.start(3);
  assert.equal(await c.clock.settle(c.replica(1).propose({ add: 1 })), 4);
  await c.level();
  for (const id of c.ids) assert.deepEqual(c.replica(id).status().alarms, []);
});
