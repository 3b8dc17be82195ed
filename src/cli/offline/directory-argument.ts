// The data directory that `check` and `status` are given: looked at, with what cannot be looked at as a sentence.
import { statSync } from "node:fs";
import { DataDirectoryError } from "../../index.js";
import { type Inspection, inspectDirectory } from "../../io/inspect/inspect-directory.js";
import { CommandFailed, UsageError } from "../failures.js";

/** Throws `UsageError` for what is no directory, `CommandFailed` for one that cannot be looked at. */
export async function inspected(path: string | undefined, isDeep: boolean): Promise<Inspection> {
  if (!path) throw new UsageError("it needs one argument, a data directory");
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new UsageError(`${path}: there is no such directory; give that of --data-dir`);
  if (!found.isDirectory()) throw new UsageError(`${path} is no directory; give that of --data-dir`);
  try {
    return await inspectDirectory(path, isDeep);
  } catch (error) {
    const isOfDisk = error instanceof Error && "syscall" in error;
    if (error instanceof DataDirectoryError || isOfDisk) throw new CommandFailed(error.message);
    throw error;
  }
}

/** The argument, when it is the only one. */
export function onlyArgument(args: readonly string[]): string | undefined {
  if (args.length > 1) throw new UsageError("it takes one argument, a data directory");
  return args[0];
}
