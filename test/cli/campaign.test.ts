// A campaign that is stopped goes on where it was, with the same sums in the end; and its state is not taken for that
// of another campaign, or of other code.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "../../src/cli/sim/main.js");

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function sim(...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: "utf8" });
  return { status, out: stdout, err: stderr };
}

/** Runs it until its state tells of a seed that has ended, then sends it `signal`. */
async function stopped(signal: "SIGKILL" | "SIGINT", file: string, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, ...args, "--state", file]);
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  while (!existsSync(file) || JSON.parse(readFileSync(file, "utf8")).sums.seeds === 0) {
    assert.equal(child.exitCode, null, out);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill(signal);
  return { status: await ended, out, err: "" };
}

async function inFolder(run: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "synod-campaign-"));
  try {
    await run(join(folder, "campaign.json"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const COUNTS = /^(?:operations|least of a seed|longest|faults|reached).*$|^events: \d+|^\d+ passed.*$/gm;

test("a campaign that was killed goes on, and ends as if it had not been", () =>
  inFolder(async (file) => {
    const range = ["--seeds", "1-6", "--workers", "1"];
    await stopped("SIGKILL", file, ...range);
    const rest = sim(...range, "--state", file);
    assert.equal(rest.status, 0, rest.err);
    assert.match(rest.out, /^goes on after [1-6] seeds, of /);
    assert.match(rest.out, /^seeds 1-6: 6 in /m);
    assert.deepEqual(rest.out.match(COUNTS), sim(...range).out.match(COUNTS));
  }));

test("a campaign that is interrupted ends with its summary, and tells how it goes on", () =>
  inFolder(async (file) => {
    const { status, out } = await stopped("SIGINT", file, "--hours", "1", "--workers", "2");
    assert.equal(status, 130, out);
    assert.match(out, /^\d+ passed, 0 failed\nstopped; the same command goes on from .*campaign\.json\n$/m);
    const { last, next, open, sums } = JSON.parse(readFileSync(file, "utf8"));
    assert.equal(last, null);
    assert.equal(open.length, 2);
    assert.ok(sums.seeds >= 1 && next > 1_700_000_000_000);
    const more = sim("--hours", "0.0001", "--workers", "1", "--state", file);
    assert.equal(more.status, 0, more.err);
    assert.match(more.out, new RegExp(`^goes on after ${sums.seeds} seeds, of `));
  }));

test("a state of other seeds, of other code, or that is none, is refused in one sentence", () =>
  inFolder(async (file) => {
    assert.equal(sim("--seeds", "1-1", "--workers", "1", "--state", file).status, 0);
    const refused = (...args: string[]): string => {
      const { status, out, err } = sim(...args, "--state", file);
      assert.deepEqual([status, out], [1, ""]);
      return err;
    };
    assert.match(refused("--seeds", "1-2"), /^Error: .* is the state of seeds 1-1, not of seeds 1-2\n$/);
    assert.match(refused("--hours", "1"), /is the state of seeds 1-1, not of as many seeds as there is time/);
    const text = readFileSync(file, "utf8");
    const build = (JSON.parse(text) as { build: string }).build;
    writeFileSync(file, text.replace(build, "0000000000000000"));
    assert.match(refused("--seeds", "1-1"), /is the state of a campaign on other code.*; remove it, or name/);
    for (const wrong of ["{}", '"x"', text.replace('"broken": []', '"broken": {}')]) {
      writeFileSync(file, wrong);
      assert.match(refused("--seeds", "1-1"), /^Error: .* is not the state of a campaign\n$/);
    }
    writeFileSync(file, "{");
    assert.match(refused("--seeds", "1-1"), /^Error: the state of the campaign cannot be read: /);
    const shown = sim("--seed", "1", "--state", file);
    assert.deepEqual([shown.status, shown.out], [2, ""]);
  }));
