// One trial: a scratch copy with or without a planted bug, and a process in it that runs the campaign on it.
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Mutant } from "./mutant.js";
import { plant } from "./plant.js";
import type { Found } from "./until-broken.js";

/** The same for every planted bug. */
export interface Campaign {
  readonly walks: number;
  readonly firstSeed: number;
  readonly lastSeed: number;
}

export interface Verdict extends Found {
  /** Why there is no verdict: out of time, or the simulator itself failed; null: there is one. */
  readonly trouble: string | null;
  readonly seconds: number;
}

/** `limit`: seconds after which the process is ended. */
export async function tryOut(mutant: Mutant | null, campaign: Campaign, limit: number): Promise<Verdict> {
  const begun = performance.now();
  const planted = plant(mutant);
  try {
    const { output, isLate, code } = await run(planted.directory, campaign, limit);
    const seconds = (performance.now() - begun) / 1000;
    const none = { by: null, violation: null, seconds };
    if (isLate) return { ...none, trouble: `no verdict after ${limit} s` };
    if (code !== 0) return { ...none, trouble: `the simulator failed: ${lastLine(output)}` };
    return { ...(JSON.parse(lastLine(output)) as Found), trouble: null, seconds };
  } finally {
    planted.remove();
  }
}

interface Ended {
  readonly output: string;
  readonly isLate: boolean;
  readonly code: number | null;
}

function run(directory: string, { walks, firstSeed, lastSeed }: Campaign, limit: number): Promise<Ended> {
  const program = join(directory, "dist/test/mutants/until-broken.js");
  const child = spawn(process.execPath, [program, ...[walks, firstSeed, lastSeed].map(String)], {
    cwd: directory,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, limit * 1000);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ output, isLate, code });
    });
  });
}

function lastLine(output: string): string {
  return output.trimEnd().split("\n").at(-1) ?? "";
}
