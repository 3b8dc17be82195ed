// Entry of `bin/synod.js`.
import { readFileSync } from "node:fs";
import { exactArguments } from "./client/standard-input.js";
import { runProgram } from "./program.js";

const args = exactArguments(process.argv.slice(2), () => readFileSync("/proc/self/cmdline"));
const isServer = args[0] === "serve" || args[0] === "dev";

// The reader of a pipe may close it early (`synod get --prefix a | head -1`): nobody is left to be told. A
// server goes on without its reader.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (!isServer) process.exit(error.code === "EPIPE" ? 0 : 1);
});

const status = await runProgram(args);
// What a server has not let go of (a channel, a socket of a peer) must not keep it; a client's last output must go out.
if (isServer) process.exit(status);
process.exitCode = status;
