// Has a store that may end whoever opens it read by another process first. Only where the life before gives cause.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UnknownStoreFormat } from "../kv/record-store.js";
import { DataDirectoryError } from "../wal/data-directory-error.js";
import { DAMAGED_STATUS, UNKNOWN_STATUS } from "./lmdb-check.js";
import { isOutOfMemory, isSignalOfDamage, memoryFlags, reasonOfEnd } from "./reader-process.js";

const PROGRAM = fileURLToPath(new URL("./lmdb-check.js", import.meta.url));
/** In a damaged tree lmdb may go round in circles. */
const SILENT_MS = 60_000;
/** Time in which this process stood still counts as one part of it. */
const PARTS = 60;

/**
 * What is wrong with the store in `directory`; null: nothing. Rejects with `UnknownStoreFormat`, and with
 * `DataDirectoryError` where nobody knows.
 */
export function checkInChild(
  directory: string,
  program = PROGRAM,
  silentMs = SILENT_MS,
): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const args = [...memoryFlags(), program, directory];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    let complaint = "";
    let wasOutOfMemory = false;
    let silentParts = 0;
    const timer = setInterval(() => {
      silentParts += 1;
      if (silentParts === PARTS) child.kill("SIGKILL");
    }, silentMs / PARTS);
    child.stdout.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
      silentParts = 0;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      complaint += chunk.toString();
      wasOutOfMemory ||= isOutOfMemory(complaint);
      complaint = complaint.slice(-2_000);
    });
    child.on("error", (error) => {
      clearInterval(timer);
      reject(error);
    });
    child.on("close", (status, signal) => {
      clearInterval(timer);
      if (status === 0) resolve(null);
      else if (status === DAMAGED_STATUS) resolve(lastLineOf(said));
      else if (status === UNKNOWN_STATUS) reject(new UnknownStoreFormat(lastLineOf(said)));
      else if (silentParts >= PARTS) resolve("it cannot be read to its end");
      else if (isSignalOfDamage(signal, wasOutOfMemory))
        resolve(`a process that read it was ended by ${signal}`);
      else {
        const reason = reasonOfEnd(signal, status, wasOutOfMemory, complaint);
        reject(
          new DataDirectoryError(
            `a process that was to check ${directory} did not get to its end, ${reason}; nothing was changed: start again`,
          ),
        );
      }
    });
  });
}

function lastLineOf(text: string): string {
  return text.trim().split("\n").at(-1)!;
}
