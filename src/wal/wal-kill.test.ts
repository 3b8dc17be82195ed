// A real process that appends through the log to a real disk, killed with SIGKILL: what it said was proven is there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { quiet, readAll, WalLife } from "../../test/support/wal-life.js";
import { NodeDisk } from "../io/node-disk.js";

const path = await mkdtemp(join(tmpdir(), "synod-kill-"));
after(() => rm(path, { recursive: true }));

/** Appends slot after slot from `argv[2]` on, two turns under way, and prints each turn that is proven. */
const program = `
import { NodeDisk } from ${JSON.stringify(new URL("../io/node-disk.js", import.meta.url))};
import { Wal } from ${JSON.stringify(new URL("./wal.js", import.meta.url))};
const first = Number(process.argv[2]);
const clock = { now: () => performance.now(), at: (at, task) => setTimeout(task, at - performance.now()),
  cancel: clearTimeout, soon: setImmediate };
const value = (slot) => new TextEncoder().encode(slot + ":" + "x".repeat(slot * 37 % 3000));
let turn = 0;
let wal = null;
const next = () => {
  turn += 1;
  const slot = first + turn - 1;
  const records = [{ kind: "accepted", slot, ballot: 65537, value: value(slot) }];
  if (slot > 1) records.push({ kind: "chosen", upTo: slot - 1 });
  wal.append(turn, 65537, records, true);
};
const opened = await Wal.open(await NodeDisk.open(process.argv[1]), {
  segmentBytes: 256 * 1024, clock,
  onSynced: (proof) => { process.stdout.write(first + proof.turn - 1 + "\\n"); while (turn < proof.turn + 3) next(); },
  onFailed: (error) => { throw error; },
});
wal = opened.wal;
next();`;

/** A real disk takes its time. */
async function synced(life: WalLife): Promise<void> {
  while (life.provenTurn < life.turn) {
    assert.deepEqual(life.failures, []);
    await quiet();
  }
}

test("kill -9, again and again: everything proven is recovered, in order, whole", async () => {
  let known = 0;
  for (let cycle = 0; cycle < 4; cycle += 1) {
    const writer = spawn(process.execPath, ["--input-type=module", "-e", program, path, `${known + 1}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    await new Promise<void>((resolve) => {
      writer.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
        if (output.split("\n").length > 150 + cycle * 40) resolve();
      });
    });
    writer.kill("SIGKILL");
    await once(writer, "close");
    const proven = Number(output.split("\n").at(-2));
    const disk = await NodeDisk.open(path);
    const life = await WalLife.open(disk, { segmentBytes: 256 * 1024 });
    assert.deepEqual(life.recovered.faulty, []);
    const chosen = await readAll(life.wal);
    const all = [...chosen, ...life.recovered.accepted.map(({ slot }) => `${slot}=vote`)];
    assert.ok(all.length >= proven, `${all.length} of ${proven} are there`);
    chosen.forEach((entry, at) => {
      assert.equal(entry, `${at + 1}=${at + 1}:${"x".repeat(((at + 1) * 37) % 3000)}`);
    });
    known = all.length;
    life.append([{ kind: "chosen", upTo: known }]);
    await synced(life);
    // Closed in good order in one cycle, left as it is in the next.
    if (cycle % 2 === 0) await life.wal.close();
  }
});
