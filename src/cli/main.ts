// Entry of `bin/synod.js`.
import { readFileSync } from "node:fs";
import { exactArguments } from "./client/standard-input.js";
import { runProgram } from "./program.js";

// The reader of a pipe may close it early (`synod get --prefix a | head -1`): nobody is left to be told.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const args = exactArguments(process.argv.slice(2), () => readFileSync("/proc/self/cmdline"));
process.exitCode = await runProgram(args);
