// Has a store that may end whoever opens it read by another process first. Only where the life before gives cause.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { DAMAGED_STATUS } from "./lmdb-check.js";

const PROGRAM = fileURLToPath(new URL("./lmdb-check.js", import.meta.url));
/** In a damaged tree lmdb may go round in circles. */
const SILENT_MS = 60_000;
/** What damage of a mapped file ends a process with. */
const SIGNALS_OF_DAMAGE: readonly (string | null)[] = [
  "SIGBUS",
  "SIGSEGV",
  "SIGABRT",
  "SIGILL",
  "SIGTRAP",
  "SIGFPE",
];

/** What is wrong with the store in `directory`; null: nothing. Rejects when that cannot be found out. */
export function checkInChild(
  directory: string,
  program = PROGRAM,
  silentMs = SILENT_MS,
): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    let complaint = "";
    let isSilent = false;
    const giveUp = () => {
      isSilent = true;
      child.kill("SIGKILL");
    };
    let timer = setTimeout(giveUp, silentMs);
    child.stdout.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
      clearTimeout(timer);
      timer = setTimeout(giveUp, silentMs);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-2_000);
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve(null);
      else if (status === DAMAGED_STATUS) resolve(said.trim().split("\n").at(-1)!);
      else if (isSilent) resolve("it cannot be read to its end");
      else if (SIGNALS_OF_DAMAGE.includes(signal)) resolve(`a process that read it was ended by ${signal}`);
      else {
        const end = signal ?? `status ${status}`;
        reject(new Error(`the check of ${directory} ended with ${end}: ${complaint.trim()}; start again`));
      }
    });
  });
}
