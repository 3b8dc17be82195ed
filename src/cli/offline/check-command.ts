// `synod check DIR`: whether a data directory can be started on, and what is wrong with it; it changes nothing.
import { Command } from "commander";
import type { Finding } from "../../io/inspect/inspect-directory.js";
import { inspected, onlyArgument } from "./directory-argument.js";

const HELP = `
A line for each thing that is wrong: file, offset, and what it means. The last line is "ok", or how many
there are. Exit status 0: nothing is wrong; 1: something is, or the directory is in use; 2: there is no
such directory. The store is read in a copy, which takes its room under $TMPDIR for a while.`;

export function checkCommand(): Command {
  const command = new Command("check")
    .description("Verifies the data directory of a member that is stopped")
    .usage("<dir>")
    .argument("[dir]")
    .allowExcessArguments()
    .addHelpText("after", HELP);
  return command.action(async () => {
    const found = await inspected(onlyArgument(command.args), true);
    for (const note of found.notes) console.log(`note: ${lineOf(note)}`);
    for (const finding of found.findings) console.log(lineOf(finding));
    const count = found.findings.length;
    console.log(count === 0 ? "ok" : `${count} ${count === 1 ? "finding" : "findings"}`);
    if (count > 0) process.exitCode = 1;
  });
}

function lineOf({ file, offset, text }: Finding): string {
  return `${file}${offset === null ? "" : `, offset ${offset}`}: ${text}`;
}
