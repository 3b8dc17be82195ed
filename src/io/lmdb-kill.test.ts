// A process that applies and commits to lmdb is killed with SIGKILL, again and again: what is there afterwards is
// exactly the state of the slot that the store says, and no slot that was reported as committed is missing.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { KvCommand } from "../kv/commands.js";
import { KvMachine } from "../kv/machine.js";
import { MemoryRecordStore } from "../kv/memory-record-store.js";
import { compact, del, put } from "../kv/requests-for-tests.js";
import { LmdbRecordStore } from "./lmdb-record-store.js";

const PACE = { records: 500, keys: 60, keysPerRecord: 0, chunkKeys: 25 };
const KILLS = 6;

/** The command of a slot: always the same. */
function commandOf(slot: number): KvCommand {
  if (slot % 400 === 399) return compact(slot - 300);
  if (slot % 9 === 0) return del(`key-${slot % 71}`, `key-${(slot % 71) + 1}`);
  return put(`key-${(slot * 31) % 311}`, `value of ${slot}`.repeat(1 + (slot % 40)));
}

async function work(directory: string): Promise<void> {
  const machine = await KvMachine.open(await LmdbRecordStore.open(directory), PACE);
  for (let slot = machine.held().slot + 1; ; slot += 1) {
    machine.apply(commandOf(slot));
    if (slot % 23 !== 0) continue;
    await machine.commit(slot, Buffer.from(`meta of ${slot}`));
    process.stdout.write(`${slot}\n`);
  }
}

async function hashOf(machine: KvMachine): Promise<unknown> {
  return machine.query({ kind: "hash" });
}

/** Runs a worker, kills it after `lines` commits, and returns the last slot that it reported. */
async function workAndKill(directory: string, lines: number): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "work", directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = 0;
  let left = lines;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    left -= 1;
    if (left === 0) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL");
  return last;
}

if (process.argv[2] === "work") {
  await work(process.argv[3]!);
} else {
  test("kill -9 of a process at work loses nothing that was committed, and leaves nothing half done", async () => {
    const directory = await mkdtemp(join(tmpdir(), "synod-kill-"));
    const expected = await KvMachine.open(new MemoryRecordStore());
    let applied = 0;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const reported = await workAndKill(directory, 7 * kill + 3);
      const machine = await KvMachine.open(await LmdbRecordStore.open(directory), PACE);
      const { slot, meta } = machine.held();
      assert.ok(slot >= reported, `slot ${reported} was committed, the store is at ${slot}`);
      assert.equal(Buffer.from(meta).toString(), `meta of ${slot}`);
      while (applied < slot) {
        applied += 1;
        expected.apply(commandOf(applied));
      }
      assert.deepEqual(await hashOf(machine), await hashOf(expected));
      await machine.close();
    }
    await rm(directory, { recursive: true });
  });
}
