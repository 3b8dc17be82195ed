// Processes of a test, found by a word in their command line that is theirs alone.
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const PROGRAM = `${ROOT}bin/synod.js`;

const POLL_MS = 50;

export interface Running {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves with the line; rejects when the process ends before it comes. */
  line(start: string): Promise<string>;
  /** The exit status, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** What it has written. */
  readonly lines: readonly string[];
}

export function start(program: string, args: readonly string[]): Running {
  const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const each of waiting) each();
  };
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (text) => {
      lines.push(text);
      wake();
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (status, signal) => {
      resolve(status ?? signal ?? 0);
      wake();
    });
  });
  const line = (beginning: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find((text) => text.startsWith(beginning));
        const isOver = child.exitCode !== null || child.signalCode !== null;
        if (found === undefined && !isOver) return;
        waiting.delete(look);
        if (found !== undefined) resolve(found);
        else reject(new Error(`it ended before "${beginning}" came:\n${lines.join("\n")}`));
      };
      waiting.add(look);
      look();
    });
  return { process: child, pid: child.pid!, line, ended, lines };
}

/** Process ids and command lines of those whose command line holds `word`, this process left out. */
export function processesWith(word: string): { pid: number; command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({ pid: Number(name), command: commandLine(name) }))
    .filter(({ command }) => command.includes(word));
}

/** Empty for a process that is gone, or has ended and is not yet waited for. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return "";
    throw error;
  }
}

/** Waits until no process has `word` in its command line. */
export async function allGone(word: string): Promise<void> {
  while (processesWith(word).length > 0) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
