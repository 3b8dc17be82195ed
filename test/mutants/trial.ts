// One trial: a scratch copy with or without a planted bug, and a process in it that runs seeds until one breaks.
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Mutant } from "./mutant.js";
import { plant } from "./plant.js";

export interface Verdict {
  /** The seed that broke, and the invariant with its evidence; null: nothing did. */
  readonly seed: number | null;
  readonly violation: string | null;
  /** Why there is no verdict: out of time, or the simulator itself failed; null: there is one. */
  readonly trouble: string | null;
  readonly seconds: number;
}

/** `limit`: seconds after which the process is ended. */
export async function tryOut(
  mutant: Mutant | null,
  first: number,
  last: number,
  limit: number,
): Promise<Verdict> {
  const begun = performance.now();
  const planted = plant(mutant);
  try {
    const { output, isLate, code } = await run(planted.directory, [String(first), String(last)], limit);
    const seconds = (performance.now() - begun) / 1000;
    const none = { seed: null, violation: null, seconds };
    if (isLate) return { ...none, trouble: `no verdict after ${limit} s` };
    if (code !== 0) return { ...none, trouble: `the simulator failed: ${lastLine(output)}` };
    const found = JSON.parse(lastLine(output)) as { seed: number; violation: string | null };
    if (found.violation === null) return { ...none, trouble: null };
    return { seed: found.seed, violation: found.violation, trouble: null, seconds };
  } finally {
    planted.remove();
  }
}

interface Ended {
  readonly output: string;
  readonly isLate: boolean;
  readonly code: number | null;
}

function run(directory: string, seeds: readonly string[], limit: number): Promise<Ended> {
  const program = join(directory, "dist/test/mutants/until-broken.js");
  const child = spawn(process.execPath, [program, ...seeds], { cwd: directory });
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
