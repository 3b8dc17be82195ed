// The program `synod`: its commands, and what becomes of an error: a sentence, and exit status 1 or 2.
import { Command, CommanderError } from "commander";
import { API_CLUSTER_VERSION, packageVersion } from "../etcd/version.js";
import { withoutBooleanValues } from "./client/boolean-flags.js";
import { addClusterCommands } from "./client/cluster-commands.js";
import { addKvCommands } from "./client/kv-commands.js";
import { addClientFlags } from "./client/session.js";
import { devCommand } from "./dev/dev-command.js";
import { CommandFailed, UsageError } from "./failures.js";
import { checkCommand } from "./offline/check-command.js";
import { statusCommand } from "./offline/status-command.js";
import { serveCommand } from "./serve/serve-command.js";
import { addSnapshotCommands } from "./snapshot/snapshot-commands.js";

export function buildProgram(): Command {
  const program = new Command("synod")
    .description("A linearizable key-value cluster on Multi-Paxos that speaks etcd's v3 API")
    .usage("<command> [options]")
    .helpCommand(true);
  addClientFlags(program);
  addKvCommands(program);
  addClusterCommands(program);
  addSnapshotCommands(program);
  const version = `synod version: ${packageVersion()}\nAPI version: ${API_CLUSTER_VERSION.replace(/\.\d+$/, "")}`;
  program.version(version, "--version", "prints the version of synod");
  program.addCommand(
    new Command("version").description("Prints the version of synod").action(() => console.log(version)),
  );
  for (const command of SERVER_COMMANDS.map((make) => make())) {
    program.addCommand(command.hook("preAction", () => refuseClientFlags(program)));
  }
  program.addCommand(checkCommand().hook("preAction", () => refuseClientFlags(program)));
  program.addCommand(statusCommand().hook("preAction", () => refuseClientFlags(program, "write-out")));
  quieten(program);
  return program;
}

const SERVER_COMMANDS = [serveCommand, devCommand];

/** The program's own flags are those of the client commands; commander takes them anywhere. */
function refuseClientFlags(program: Command, taken = ""): void {
  for (const option of program.options) {
    if (program.getOptionValueSource(option.attributeName()) !== "cli") continue;
    if (option.long === `--${taken}`) continue;
    throw new UsageError(`unknown flag: ${option.long}`);
  }
}

/** Errors are thrown and written in one place, here. */
function quieten(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} });
  for (const below of command.commands) quieten(below);
}

/** The exit status; an error has been told on standard error. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync(withoutBooleanValues(program, args), { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(program, args, error);
  }
}

function report(program: Command, args: readonly string[], error: unknown): number {
  if (error instanceof CommandFailed) {
    console.error(`Error: ${error.message}`);
    return 1;
  }
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  if (!(error instanceof UsageError) && !(error instanceof CommanderError)) throw error;
  const command = commandOf(program, args);
  // Commander shows the help itself when a command stands alone that needs another one.
  if (error instanceof CommanderError && error.code === "commander.help") return 2;
  console.error(`Error: ${usageText(error)}`);
  console.error(`Usage: ${pathOf(command)} ${command.usage()}`);
  return 2;
}

/** Commander's sentence in etcdctl's words. */
function usageText(error: Error): string {
  return error.message
    .replace(/^error: /, "")
    .replace(/^unknown option '([^']*)'/, "unknown flag: $1")
    .replace(/^unknown command '([^']*)'/, 'unknown command "$1" for "synod"')
    .replace(/^option '(?:-\w, )?(--[\w-]+)[^']*' argument missing/, "flag needs an argument: $1")
    .replaceAll(/\n\s*/g, " ");
}

/** The command that the arguments name, as far as they do. */
function commandOf(program: Command, args: readonly string[]): Command {
  let command = program;
  for (const arg of args) {
    const below = command.commands.find((one) => one.name() === arg);
    if (below !== undefined) command = below;
  }
  return command;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
