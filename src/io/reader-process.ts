// Another process that reads a store, which lmdb may end. Rule: an end is a sign of damage only when nothing else
// explains it, for a store that is called damaged is set aside.
import { getHeapStatistics } from "node:v8";

/** What damage of a mapped file ends a process with. */
const SIGNALS_OF_DAMAGE: readonly (string | null)[] = [
  "SIGBUS",
  "SIGSEGV",
  "SIGABRT",
  "SIGILL",
  "SIGTRAP",
  "SIGFPE",
];

/** Flags of Node.js that give it as much memory as this process may use: it needs as much for the same store. */
export function memoryFlags(): string[] {
  return [`--max-old-space-size=${Math.ceil(getHeapStatistics().heap_size_limit / 2 ** 20)}`];
}

/** V8 ends a process that has no memory with the signals of damage, too. */
export function isOutOfMemory(stderr: string): boolean {
  return /JavaScript heap out of memory|Array buffer allocation failed|Cannot allocate memory/.test(stderr);
}

export function isSignalOfDamage(signal: string | null, wasOutOfMemory: boolean): boolean {
  return !wasOutOfMemory && SIGNALS_OF_DAMAGE.includes(signal);
}

/** Why it did not read the store to its end, where that says nothing of the store. */
export function reasonOfEnd(
  signal: string | null,
  status: unknown,
  wasOutOfMemory: boolean,
  stderr: string,
): string {
  if (wasOutOfMemory) {
    return "it has not enough memory: give Node.js more, as with NODE_OPTIONS=--max-old-space-size=8192";
  }
  if (signal === "SIGKILL") return "it was ended by SIGKILL, perhaps because the machine has no memory left";
  return `it ended with ${signal ?? `status ${status}`}: ${stderr.trim().slice(-2_000)}`;
}
