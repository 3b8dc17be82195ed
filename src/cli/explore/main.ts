// `npm run explore`: walks every interleaving of small configurations of the real core, one line for each, and stops
// with a shortest counter-example (exit status 1) when an invariant breaks. Wrong usage: exit status 2.
import { Command, CommanderError } from "commander";
import {
  CONFIGURATIONS,
  type Configuration,
  SMALL_CONFIGURATIONS,
} from "../../sim/explore/configurations.js";
import { explore } from "../../sim/explore/search.js";
import { UsageError } from "../failures.js";

const KNOWN = [...CONFIGURATIONS, ...SMALL_CONFIGURATIONS];

const HELP = `
Configurations:
${KNOWN.map(({ name, what }) => `  ${name.padEnd(30)}${what}`).join("\n")}
  ${"all".padEnd(30)}the first three, one after the other

Every action is a step of the code that runs in production; the invariants are checked after each one.`;

function chosenConfigurations(name: string): readonly Configuration[] {
  if (name === "all") return CONFIGURATIONS;
  const found = KNOWN.find((configuration) => configuration.name === name);
  if (found === undefined) {
    throw new UsageError(`there is no configuration ${name}: ${KNOWN.map((k) => k.name).join(", ")} or all`);
  }
  return [found];
}

/** Whether all its states are well. */
function run({ name, space }: Configuration, isQuiet: boolean): boolean {
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  let peak = 0;
  const result = explore(space(), {
    onLevel: (states, depth) => {
      peak = Math.max(peak, process.memoryUsage().rss);
      if (!isQuiet)
        process.stderr.write(`\r${name}: depth ${depth}, ${states} states, ${seconds().toFixed(0)} s`);
    },
  });
  if (!isQuiet) process.stderr.write("\n");
  const took = seconds();
  const rate = Math.round(result.states / took);
  const figures = `${result.states} states, depth ${result.depth}, ${took.toFixed(1)} s, ${rate} states/s`;
  console.log(`${name}: ${figures}, ${Math.round(peak / 2 ** 20)} MB`);
  if (result.counterExample === null) return true;
  const { what, lines } = result.counterExample;
  console.log(`broken: ${what}`);
  for (const [at, line] of lines.entries()) console.log(`${String(at + 1).padStart(4)}  ${line}`);
  return false;
}

function main(args: readonly string[]): number {
  const command = new Command("explore")
    .description("Walks every interleaving of small configurations of the core")
    .usage("[options]")
    .option("--config <name>", "what to walk", "all")
    .option("--quiet", "no progress on standard error", !process.stderr.isTTY)
    .addHelpText("after", HELP)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  try {
    command.parse(args, { from: "user" });
    const { config, quiet } = command.opts<{ config: string; quiet: boolean }>();
    for (const configuration of chosenConfigurations(config)) if (!run(configuration, quiet)) return 1;
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (!(error instanceof CommanderError || error instanceof UsageError)) throw error;
    console.error(`explore: ${error.message.replace(/^error: /, "")}`);
    return 2;
  }
}

process.exitCode = main(process.argv.slice(2));
