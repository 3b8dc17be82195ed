// `synod serve`: its flags, and their checks before anything runs.
import { Command } from "commander";
import { checkMachine } from "./preflight.js";
import { planServe } from "./serve-plan.js";
import { SETTINGS, TLS_SETTINGS } from "./settings.js";
import { gatherSettings } from "./settings-sources.js";

const SERVE_HELP = `
Alone, it is a cluster of one member on localhost. Every flag may also be an environment variable
(SYNOD_DATA_DIR for --data-dir) or a line in the YAML file of --config-file (data-dir: ...); a flag
goes before a variable, that before the file. The members' names in order give the replica ids.

SIGTERM and SIGINT hand leadership over, finish what is under way and end it; a second SIGINT ends it
at once. It listens without TLS: keep its ports within a network that you trust.`;

export function serveCommand(): Command {
  const command = new Command("serve").description("Runs one member of a cluster").usage("[options]");
  for (const { name, placeholder, description, standard } of SETTINGS) {
    const suffix = standard === "" ? "" : ` (default: ${standard})`;
    command.option(`--${name} <${placeholder}>`, description + suffix);
  }
  command.option("--config-file <file>", "YAML with the same names");
  // Known so that they are refused with the reason instead of as unknown.
  for (const name of TLS_SETTINGS) command.addOption(command.createOption(`--${name} [value]`).hideHelp());
  command.addHelpText("after", SERVE_HELP);
  return command.action(async () => {
    const plan = planServe(gatherSettings(givenFlags(command), process.env));
    await checkMachine(plan);
    // Only now what a server needs, so that the client commands start fast.
    const { runMember } = await import("./run-member.js");
    await runMember(plan);
  });
}

function givenFlags(command: Command): Map<string, string> {
  const given = command.options.filter(
    (option) => command.getOptionValue(option.attributeName()) !== undefined,
  );
  return new Map(
    given.map((option) => [option.long!.slice(2), String(command.getOptionValue(option.attributeName()))]),
  );
}
