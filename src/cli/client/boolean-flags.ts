// Lets a flag without a value be written `--prefix=true` or `--prefix=false`, as Go's programs do.
import type { Command } from "commander";
import { UsageError } from "../failures.js";

const TRUE = /^(?:1|t|T|true|TRUE|True)$/;
const FALSE = /^(?:0|f|F|false|FALSE|False)$/;

/** `args` with `--flag=true` as `--flag` and without `--flag=false`, for the flags of `command` and all below it. */
export function withoutBooleanValues(command: Command, args: readonly string[]): string[] {
  const names = booleanFlags(command);
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  const plain = flags.flatMap((arg) => {
    const [, name, value] = /^(--[a-z-]+)=(.*)$/s.exec(arg) ?? [];
    if (name === undefined || value === undefined || !names.has(name)) return [arg];
    if (TRUE.test(value)) return [name];
    if (FALSE.test(value)) return [];
    const fault = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
    throw new UsageError(`invalid argument ${JSON.stringify(value)} for "${name}" flag: ${fault}`);
  });
  return end < 0 ? plain : [...plain, ...args.slice(end)];
}

function booleanFlags(command: Command): Set<string> {
  const own = command.options.filter((option) => option.isBoolean()).map((option) => option.long ?? "");
  return new Set([...own, ...command.commands.flatMap((below) => [...booleanFlags(below)])]);
}
