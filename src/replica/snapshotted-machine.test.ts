// A volatile machine with snapshot files is a durable one, whatever of the files is damaged and whenever it ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { name } from "../../test/support/snapshot-samples.js";
import { endings, stopEverywhere } from "../../test/support/stopping-disk.js";
import { machineContract } from "../machine/contract.js";
import { jsonMachine } from "../machine/json-machine.js";
import type { StateMachine } from "../machine/machine.js";
import type { Disk } from "../wal/disk.js";
import { MemoryDisk } from "../wal/memory-disk.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { SnapshottedMachine } from "./snapshotted-machine.js";

interface Account {
  readonly to: string;
  readonly add: number;
}

type Accounts = StateMachine<Account, number, string | null, number | string>;

function accounts(): Accounts {
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

async function open(disk: Disk) {
  return SnapshottedMachine.open(accounts(), await SnapshotFiles.open(disk));
}

for (const { name, run } of machineContract) {
  test(`a JSON machine with snapshots: ${name}`, () => {
    const disks = new Map<Accounts, MemoryDisk>();
    const opened = async (disk: MemoryDisk) => {
      const machine = await open(disk);
      disks.set(machine, disk);
      return machine;
    };
    return run<Account, number, string | null, number | string>({
      make: () => opened(new MemoryDisk()),
      reopen: (machine) => {
        const disk = disks.get(machine)!;
        disk.crash();
        return opened(disk);
      },
      commands: Array.from({ length: 40 }, (_, i) => ({ to: `ü${i % 7}`, add: i })),
      describe: async (machine) => String(await machine.query(null)),
    });
  });
}

/** Applies one command in each slot up to `to`. */
function run(machine: Accounts, from: number, to: number): void {
  for (let slot = from; slot <= to; slot += 1) {
    machine.apply(machine.decode(machine.encode({ to: `a${slot}`, add: slot })), slot);
  }
}

async function stateAt(slot: number): Promise<unknown> {
  const machine = accounts();
  run(machine, 1, slot);
  return machine.query(null);
}

/** What is held, and that the state is the one of that slot. */
async function heldOn(disk: Disk): Promise<number> {
  const machine = await open(disk);
  const { slot, meta } = machine.held();
  assert.equal(await machine.query(null), await stateAt(slot));
  assert.deepEqual([...meta], slot === 0 ? [] : [slot]);
  return slot;
}

async function committed(...slots: readonly number[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const machine = await open(disk);
  let at = 0;
  for (const slot of slots) {
    run(machine, at + 1, slot);
    at = slot;
    await machine.commit(slot, Uint8Array.of(slot));
  }
  await machine.close();
  return disk.copy();
}

test("two snapshots are kept, and the log is needed from the older one on", async () => {
  const disk = new MemoryDisk();
  const machine = await open(disk);
  assert.deepEqual([machine.secondSlot, machine.held().slot], [0, 0]);
  for (const [slot, second] of [
    [3, 0],
    [5, 3],
    [9, 5],
  ] as const) {
    run(machine, machine.held().slot + 1, slot);
    await machine.commit(slot, Uint8Array.of(slot));
    assert.deepEqual([machine.secondSlot, machine.held().slot], [second, slot]);
  }
  assert.deepEqual(disk.names(), [name(5), name(9)]);
  assert.equal((await open(disk)).secondSlot, 5);
});

test("the end at any step of a commit leaves the state before or after it, with its slot", async () => {
  const old = await committed(3, 5);
  const seen = new Set<number>();
  await stopEverywhere({
    before: async () => old.copy(),
    run: async (disk) => {
      const machine = await open(disk);
      run(machine, 6, 9);
      await machine.commit(9, Uint8Array.of(9));
    },
    check: async (disk, isDone) => {
      const slot = await heldOn(disk);
      assert.ok(slot === 9 || (slot === 5 && !isDone), `slot ${slot}`);
      seen.add(slot);
      disk.crash();
      assert.equal(await heldOn(disk), slot);
      // The one before is there as well.
      const second = (await open(disk)).secondSlot;
      assert.ok(slot === 9 ? second === 5 : second === 3, `${second} before ${slot}`);
    },
    endings: endings(8),
  });
  assert.deepEqual([...seen].sort(), [5, 9]);
});

test("a damaged newest snapshot is put aside, and the one before is taken; without any the machine is empty", async () => {
  const whole = await committed(5, 9);
  const length = whole.bytesOf(name(9)).length;
  for (let at = 0; at < length; at += 13) {
    const disk = whole.copy();
    const bytes = disk.bytesOf(name(9));
    bytes[at] = bytes[at]! ^ 32;
    assert.equal(await heldOn(disk), 5);
    assert.deepEqual(disk.names(), [name(5), name(9, ".damaged")]);
    const older = disk.bytesOf(name(5));
    older[older.length - 1] = older[older.length - 1]! ^ 32;
    assert.equal(await heldOn(disk), 0);
  }
});

test("damage at the end of a large state: nothing of it is restored", async () => {
  const disk = new MemoryDisk();
  const machine = await open(disk);
  machine.apply({ to: "x".repeat(600_000), add: 1 }, 1);
  await machine.commit(1, Uint8Array.of(1));
  const bytes = disk.bytesOf(name(1));
  bytes[bytes.length - 1]! ^= 1;
  assert.equal(await heldOn(disk), 0);
});

test("damage that comes between the check and the end of the restoring", async () => {
  for (const isLast of [false, true]) {
    const disk = await committed(...(isLast ? [9] : [5, 9]));
    const machine = accounts();
    let restored = 0;
    const rots: Accounts = {
      ...machine,
      async restore(chunks) {
        restored += 1;
        if (restored === 1) disk.bytesOf(name(9))[600]! ^= 1;
        await machine.restore(chunks);
      },
    };
    const opening = SnapshottedMachine.open(rots, await SnapshotFiles.open(disk));
    if (isLast) await assert.rejects(opening, /0009 is damaged/);
    else assert.equal((await opening).held().slot, 5);
    assert.equal(await heldOn(disk), isLast ? 0 : 5);
  }
});

test("what the machine itself does not take is its error, and no damage", async () => {
  const disk = await committed(9);
  const refuses: Accounts = { ...accounts(), restore: () => Promise.reject(new Error("of another program")) };
  await assert.rejects(
    SnapshottedMachine.open(refuses, await SnapshotFiles.open(disk)),
    /of another program/,
  );
  assert.equal(await heldOn(disk), 9);
});

test("bytes count as uncommitted from the moment of the commit on", async () => {
  const machine = await open(new MemoryDisk());
  const one = machine.encode({ to: "a1", add: 1 }).length;
  run(machine, 1, 2);
  assert.equal(machine.uncommittedBytes(), 2 * one);
  const commit = machine.commit(2, new Uint8Array(0));
  run(machine, 3, 3);
  assert.equal(machine.uncommittedBytes(), one);
  assert.equal(machine.held().slot, 0, "not durable yet");
  await commit;
  assert.equal(machine.uncommittedBytes(), one);
});

test("closing waits for a commit under way", async () => {
  const disk = new MemoryDisk();
  const machine = await open(disk);
  run(machine, 1, 4);
  void machine.commit(4, Uint8Array.of(4));
  await machine.close();
  assert.equal(await heldOn(disk), 4);
});
