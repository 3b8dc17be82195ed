// `npm run sim` as people use it: a seed as JSON, a trace in columns, a range in workers, and wrong usage.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "../../src/cli/sim/main.js");

function sim(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  return { status, out: stdout, err: stderr };
}

test("one seed is a line of JSON, the same each time and in a worker; a trace has a column for each replica", () => {
  const traced = sim("--seed", "1", "--trace");
  assert.equal(traced.status, 0, traced.err);
  const lines = traced.out.trimEnd().split("\n");
  const outcome = JSON.parse(lines.pop()!);
  assert.match(outcome.hash, /^[0-9a-f]{16}$/);
  assert.equal(outcome.violation, null);
  const plain = sim("--seed", "1");
  assert.deepEqual(JSON.parse(plain.out), outcome);
  const prepare = lines.find((line) => line.includes("> 1,3,4,5 prepare"));
  assert.equal(prepare?.indexOf(">"), 11 + 26, "replica 2 has the second column");
});

test("a history is written, found linearizable when it is read again, and not when it was changed", () => {
  const folder = mkdtempSync(join(tmpdir(), "synod-sim-"));
  try {
    const file = join(folder, "history.jsonl");
    assert.equal(sim("--seed", "2", "--history", file).status, 0);
    const good = sim("--check", file);
    assert.equal(good.status, 0, good.err);
    assert.match(good.out, /^linearizable: \d+ operations/);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const at = lines.findIndex((line) => line.includes('"deleted":1'));
    lines[at] = lines[at]!.replace('"deleted":1', '"deleted":0');
    writeFileSync(file, lines.join("\n"));
    const bad = sim("--check", file);
    assert.equal(bad.status, 1);
    assert.match(bad.out, /^violation: /);
    writeFileSync(file, "{}\n");
    assert.match(sim("--check", file).err, /history\.jsonl: line 1/);
    assert.equal(sim("--check", join(folder, "none")).status, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a seed is saved as a scenario, which is the same run; what is not a scenario is told with its line", () => {
  const folder = mkdtempSync(join(tmpdir(), "synod-sim-"));
  try {
    const file = join(folder, "deep", "one.scenario");
    const seed = sim("--seed", "3", "--save", file, "--shrink", join(folder, "none.scenario"));
    assert.equal(seed.status, 0, seed.err);
    assert.equal(seed.err, "seed 3 breaks nothing: there is nothing to shrink\n");
    assert.deepEqual(sim("--scenario", file), { status: 0, out: seed.out, err: "" });
    writeFileSync(file, readFileSync(file, "utf8").replace("replicas  5", "replicas  many"));
    const bad = sim("--scenario", file);
    assert.deepEqual([bad.status, bad.out], [1, ""]);
    assert.match(bad.err, /one\.scenario: line 4: replicas many: must be a number from 1 to 9\n$/);
    assert.match(sim("--scenario", join(folder, "none")).err, /^Error: the scenario cannot be read: ENOENT/);
    assert.match(sim("--seed", "3", "--save", `${file}/x`).err, /cannot be written/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a range of seeds ends with its counts", () => {
  const { status, out, err } = sim("--seeds", "1-2", "--workers", "2");
  assert.equal(status, 0, err);
  assert.match(out, /^seeds 1-2: 2 in /m);
  assert.match(out, /^2 passed, 0 failed$/m);
});

test("wrong usage: exit status 2 with one sentence and the usage line", () => {
  const cases: [string[], RegExp][] = [
    [[], /give one of --seed N/],
    [["--seed", "x"], /not a whole number/],
    [["--seeds", "5-1"], /not a range of seeds/],
    [["--seed", "1", "--seeds", "1-2"], /give one of/],
    [["--seeds", "1-2", "--trace"], /give one of/],
    [["--seeds", "1-2", "--shrink"], /give one of/],
    [["--seed", "1", "--scenario", "x"], /give one of/],
    [["--hours", "0"], /above 0/],
    [["--hours", "1e400"], /up to 10000/],
    [["--seeds", "1-2", "--workers", "0"], /not a number from 1/],
    [["--seed", "1", "--state"], /give one of/],
    [["--colour"], /unknown option '--colour'/],
  ];
  for (const [args, sentence] of cases) {
    const { status, out, err } = sim(...args);
    assert.deepEqual([status, out], [2, ""], `${args.join(" ")}: ${err}`);
    assert.match(err, sentence);
    assert.equal(err.trimEnd().split("\n").length, 2);
  }
  assert.equal(sim("--help").status, 0);
});
