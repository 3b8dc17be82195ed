// Writes a file of text, whole or not at all: beside its place first, then moved there.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { CommandFailed } from "../failures.js";

/** Makes the directories above it. Throws `CommandFailed`. */
export function writeText(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new CommandFailed(`${path} cannot be written: ${(error as Error).message}`);
  }
}
