// `synod dev`, which `npm start` runs: a cluster of real processes on this machine, until it is stopped.
import { Command } from "commander";
import { integerFlag } from "../client/request-commands.js";
import { CommandFailed } from "../failures.js";
import { checkPort } from "../serve/preflight.js";
import { stopAsked } from "../serve/signals.js";
import { parseUrl } from "../serve/urls.js";
import { ChildMember, restartCommand } from "./child-member.js";
import { type DevFlags, type DevMember, planDev } from "./dev-plan.js";

/** After it, members that have not stopped are killed. */
const STOP_MS = 12_000;
const PARENT_CHECK_MS = 500;

const DEV_HELP = `
Replica i listens at the ports given plus 10000 (i - 1): clients at 127.0.0.1:2379, 12379, 22379 and the
replicas themselves at 2380, 12380, 22380. Started again, the cluster has its data; remove the data
directory for a new one.

Ctrl-C or SIGTERM stops all of it, a second Ctrl-C at once. A replica that dies is not started again, so that
failures can be watched: the others go on, and the command that starts it again is shown.`;

interface Flags extends DevFlags {
  readonly logLevel: string;
}

export function devCommand(): Command {
  const command = new Command("dev")
    .description("Runs a cluster on this machine, each replica a process (what `npm start` does)")
    .usage("[options]")
    .option("--replicas <count>", "how many", integerFlag("--replicas"), 3)
    .option("--data-dir <dir>", "where the data is, a directory for each replica", ".synod")
    .option(
      "--client-port <port>",
      "the first replica's port for clients",
      integerFlag("--client-port"),
      2379,
    )
    .option("--peer-port <port>", "the first replica's port for the others", integerFlag("--peer-port"), 2380)
    .option("--log-level <level>", "what the replicas tell: debug, info, warn or error", "warn")
    .addHelpText("after", DEV_HELP);
  return command.action(async () => {
    const flags = command.opts<Flags>();
    const members = planDev(flags);
    await checkPorts(members);
    await runCluster(members, flags);
  });
}

async function checkPorts(members: readonly DevMember[]): Promise<void> {
  for (const { clientUrl, peerUrl } of members) {
    await checkPort(parseUrl(clientUrl, "--client-port"), "clients");
    await checkPort(parseUrl(peerUrl, "--peer-port"), "members");
  }
}

async function runCluster(members: readonly DevMember[], flags: Flags): Promise<void> {
  console.log(`starting ${members.length} replicas, data in ${flags.dataDir}`);
  const children = members.map(
    (member) =>
      new ChildMember(member, flags.logLevel, (line) => {
        if (!line.startsWith("ready: ")) console.error(`${member.name} | ${line}`);
      }),
  );
  const killAll = (): void => {
    for (const child of children) child.signal("SIGKILL");
  };
  const stop = Promise.race([stopAsked(killAll), npmEnded()]);
  const allReady = Promise.all(children.map((child) => child.ready));
  const firstEnd = Promise.race(children.map((child) => child.ended));
  const first = await Promise.race([allReady.then(() => null), stop.then(() => null), firstEnd]);
  if (first !== null) {
    await stopAll(children);
    throw new CommandFailed(`${first.member.name} did not start (${first.how}), so the others were stopped`);
  }
  const told = Promise.all(children.map((child) => tellEnd(child, stop)));
  const isReady = await Promise.race([allReady.then(() => true), stop.then(() => false)]);
  if (isReady) console.log(`ready: clients at ${members.map((member) => member.clientUrl).join(", ")}`);
  const ends = await told;
  if (ends.every((hasEnded) => hasEnded)) throw new CommandFailed("every replica has ended");
  await stopAll(children);
}

/** Tells when a replica ends while nobody asked for it. Resolves then with true, or with false when all are to stop. */
async function tellEnd(child: ChildMember, stop: Promise<string>): Promise<boolean> {
  const end = await Promise.race([stop, child.ended]);
  if (typeof end === "string") return false;
  const { member, how } = end;
  console.error(`${member.name} ended (${how}), the others go on; this starts it again:`);
  console.error(`  ${restartCommand(member)}`);
  return true;
}

async function stopAll(children: readonly ChildMember[]): Promise<void> {
  for (const child of children) child.signal("SIGTERM");
  const killer = setTimeout(() => {
    for (const child of children) child.signal("SIGKILL");
  }, STOP_MS);
  await Promise.all(children.map((child) => child.ended));
  clearTimeout(killer);
}

/** Resolves when the npm that runs this script is gone: it cannot pass on its own SIGKILL. Never, without npm. */
function npmEnded(): Promise<string> {
  const parent = process.ppid;
  return new Promise((resolve) => {
    if (process.env.npm_lifecycle_event === undefined) return;
    setInterval(() => {
      if (process.ppid !== parent) resolve("the end of npm");
    }, PARENT_CHECK_MS).unref();
  });
}
