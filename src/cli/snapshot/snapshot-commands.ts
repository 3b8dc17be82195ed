// `snapshot save`, `snapshot status` and `snapshot restore`: with etcdctl's flags and output, for Synod's own files.
import { Command } from "commander";
import { isNoSpace } from "../../base/no-space.js";
import { DataDirectoryError } from "../../index.js";
import { type Backup, BadBackup, checkBackup } from "../../io/backup/backup-file.js";
import { restoreBackup } from "../../io/backup/restore-backup.js";
import { type ClientFlags, print } from "../client/session.js";
import { CommandFailed, UsageError } from "../failures.js";
import { planServe } from "../serve/serve-plan.js";
import type { Given, SettingName } from "../serve/settings.js";
import { addressOf } from "../serve/urls.js";
import { backupText } from "./backup-text.js";
import { saveBackup } from "./save-backup.js";

export function addSnapshotCommands(program: Command): void {
  const snapshot = new Command("snapshot")
    .description("Saves the state of a member to a file, and makes data directories of a new cluster of it")
    .usage("<subcommand> [options]");
  program.addCommand(snapshot.addCommand(save()).addCommand(status()).addCommand(restore()));
}

function save(): Command {
  const command = new Command("save")
    .description("Stores the state of the member at the one endpoint given to a file, and verifies it")
    .usage("<filename>")
    .argument("[filename]")
    .allowExcessArguments();
  return command.action(async () => {
    const path = oneFile("snapshot save", command.args);
    const flags = command.optsWithGlobals<ClientFlags>();
    const isLimited = command.parent?.parent?.getOptionValueSource("commandTimeout") !== "default";
    await mended(path, () => saveBackup(path, flags, isLimited));
    console.log(`Snapshot saved at ${path}`);
  });
}

function status(): Command {
  const command = new Command("status")
    .description("Verifies a snapshot file, and shows what is in it")
    .usage("<filename>")
    .argument("[filename]")
    .allowExcessArguments();
  return command.action(async () => {
    const path = oneFile("snapshot status", command.args);
    const { writeOut } = command.optsWithGlobals<ClientFlags>();
    print([backupText(writeOut, await mended(path, () => checkBackup(path)))]);
  });
}

const RESTORE_FLAGS: readonly [SettingName, string, string][] = [
  ["name", "name", "this member's name (default: default)"],
  ["data-dir", "dir", "a directory that is empty or not there yet (default: <name>.synod)"],
  ["initial-cluster", "members", "all members of the new cluster, as name=url,... (default: this one alone)"],
  [
    "initial-cluster-token",
    "token",
    "the new cluster's token; not that of the old one (default: synod-cluster)",
  ],
  [
    "initial-advertise-peer-urls",
    "url",
    "where the others reach this member (default: as in --initial-cluster)",
  ],
];

const RESTORE_HELP = `
Run it once for each member of the new cluster, on its machine, with the same file and the same members and
token; then start them with synod serve and these flags. The keys keep their revisions. Members that were
restored from different files are of different clusters, and do not talk to each other.`;

function restore(): Command {
  const command = new Command("restore")
    .description("Makes the data directory of a member of a new cluster of a snapshot file")
    .usage("<filename> --data-dir <dir> [options]")
    .argument("[filename]")
    .allowExcessArguments()
    .addHelpText("after", RESTORE_HELP);
  for (const [name, placeholder, text] of RESTORE_FLAGS) command.option(`--${name} <${placeholder}>`, text);
  return command.action(async () => {
    const path = oneFile("snapshot restore", command.args);
    const plan = planServe(givenSettings(command));
    const members = plan.members.map(({ peerUrl }, i) => ({ id: i + 1, address: addressOf(peerUrl) }));
    const { dataDir, replica, name, token } = plan;
    const { backup, clusterId } = await mended(dataDir, () =>
      restoreBackup({ file: path, dataDir, token, members, replica }),
    );
    console.log(doneText(backup, `${name} (replica ${replica} of ${members.length})`, clusterId, dataDir));
  });
}

function doneText(
  { revision, keys, snapshot }: Backup,
  who: string,
  clusterId: string,
  dataDir: string,
): string {
  return (
    `restored ${keys} keys at revision ${revision} (slot ${snapshot.slot}) for ${who} of the new cluster ${clusterId} ` +
    `into ${dataDir}\nstart it with synod serve and the same --name, --data-dir, --initial-cluster and --initial-cluster-token`
  );
}

function givenSettings(command: Command): Map<SettingName, Given> {
  const settings = new Map<SettingName, Given>();
  for (const [name] of RESTORE_FLAGS) {
    const option = command.options.find(({ long }) => long === `--${name}`)!;
    const text = command.getOptionValue(option.attributeName()) as string | undefined;
    if (text !== undefined) settings.set(name, { text, source: `--${name}` });
  }
  return settings;
}

function oneFile(command: string, args: readonly string[]): string {
  const [path] = args;
  if (args.length === 1 && path) return path;
  throw new UsageError(`${command} needs one argument, the name of a file`);
}

/** What an operator can mend becomes a sentence. */
async function mended<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BadBackup || error instanceof DataDirectoryError)
      throw new CommandFailed(error.message);
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new CommandFailed(`${path}: there is no such file or directory`);
    const isOfDisk = isNoSpace(error) || (error instanceof Error && "syscall" in error);
    if (!isOfDisk) throw error;
    // A write does not say of which file it was.
    throw new CommandFailed(error.message.includes(file) ? error.message : `${file}: ${error.message}`);
  }
}
