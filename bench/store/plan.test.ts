// The benchmark of a big store: what it is asked for, and what it reads off the system and off metrics.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { metricOf } from "./member-calls.js";
import { readStorePlan } from "./plan.js";
import { diskBytes, memoryOf, readMemory } from "./process-figures.js";

test("arguments that make no sense are refused with the way out", () => {
  assert.throws(() => readStorePlan([]), /--folder DIR is missing/);
  assert.throws(() => readStorePlan(["--folder", "/nowhere"]), /\/nowhere does not exist/);
  const folder = ["--folder", tmpdir()];
  assert.throws(() => readStorePlan([...folder, "--keys", "many"]), /--keys many is not a number from 100/);
  assert.throws(() => readStorePlan([...folder, "--rate", "0"]), /--rate 0 is not a number from 1/);
  assert.throws(() => readStorePlan(["--folder", "/dev/shm"]), /file system in memory/);
});

test("anonymous and file-backed memory are told apart", async () => {
  const status = "VmHWM:\t  900 kB\nRssAnon:\t  500 kB\nRssFile:\t  200 kB\nRssShmem:\t    3 kB\n";
  assert.deepEqual(memoryOf(status), { anonymous: 512_000, file: 203 * 1024, highest: 900 * 1024 });
  const { anonymous, highest } = await readMemory(process.pid);
  assert.ok(anonymous > 1e6 && highest >= anonymous);
});

test("files count as what they take up, under the first name of their path", async () => {
  const folder = mkdtempSync(join(tmpdir(), "synod-bench-"));
  writeFileSync(join(folder, "a"), new Uint8Array(10_000));
  writeFileSync(join(folder, "b"), new Uint8Array(0));
  const bytes = await diskBytes(folder);
  rmSync(folder, { recursive: true });
  assert.ok(bytes.get("a")! >= 10_000);
  assert.equal(bytes.get("b"), 0);
});

test("a metric is found by its whole name, and summed over its labels", () => {
  const metrics = '# HELP up x\nup 1\nup_total{a="b"} 2\nup_total{a="c d"} 3.5\nlate_seconds 1e-3\n';
  assert.equal(metricOf(metrics, "up"), 1);
  assert.equal(metricOf(metrics, "up_total"), 5.5);
  assert.equal(metricOf(metrics, "late_seconds"), 0.001);
  assert.ok(Number.isNaN(metricOf(metrics, "down")));
});
