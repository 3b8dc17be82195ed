// Where settings come from. A flag goes before the environment, that before the file, that before the default.
import { readFileSync } from "node:fs";
import { parse, YAMLParseError } from "yaml";
import { CommandFailed, UsageError } from "../failures.js";
import {
  environmentName,
  type Given,
  SETTINGS,
  type SettingName,
  type Settings,
  settingName,
  TLS_FILE_KEYS,
  TLS_SETTINGS,
  tlsRefusal,
} from "./settings.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** `flags` by name, without dashes. Throws UsageError, naming the setting, or CommandFailed for an unreadable file. */
export function gatherSettings(flags: ReadonlyMap<string, string>, environment: Environment): Settings {
  for (const name of TLS_SETTINGS) {
    if (flags.has(name)) throw new UsageError(tlsRefusal(`--${name}`));
    if (environment[environmentName(name)]) throw new UsageError(tlsRefusal(environmentName(name)));
  }
  const path = flags.get("config-file") ?? environment[environmentName("config-file")];
  const settings = new Map<SettingName, Given>(path ? readSettingsFile(path) : []);
  for (const { name } of SETTINGS) {
    const variable = environmentName(name);
    const fromEnvironment = environment[variable];
    const flag = flags.get(name);
    if (flag !== undefined) settings.set(name, { text: flag, source: `--${name}` });
    // An empty variable is none, as in etcd.
    else if (fromEnvironment) settings.set(name, { text: fromEnvironment, source: variable });
  }
  return settings;
}

function readSettingsFile(path: string): Map<SettingName, Given> {
  const settings = new Map<SettingName, Given>();
  for (const [key, value] of Object.entries(parseFile(path))) {
    const source = `${key} in ${path}`;
    if (TLS_SETTINGS.includes(key) || (TLS_FILE_KEYS.includes(key) && !isEmptySection(value))) {
      throw new UsageError(tlsRefusal(source));
    }
    if (TLS_FILE_KEYS.includes(key)) continue;
    const name = settingName(key);
    if (name === undefined) {
      const known = SETTINGS.map((setting) => setting.name).join(", ");
      throw new UsageError(`${source}: there is no such setting; it may hold ${known}`);
    }
    const text = settingText(value);
    if (text === null) throw new UsageError(`${source}: give a text or a number`);
    if (text !== "") settings.set(name, { text, source });
  }
  return settings;
}

function parseFile(path: string): object {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new CommandFailed(`--config-file ${path} cannot be read: ${(error as Error).message}`);
  }
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new UsageError(
      `--config-file ${path} is no YAML: ${error.message.split("\n", 1)[0]?.replace(/:$/, "")}`,
    );
  }
  if (content === null || content === undefined) return {};
  if (typeof content === "object" && !Array.isArray(content)) return content;
  throw new UsageError(`--config-file ${path}: it must hold settings by name, as in \`name: a\``);
}

/** A list is what its parts are with commas between, as in etcd's own file for URLs. */
function settingText(value: unknown): string | null {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(settingText).join(",");
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}

/** etcd's own sample file names every TLS setting with an empty value. */
function isEmptySection(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return true;
  return typeof value === "object" && Object.values(value).every(isEmptySection);
}
