// Checks a history from a file, recorded here or elsewhere: docs/history-format.md says what is in it.
import { readFileSync } from "node:fs";
import { checkHistory } from "../../sim/history/check.js";
import { HistoryFormatError, parseHistory } from "../../sim/history/json-lines.js";
import type { HistoryOperation } from "../../sim/history/operation.js";
import { CommandFailed } from "../failures.js";

/** The exit status: 0 linearizable, 1 not, or undecided. Throws `CommandFailed` when there is no history to check. */
export function checkFile(path: string): number {
  const operations = operationsOf(path);
  const { verdict, evidence } = checkHistory(operations);
  console.log(`${verdict}: ${operations.length} operations; ${evidence}`);
  return verdict === "linearizable" ? 0 : 1;
}

function operationsOf(path: string): HistoryOperation[] {
  try {
    return parseHistory(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof HistoryFormatError) throw new CommandFailed(`${path}: ${error.message}`);
    throw new CommandFailed(`the history cannot be read: ${(error as Error).message}`);
  }
}
